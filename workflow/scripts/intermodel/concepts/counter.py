"""Adding up batches of images: runs of active pixels against runs of label patterns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.activity import Runs, runs_of_box
from intermodel.concepts.patterns import Patterns, ranges
from intermodel.concepts.sums import Sums, folds_of, partners
from intermodel.concepts.upsampling import Geometry
from intermodel.engine.errors import UserError

# What some units do on some images: image (position in the batch) and unit of each map, and the runs of all maps.
Activity = tuple[NDArray[np.intp], NDArray[np.intp], Runs]


class Counter:
    """Counts over the batches seen so far.

    Attributes
    ----------
    folds, shuffled
        `Sums` with the folds, and the wrong pairings, on the leading axis.
    """

    def __init__(self, patterns: Patterns, units: int, folds: int, shuffles: int) -> None:
        if shuffles and len(patterns) <= shuffles:
            raise UserError(
                f"The data set has {len(patterns)} images, too few to pair them wrongly in {shuffles} ways; use more "
                "images, or set shuffles to 0."
            )
        self._patterns = patterns
        self._units = units
        self._fold = folds_of(patterns.ids, folds)
        self._partner = [partners(patterns.ids, shift + 1) for shift in range(shuffles)]
        labels, categories = len(patterns.vocabulary), len(patterns.vocabulary.categories)
        self.folds = Sums.zeros((folds,), units, labels, categories)
        self.shuffled = Sums.zeros((shuffles,), units, labels, categories)

    def add(self, rows: NDArray[np.intp], activity: Iterable[Activity], grid: Geometry) -> None:
        """Count the images `rows`, whose maps lie on their label maps as `grid` says."""
        batches = [_Batch(self._patterns.take(rows), grid, self._units, self.folds, self._fold[rows])]
        for number, partner in enumerate(self._partner):
            target = np.full(len(rows), number, dtype=np.int32)
            batches.append(_Batch(self._patterns.take(partner[rows]), grid, self._units, self.shuffled, target))
        for image, unit, runs in activity:
            for batch in batches:
                batch.count(image, unit, runs)
        for batch in batches:
            batch.finish()


class _Batch:
    """Label maps of some images, ready for counting into the rows `target` of `sums`."""

    def __init__(self, patterns: Patterns, grid: Geometry, units: int, sums: Sums, target: NDArray[np.integer]) -> None:
        self._patterns, self._grid, self._sums, self._target = patterns, grid, sums, target
        images = len(patterns)
        self._area = np.zeros((images, units), dtype=np.int64)
        self._numbers = np.diff(patterns.pattern_offset)
        # Runs of patterns through the whole batch, and the run that each pixel lies in.
        length = patterns.run_length.astype(np.intp)
        self._stop = np.cumsum(length)
        self._start = self._stop - length
        self._run_at = np.repeat(np.arange(len(length), dtype=np.int32), length)
        image = np.repeat(np.arange(images), np.diff(patterns.run_offset))
        self._pattern = patterns.run_pattern + patterns.pattern_offset.take(image)

    def count(self, image: NDArray[np.intp], unit: NDArray[np.intp], runs: Runs) -> None:
        """Count the runs of some maps."""
        counts, first = self._by_pattern(image, runs)
        # Pattern 0 is void.
        counts[first] = 0
        entry = np.flatnonzero(counts)
        amount = counts.take(entry)
        number = np.repeat(np.arange(len(image)), self._numbers.take(image)).take(entry)
        owner, which = image.take(number), unit.take(number)
        units, labels = self._sums.intersection.shape[1:]
        np.add.at(self._area.reshape(-1), owner * units + which, amount)
        # From patterns to their labels.
        pattern = self._patterns.pattern_offset.take(owner) + (entry - first.take(number))
        offset = self._patterns.label_offset
        begin = offset.take(pattern)
        many = offset.take(pattern + 1) - begin
        line = (self._target.take(owner) * units + which) * labels
        place = np.repeat(line, many) + self._patterns.label.take(ranges(begin, many))
        np.add.at(self._sums.intersection.reshape(-1), place, np.repeat(amount, many))

    def finish(self) -> None:
        """Add the areas of labels and units."""
        patterns, vocabulary, sums = self._patterns, self._patterns.vocabulary, self._sums
        images, labels = len(patterns), len(vocabulary)
        every = np.arange(images)
        if self._grid.whole:
            length = self._stop - self._start
            area = _whole(np.bincount(self._pattern, weights=length, minlength=len(patterns.label_offset) - 1))
        else:
            area, _ = self._by_pattern(every, runs_of_box(images, self._grid))
        area[patterns.pattern_offset[:-1]] = 0
        image = np.repeat(every, self._numbers)
        many = np.diff(patterns.label_offset)
        place = np.repeat(image * labels, many) + patterns.label
        # Sums of whole numbers below 2^53 are exact in float64, where bincount and products of matrices are fast.
        label_area = np.bincount(place, weights=np.repeat(area, many), minlength=images * labels).reshape(-1, labels)
        pixels = np.bincount(image, weights=area, minlength=images)
        present = (label_area > 0).astype(np.float64)
        has = (present @ vocabulary.membership > 0).astype(np.float64)
        group = (self._target == np.arange(len(sums))[:, None]).astype(np.float64)
        sums.images[:] += _whole(group.sum(axis=1))
        sums.pixels[:] += _whole(group @ pixels)
        sums.pixels_category[:] += _whole(group @ (pixels[:, None] * has))
        sums.label_area[:] += _whole(group @ label_area)
        sums.label_images[:] += _whole(group @ present)
        active = self._area.astype(np.float64)
        sums.unit_area[:] += _whole(group @ active)
        for category in range(has.shape[1]):
            sums.unit_area_category[:, :, category] += _whole((group * has[:, category]) @ active)

    def _by_pattern(self, image: NDArray[np.intp], runs: Runs) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pixels of each map in each pattern of its image, one map after the other, and where each map begins."""
        numbers = self._numbers.take(image)
        first = np.cumsum(numbers) - numbers
        # The runs of patterns that each active run meets, and the pixels that they share.
        entry = self._run_at.take(runs.start)
        many = self._run_at.take(runs.stop - 1) - entry + 1
        which = np.repeat(np.arange(len(many)), many)
        met = ranges(entry, many)
        shared = np.minimum(self._stop.take(met), runs.stop.take(which))
        shared -= np.maximum(self._start.take(met), runs.start.take(which))
        shift = first - self._patterns.pattern_offset.take(image)
        place = shift.take(runs.map).take(which) + self._pattern.take(met)
        return _whole(np.bincount(place, weights=shared, minlength=int(numbers.sum()))), first


def _whole(values: NDArray) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.rint(values).astype(np.int64)
    return whole

"""Adding up batches of images: runs of active pixels against runs of label patterns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

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
        self._length = patterns.run_length.astype(np.intp)
        self._stop = np.cumsum(self._length)
        self._start = self._stop - self._length
        self._run_at = np.repeat(np.arange(len(self._length)), self._length)
        image = np.repeat(np.arange(images), np.diff(patterns.run_offset))
        self._pattern = patterns.run_pattern + patterns.pattern_offset.take(image)
        # Labels counted within each image: few of a large vocabulary occur in one image.
        labels = len(patterns.vocabulary)
        image = np.repeat(np.repeat(np.arange(images), self._numbers), np.diff(patterns.label_offset))
        key = image * labels + patterns.label
        occurs = np.zeros(images * labels, dtype=np.bool_)
        occurs[key] = True
        self._occurring = np.flatnonzero(occurs) % labels
        self._label_offset = np.append(0, np.cumsum(occurs.reshape(images, labels).sum(axis=1)))
        self._local = (np.cumsum(occurs) - 1).take(key) - self._label_offset.take(image)

    def count(self, image: NDArray[np.intp], unit: NDArray[np.intp], runs: Runs) -> None:
        """Count the runs of some maps."""
        counts, first = self._by_pattern(image, runs)
        # Pattern 0 is void.
        counts[first] = 0.0
        entry = np.flatnonzero(counts)
        amount = counts.take(entry)
        number = np.repeat(np.arange(len(image)), self._numbers.take(image)).take(entry)
        self._area[image, unit] += _whole(np.bincount(number, weights=amount, minlength=len(image)))
        # From patterns to their labels.
        pattern = self._patterns.pattern_offset.take(image).take(number) + (entry - first.take(number))
        begin = self._patterns.label_offset.take(pattern)
        many = self._patterns.label_offset.take(pattern + 1) - begin
        width = np.diff(self._label_offset).take(image)
        base = np.cumsum(width) - width
        place = np.repeat(base.take(number), many) + self._local.take(ranges(begin, many))
        both = np.bincount(place, weights=np.repeat(amount, many), minlength=int(width.sum()))
        entry = np.flatnonzero(both)
        number = np.repeat(np.arange(len(image)), width).take(entry)
        label = self._occurring.take(self._label_offset.take(image).take(number) + (entry - base.take(number)))
        # Pairs of unit and image occur once, but images of one fold share their rows.
        units, labels = self._sums.intersection.shape[1:]
        line = (self._target.take(image) * units + unit).take(number) * labels
        np.add.at(self._sums.intersection.reshape(-1), line + label, _whole(both.take(entry)))

    def finish(self) -> None:
        """Add the areas of labels and units."""
        patterns, vocabulary, sums = self._patterns, self._patterns.vocabulary, self._sums
        images, labels = len(patterns), len(vocabulary)
        every = np.arange(images)
        if self._grid.whole:
            area: NDArray[Any] = np.bincount(
                self._pattern, weights=self._length, minlength=len(patterns.label_offset) - 1
            )
        else:
            area = self._by_pattern(every, runs_of_box(images, self._grid))[0]
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

    def _by_pattern(self, image: NDArray[np.intp], runs: Runs) -> tuple[NDArray[Any], NDArray[Any]]:
        """Pixels of each map in each pattern of its image, one map after the other, and where each map begins."""
        numbers = self._numbers.take(image)
        first = np.cumsum(numbers) - numbers
        # The runs of patterns that each active run meets, and the pixels that they share: all of theirs but for what
        # lies before the start in the first and after the end in the last.
        enter, leave = self._run_at.take(runs.start), self._run_at.take(runs.stop - 1)
        many = leave - enter + 1
        last = np.cumsum(many) - 1
        met = ranges(enter, many)
        shared = self._length.take(met)
        shared[last - many + 1] -= runs.start - self._start.take(enter)
        shared[last] -= self._stop.take(leave) - runs.stop
        shift = (first - self._patterns.pattern_offset.take(image)).take(runs.map)
        place = np.repeat(shift, many) + self._pattern.take(met)
        return np.bincount(place, weights=shared, minlength=int(numbers.sum())), first


def _whole(values: NDArray) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.rint(values).astype(np.int64)
    return whole

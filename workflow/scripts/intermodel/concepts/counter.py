"""Adding up batches of images: active pixels against patterns of labels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.activity import Active
from intermodel.concepts.kernels import add_labels, count_patterns
from intermodel.concepts.patterns import Patterns
from intermodel.concepts.sums import Sums, folds_of, partners
from intermodel.concepts.upsampling import Geometry
from intermodel.engine.errors import UserError


class Counter:
    """Counts over the batches seen so far.

    Holds ``8 * (folds + shuffles) * units * labels`` bytes, whatever the number of images.

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

    def add(self, rows: NDArray[np.intp], activity: Iterable[Active], grid: Geometry) -> None:
        """Count the images `rows`, whose maps lie on their label maps as `grid` says."""
        batches = self.batches(rows, grid)
        for active in activity:
            for batch in batches:
                batch.count(active)
        for batch in batches:
            batch.finish()

    def batches(self, rows: NDArray[np.intp], grid: Geometry) -> list[Batch]:
        """What the images `rows` are counted against: their own label maps, and those of each wrong pairing."""
        batches = [Batch(self._patterns.take(rows), grid, self._units, self.folds, self._fold[rows])]
        for number, partner in enumerate(self._partner):
            target = np.full(len(rows), number, dtype=np.int32)
            batches.append(Batch(self._patterns.take(partner[rows]), grid, self._units, self.shuffled, target))
        return batches


class Batch:
    """Label maps of n images, ready for counting into the rows `target` of `sums`.

    Attributes
    ----------
    patterns
        The label maps.
    pattern
        (n, H * W) int32 pattern of each pixel, counted within its image.
    sums, target
        Where to count, and the (n,) row of each image there.
    area
        (n, U) int64 pixels in which each unit is active, void ones left out.
    """

    def __init__(self, patterns: Patterns, grid: Geometry, units: int, sums: Sums, target: NDArray[np.integer]) -> None:
        self._grid, self.patterns, self.sums, self.target = grid, patterns, sums, target
        self.area = np.zeros((len(patterns), units), dtype=np.int64)
        self.pattern = patterns.drawn()
        self._label = patterns.label.astype(np.int32)

    def count(self, active: Active) -> None:
        """Count the active pixels of some units on one image."""
        image, units = active.image, slice(active.first, active.first + len(active.offset) - 1)
        start, stop = self.patterns.pattern_offset[image : image + 2]
        met = count_patterns(active.offset, active.pixel, self.pattern[image], stop - start)
        add_labels(
            *met,
            self.patterns.label_offset[start : stop + 1],
            self._label,
            self.area[image, units],
            self.sums.intersection[self.target[image], units],
        )

    def finish(self) -> None:
        """Add the areas of labels, and of units from `area`."""
        patterns, vocabulary, sums = self.patterns, self.patterns.vocabulary, self.sums
        images, labels = len(patterns), len(vocabulary)
        first = patterns.pattern_offset[:-1]
        inside = self.pattern.reshape(images, *self._grid.size)[:, *self._grid.covered].reshape(images, -1)
        area: NDArray[Any] = np.bincount(
            (inside + first[:, None]).reshape(-1), minlength=len(patterns.label_offset) - 1
        )
        area[first] = 0
        image = np.repeat(np.arange(images), np.diff(patterns.pattern_offset))
        many = np.diff(patterns.label_offset)
        place = np.repeat(image * labels, many) + patterns.label
        # Sums of whole numbers below 2^53 are exact in float64, where bincount and products of matrices are fast.
        label_area = np.bincount(place, weights=np.repeat(area, many), minlength=images * labels).reshape(-1, labels)
        pixels = np.bincount(image, weights=area, minlength=images)
        present = (label_area > 0).astype(np.float64)
        has = (present @ vocabulary.membership > 0).astype(np.float64)
        group = (self.target == np.arange(len(sums))[:, None]).astype(np.float64)
        sums.images[:] += _whole(group.sum(axis=1))
        sums.pixels[:] += _whole(group @ pixels)
        sums.pixels_category[:] += _whole(group @ (pixels[:, None] * has))
        sums.label_area[:] += _whole(group @ label_area)
        sums.label_images[:] += _whole(group @ present)
        active = self.area.astype(np.float64)
        sums.unit_area[:] += _whole(group @ active)
        for category in range(has.shape[1]):
            sums.unit_area_category[:, :, category] += _whole((group * has[:, category]) @ active)


def _whole(values: NDArray) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.rint(values).astype(np.int64)
    return whole

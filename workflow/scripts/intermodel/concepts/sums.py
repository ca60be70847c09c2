"""The sums over images from which every figure of the concept analysis follows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.statistics.folds import folds_of as folds_of


@dataclass(frozen=True)
class Sums:
    """Counts of images and pixels, int64, with one leading axis (folds or shuffles) or none, written ``...``.

    Attributes
    ----------
    images
        (...) images.
    pixels
        (...) pixels that count (seen by the network and not void).
    pixels_category
        (..., K) pixels of the images that contain a label of the category.
    label_area, label_images
        (..., L) pixels that carry the label, and images that contain it.
    unit_area
        (..., U) pixels in which the unit is active.
    unit_area_category
        (..., U, K) the same on images that contain a label whose primary category is k.
    intersection
        (..., U, L) pixels in which the unit is active and the label holds.
    """

    images: NDArray[np.int64]
    pixels: NDArray[np.int64]
    pixels_category: NDArray[np.int64]
    label_area: NDArray[np.int64]
    label_images: NDArray[np.int64]
    unit_area: NDArray[np.int64]
    unit_area_category: NDArray[np.int64]
    intersection: NDArray[np.int64]

    @classmethod
    def zeros(cls, leading: tuple[int, ...], units: int, labels: int, categories: int) -> Sums:
        """Sums over no image."""
        shapes = [(), (), (categories,), (labels,), (labels,), (units,), (units, categories), (units, labels)]
        return cls(*(np.zeros(leading + shape, dtype=np.int64) for shape in shapes))

    @classmethod
    def stack(cls, rows: Sequence[Sums]) -> Sums:
        """Sums without a leading axis as rows of one."""
        return cls(*(np.stack([getattr(row, field.name) for row in rows]) for field in fields(cls)))

    def none(self) -> Sums:
        """The same with a leading axis of length 0."""
        return self._each(lambda array: array[:0])

    def __len__(self) -> int:
        return len(self.images)

    def total(self) -> Sums:
        """Sums over the leading axis."""
        return self._each(lambda array: array.sum(axis=0))

    def of(self, rows: int | Sequence[int] | NDArray[np.integer]) -> Sums:
        """Sums of one row, or of several rows together."""
        if isinstance(rows, int):
            return self._each(lambda array: array[rows])
        return self._each(lambda array: array[np.asarray(rows, dtype=np.intp)].sum(axis=0))

    def without(self, row: int) -> Sums:
        """Sums of all rows but one (a jackknife replicate)."""
        return self.total() - self.of(row)

    def replicates(self) -> Iterator[Sums]:
        """`without` every row that holds images, in order."""
        total = self.total()
        for row in np.flatnonzero(self.images).tolist():
            yield total - self.of(row)

    def without_intersection(self) -> Sums:
        """The same with an empty `intersection`, the one large array."""
        return replace(self, intersection=self.intersection[..., :0, :0])

    def __add__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(self)))

    def __sub__(self, other: Sums) -> Sums:
        return Sums(*(getattr(self, field.name) - getattr(other, field.name) for field in fields(self)))

    def _each(self, function: Any) -> Sums:
        return Sums(*(np.asarray(function(getattr(self, field.name))) for field in fields(self)))


def partners(ids: NDArray[np.str_], shift: int) -> NDArray[np.intp]:
    """A wrong pairing: for each image the row of another one, `shift` places further in the order of hashed ids.

    No image is its own partner as long as ``shift`` is not a multiple of N; every image is the partner of one.
    """
    order = np.argsort([hashlib.sha256(f"partner {name}".encode()).hexdigest() for name in ids], kind="stable")
    result = np.empty(len(ids), dtype=np.intp)
    result[order] = np.roll(order, -shift)
    return result

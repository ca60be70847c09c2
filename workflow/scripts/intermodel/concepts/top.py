"""The images on which each unit is most active."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Top:
    """Keeps the largest values of each unit over a stream of images; equal values keep the earlier row.

    Attributes
    ----------
    images
        (units, k) int32 rows, largest value first; fewer columns as long as fewer images were seen.
    values
        (units, k) float32.
    """

    def __init__(self, units: int, keep: int) -> None:
        self._keep = keep
        self.images: NDArray[np.int32] = np.zeros((units, 0), dtype=np.int32)
        self.values: NDArray[np.float32] = np.zeros((units, 0), dtype=np.float32)

    def add(self, values: NDArray[np.floating], start: int) -> None:
        """Take in the values, (images, units), of the rows from `start`."""
        rows = np.arange(start, start + len(values), dtype=np.int32)
        self.merge(np.broadcast_to(rows, values.T.shape), values.T)

    def merge(self, images: NDArray[np.int32], values: NDArray[np.floating]) -> None:
        """Take in rows and values, (units, n), that come after all rows so far."""
        everything = np.concatenate([self.values, values.astype(np.float32)], axis=1)
        rows = np.concatenate([self.images, images], axis=1)
        # A stable sort keeps equal values in the order of their rows.
        best = np.argsort(-everything, axis=1, kind="stable")[:, : self._keep]
        self.values = np.take_along_axis(everything, best, axis=1)
        self.images = np.take_along_axis(rows, best, axis=1)

"""The images on which each unit is most active."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class Top:
    """Keeps the largest values of each unit over a stream of images; equal values keep the earlier row.

    Attributes
    ----------
    images
        (units, k) int32 rows, largest value first; fewer columns as long as fewer images were seen.
    values
        (units, k) float32 spatial maxima.
    maps
        (units, k, h, w) float32 the maps themselves.
    """

    def __init__(self, units: int, keep: int) -> None:
        self._keep = keep
        self.images: NDArray[np.int32] = np.zeros((units, 0), dtype=np.int32)
        self.values: NDArray[np.float32] = np.zeros((units, 0), dtype=np.float32)
        self.maps: NDArray[np.float32] = np.zeros((units, 0, 0, 0), dtype=np.float32)

    def add(self, block: NDArray[np.floating], start: int, shown: NDArray[np.floating] | None = None) -> None:
        """Take in the maps, (images, units, h, w), of the rows from `start`; perhaps `shown` is kept in their place."""
        values = block.reshape(*block.shape[:2], -1).max(axis=2).T
        rows = np.arange(start, start + len(block), dtype=np.int32)
        kept = block if shown is None else shown
        self.merge(np.broadcast_to(rows, values.shape), values, lambda unit, image: kept[image, unit])

    def merge(
        self,
        images: NDArray[np.int32],
        values: NDArray[np.floating],
        maps: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.floating]],
    ) -> None:
        """Take in rows and values, (units, n), that come after all rows so far.

        `maps` is asked once for the maps that are to be kept, (m, h, w), by the unit and the column of each.
        """
        units, held = self.values.shape
        everything = np.concatenate([self.values, values.astype(np.float32)], axis=1)
        rows = np.concatenate([self.images, images], axis=1)
        # A stable sort keeps equal values in the order of their rows.
        best = np.argsort(-everything, axis=1, kind="stable")[:, : self._keep]
        self.values = np.take_along_axis(everything, best, axis=1)
        self.images = np.take_along_axis(rows, best, axis=1)
        count = best.shape[1]
        unit, place = np.nonzero(best >= held)
        fresh = maps(unit, best[unit, place] - held)
        if count != held or not self.maps.size:
            grown = np.zeros((units, count, *fresh.shape[1:]), dtype=np.float32)
            grown[:, :held] = self.maps.reshape(units, held, *grown.shape[2:])
            self.maps = grown
        # Most batches change few units.
        changed = np.flatnonzero((best >= held).any(axis=1))
        old = np.minimum(best[changed], count - 1)[:, :, None, None]
        self.maps[changed] = np.take_along_axis(self.maps[changed], old, axis=1)
        self.maps[unit, place] = fresh

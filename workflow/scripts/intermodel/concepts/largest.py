"""The largest activations of each unit over a stream of images, from which exact thresholds follow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.kernels import keep_above
from intermodel.engine.errors import UserError


class Largest:
    """Keeps the `keep` largest activations of each unit, whatever the order and the batches.

    Holds some ``5 * units * keep`` bytes. An activation that is not among the largest costs one comparison; the others
    are selected when the room for a quarter more is used up.

    Parameters
    ----------
    units
        Number of units.
    keep
        How many to keep; with ``excess(tail, n) + 1`` the smallest of them is the threshold.
    """

    def __init__(self, units: int, keep: int) -> None:
        self._keep = keep
        self._kept = np.empty((units, keep), dtype=np.float32)
        self._count = np.zeros(units, dtype=np.int64)
        self._bound = np.full(units, -np.inf, dtype=np.float32)

    def add(self, block: NDArray[np.floating]) -> None:
        """Take in maps, (n, units, h, w), finite."""
        block = np.ascontiguousarray(block.reshape(*block.shape[:2], -1), dtype=np.float32)
        fresh = block.shape[0] * block.shape[2]
        room = self._keep + max(fresh, self._keep // 4)
        if self._kept.shape[1] < room:
            self._kept = np.concatenate(
                [self._kept, np.empty((len(self._kept), room - self._kept.shape[1]), dtype=np.float32)], axis=1
            )
        for unit in np.flatnonzero(self._count + fresh > self._kept.shape[1]).tolist():
            self._select(unit)
        keep_above(block, self._bound, self._kept, self._count)

    def values(self) -> NDArray[np.float32]:
        """The largest activations, (units, at most `keep`), in no order."""
        for unit in np.flatnonzero(self._count > self._keep).tolist():
            self._select(unit)
        return self._kept[:, : int(self._count.max(initial=0))].copy()

    def _select(self, unit: int) -> None:
        count = int(self._count[unit])
        if count <= self._keep:
            return
        values = self._kept[unit, :count]
        values.partition(count - self._keep)
        values[: self._keep] = values[count - self._keep :].copy()
        self._count[unit] = self._keep
        # As many as are kept are no smaller, so equal ones change nothing.
        self._bound[unit] = values[: self._keep].min()


def threshold_of(parts: Sequence[NDArray[np.float32]], keep: int, half: bool) -> NDArray[np.float64]:
    """Thresholds, (units,), from the `keep` largest activations of each unit of every part of the images.

    Parameters
    ----------
    parts
        (units, at most keep) for each part, in any order; together at least `keep`.
    keep
        ``excess(tail, n) + 1`` of all n activations.
    half
        Whether activations are rounded to float16. Rounding keeps order, so it may come after the selection.
    """
    values = np.concatenate(parts, axis=1)
    if values.shape[1] < keep:
        raise UserError(
            f"The parts of the images hold {values.shape[1]} of the {keep} largest activations that thresholds need; "
            "delete them and run again."
        )
    level = np.partition(values, values.shape[1] - keep, axis=1)[:, values.shape[1] - keep]
    return np.asarray(level.astype(np.float16) if half else level, dtype=np.float64)

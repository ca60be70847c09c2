"""The level of each unit that a given share of its activations exceeds."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.engine.errors import UserError

Rule = Literal["exact", "hazen"]

# Below so many activations above the threshold its own sampling error is some 14 % of the tail (1/sqrt(50)).
FEW = 50
# Every so many samples give the bound below which selection need not look.
STRIDE = 16


class UnitMaps(Protocol):
    """Maps that can be read by units, as `intermodel.store.Maps`."""

    ids: NDArray[np.str_]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, units, height, width."""
        ...

    def units(self, start: int, stop: int) -> NDArray[np.float32]:
        """Maps of some units over all images."""
        ...

    def unit_blocks(self, memory_mb: float = ...) -> Iterator[tuple[int, int]]:
        """Ranges of units that fit into the memory."""
        ...


def excess(tail: float, count: int) -> int:
    """How many of `count` activations may lie above the threshold: floor(tail * count).

    Raises
    ------
    UserError
        If that is none. Below 50 a warning is given.
    """
    if not 0 < tail < 1:
        raise UserError(f"tail is {tail}, expected a share between 0 and 1 such as 0.005.")
    # 0.005 * 1000 must count as 5 although the product is 4.999...
    number = math.floor(tail * count + 1e-9)
    if number < 1:
        raise UserError(
            f"tail is {tail} of {count} activations per unit, which leaves none above the threshold; use more images "
            "or a larger tail."
        )
    if number < FEW:
        warnings.warn(
            f"Only {number} of {count} activations per unit lie above the threshold (tail {tail}); thresholds from "
            f"fewer than {FEW} are unsteady: use more images or a larger tail.",
            stacklevel=2,
        )
    return number


def exact_thresholds(samples: ArrayLike, tail: float) -> NDArray[np.float64]:
    """The smallest sample that at most ``floor(tail * n)`` samples exceed, for each unit.

    Without ties exactly that many exceed it. The value is one of the samples, does not depend on their order, and
    follows every increasing transformation of them. (Bau et al. 2017 read the same level from a sketch.)

    Parameters
    ----------
    samples
        (units, n), finite.
    tail
        Share of the samples above the threshold, between 0 and 1.

    Returns
    -------
    array
        (units,) float64.
    """
    values = np.asarray(samples)
    return _order_statistic(values, excess(tail, values.shape[1]))


def hazen_thresholds(samples: ArrayLike, tail: float) -> NDArray[np.float64]:
    """The quantile at ``1 - tail`` interpolated between the plotting positions (i + 1/2) / n (Hazen).

    For comparison with programs that read their sketches out this way; parameters as for `exact_thresholds`.
    """
    values = np.asarray(samples, dtype=np.float64)
    excess(tail, values.shape[1])
    return np.asarray(np.quantile(values, 1 - tail, axis=1, method="hazen"), dtype=np.float64)


def unit_thresholds(maps: UnitMaps, tail: float, rule: Rule = "exact", memory_mb: float = 256.0) -> NDArray[np.float64]:
    """Thresholds of all units over every image and position of the raw maps, read in blocks of units.

    Parameters
    ----------
    maps
        A reader of (N, units, h, w) activations.
    tail
        Share of the activations above the threshold.
    rule
        ``"exact"`` or ``"hazen"``.
    memory_mb
        Size of a block; does not change the result.

    Returns
    -------
    array
        (units,) float64.

    Raises
    ------
    UserError
        If an activation is not finite, or ``tail`` leaves none above the threshold.
    """
    images, units, height, width = maps.shape
    number = excess(tail, images * height * width)
    result = np.empty(units)
    for start, stop in maps.unit_blocks(memory_mb):
        block = maps.units(start, stop)
        check_finite(block, maps.ids, start)
        # Samples of a unit lie side by side, where selection is fastest.
        samples = np.array(block.swapaxes(0, 1), order="C").reshape(stop - start, -1)
        if rule == "hazen":
            result[start:stop] = np.quantile(samples.astype(np.float64), 1 - tail, axis=1, method="hazen")
        else:
            result[start:stop] = _order_statistic(samples, number)
    return result


def _order_statistic(samples: NDArray[np.floating], above: int) -> NDArray[np.float64]:
    """The (n - above)-th smallest of the n samples in each row.

    It is not below a bound as long as more than `above` samples are at or over it, so only those need be searched. Any
    bound is right, and one from every 16th sample spares most of the work: zeros behind a ReLU, which are equal by the
    thousand, slow selection down some twentyfold.
    """
    result = np.empty(len(samples))
    for unit, values in enumerate(samples):
        few = values[::STRIDE]
        rank = max(0, len(few) - 1 - 2 * above // STRIDE - 8)
        largest = values[values >= np.partition(few, rank)[rank]]
        if len(largest) <= above:
            largest = values
        rank = len(largest) - above - 1
        result[unit] = np.partition(largest, rank)[rank]
    return result


def check_finite(block: NDArray[np.floating], ids: NDArray[np.str_], first_unit: int = 0) -> None:
    """Raise `UserError` naming the unit and the image of the first activation that is NaN or infinite.

    Parameters
    ----------
    block
        (n, u, h, w) activations of the images `ids` and the units from `first_unit`.
    """
    finite = np.isfinite(block)
    if finite.all():
        return
    image, unit, row, column = (int(position[0]) for position in np.nonzero(~finite))
    raise UserError(
        f"Unit {first_unit + unit} is {block[image, unit, row, column]} at row {row}, column {column} of its map of "
        f"image {str(ids[image])!r}; expected finite activations: check the model's weights and preprocessing."
    )

"""The activations of one layer, read in batches of images and laid out for products of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.store import Maps, PathLike, read_pooled
from intermodel.unit_matching.grid import Side

Rows = NDArray[np.integer]


class Activations(Protocol):
    """A layer's units over the images `ids`, at `positions` places of each image."""

    ids: NDArray[np.str_]
    attributes: dict[str, Any]

    @property
    def units(self) -> int:
        """Number of units."""
        ...

    @property
    def positions(self) -> int:
        """Number of positions."""
        ...

    def read(self, rows: Rows) -> NDArray[np.float64]:
        """Values of some images, (units, images, positions) float64, contiguous."""
        ...


class PooledActivations:
    """Pooled features: one position per image."""

    positions = 1

    def __init__(self, path: PathLike) -> None:
        pooled = read_pooled(path)
        self.ids, self.attributes, self._values = pooled.ids, pooled.attributes, pooled.values
        self._path = path

    @property
    def units(self) -> int:
        """Number of units."""
        return int(self._values.shape[1])

    def read(self, rows: Rows) -> NDArray[np.float64]:
        """Values of some images, (units, images, 1) float64."""
        values = np.ascontiguousarray(self._values[rows].T, dtype=np.float64)[:, :, None]
        check_finite(values, self.ids[rows], self._path)
        return values


class MapActivations:
    """Maps of an open file, averaged to a common grid.

    Parameters
    ----------
    maps
        The file.
    size
        Height and width of the grid.
    sides
        Weights by which maps are averaged, None where they lie on the grid already.
    which
        (N,) which of them serves each image; the first for all if omitted.
    """

    def __init__(
        self,
        maps: Maps,
        size: tuple[int, int],
        sides: Sequence[Side | None] = (None,),
        which: NDArray[np.integer] | None = None,
    ) -> None:
        self.ids, self.attributes = maps.ids, maps.attributes
        self._maps, self._size, self._sides = maps, size, sides
        self._which = np.zeros(len(maps.ids), dtype=np.intp) if which is None else which

    @property
    def units(self) -> int:
        """Number of units."""
        return self._maps.shape[1]

    @property
    def positions(self) -> int:
        """Number of cells of the grid."""
        return self._size[0] * self._size[1]

    def read(self, rows: Rows) -> NDArray[np.float64]:
        """Values of some images, (units, images, positions) float64."""
        result = np.empty((self.units, len(rows), *self._size))
        order = np.argsort(rows, kind="stable")
        wanted = rows[order]
        # Neighbouring images are read at once.
        starts = np.flatnonzero(np.diff(wanted, prepend=-2) != 1).tolist()
        for first, last in zip(starts, [*starts[1:], len(wanted)], strict=True):
            found = self._maps.images(int(wanted[first]), int(wanted[last - 1]) + 1).swapaxes(0, 1)
            which = self._which[wanted[first:last]]
            for kind in np.unique(which).tolist():
                same, side = np.flatnonzero(which == kind), self._sides[kind]
                values = found[:, same]
                result[:, order[first:last][same]] = values if side is None else side.average(values.astype(np.float64))
        flat = result.reshape(self.units, len(rows), self.positions)
        check_finite(flat, self.ids[rows], self._maps.path)
        return flat


def check_finite(values: NDArray[np.float64], ids: NDArray[np.str_] | Sequence[str], path: PathLike) -> None:
    """Raise `UserError` that names unit and image unless all values, (units, images, positions), are finite."""
    if np.isfinite(values.sum()):
        return
    unit, image, _ = (int(place[0]) for place in np.nonzero(~np.isfinite(values)))
    raise UserError(
        f"{path}: unit {unit} has the value {values[unit, image][~np.isfinite(values[unit, image])][0]} on image "
        f"{str(ids[image])!r}, expected finite numbers; delete the file and run again, and if it comes back look at "
        "the model's weights."
    )

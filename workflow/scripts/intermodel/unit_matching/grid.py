"""A common grid for the maps of two layers: means of each map over the same pieces of the image.

Both maps are averaged to the coarser grid of the two, along each side. Nothing is interpolated, so a value rests on
nothing but what the layer said about that piece of the image. (Enlarging the smaller map instead, as the paper on
Rosetta neurons does, compares details of the larger map with a smooth surface, and costs as much as the larger map.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

Box = tuple[float, float, float, float]
# What of a preprocessing decides which part of an image the network sees.
GEOMETRY = ("size", "resize", "resize_size", "crop", "crop_fraction")


@dataclass(frozen=True)
class Side:
    """How the maps of one layer are averaged: (cells, h) and (cells, w) weights; None leaves the maps as they are."""

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def average(self, maps: NDArray[np.floating]) -> NDArray[np.floating]:
        """Maps (..., h, w) as means over the cells of the grid, (..., H, W)."""
        return np.asarray(self.rows @ (maps @ self.columns.T))


def overlaps(samples: int, start: float, stop: float, cells: int, low: float, high: float) -> NDArray[np.float64]:
    """Share of each cell of a grid that each sample of a map covers, along one side.

    Parameters
    ----------
    samples, start, stop
        Length of the map, and what it covers, in any unit.
    cells, low, high
        Length of the grid, and what it covers, in the same unit, within start..stop.

    Returns
    -------
    numpy.ndarray
        (cells, samples), rows sum to 1.
    """
    edges = start + (stop - start) / samples * np.arange(samples + 1)
    cuts = low + (high - low) / cells * np.arange(cells + 1)
    covered = np.minimum(edges[None, 1:], cuts[1:, None]) - np.maximum(edges[None, :-1], cuts[:-1, None])
    weights = np.maximum(covered, 0.0)
    # What rounding makes of two edges that are equal is no overlap.
    weights[weights < 1e-9 * (high - low) / cells] = 0.0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def common_grid(
    size_a: tuple[int, int], size_b: tuple[int, int], box_a: Box | None = None, box_b: Box | None = None
) -> tuple[Side | None, Side | None]:
    """How the maps of two layers come to the same grid of (min h, min w) cells over what both networks see.

    Parameters
    ----------
    size_a, size_b
        Height and width of the maps.
    box_a, box_b
        Left, top, right and bottom of what each map covers, in pixels of the image; None where both see the same.

    Returns
    -------
    tuple
        For each layer the weights, None where its maps already are on that grid.

    Raises
    ------
    UserError
        If the two networks see no common part of the image.
    """
    first, second = box_a or (0.0, 0.0, 1.0, 1.0), box_b or (0.0, 0.0, 1.0, 1.0)
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    if left >= right or top >= bottom:
        raise UserError(
            f"The two networks see no common part of an image ({first} and {second}, left, top, right, bottom in "
            "pixels); correct the crops of their preprocessing."
        )
    height, width = min(size_a[0], size_b[0]), min(size_a[1], size_b[1])
    sides: list[Side | None] = []
    for size, box in ((size_a, first), (size_b, second)):
        if size == (height, width) and box == (left, top, right, bottom):
            sides.append(None)
            continue
        sides.append(
            Side(
                overlaps(size[0], box[1], box[3], height, top, bottom),
                overlaps(size[1], box[0], box[2], width, left, right),
            )
        )
    return sides[0], sides[1]


def same_view(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two preprocessings show the network the same part of every image."""
    return all(one.get(key) == other.get(key) for key in GEOMETRY)


def views(
    preprocessing_a: Mapping[str, Any],
    preprocessing_b: Mapping[str, Any],
    width: NDArray[np.integer],
    height: NDArray[np.integer],
) -> tuple[list[tuple[Box, Box]], NDArray[np.intp]]:
    """What two networks see of the images: left, top, right and bottom in pixels of the image.

    Parameters
    ----------
    preprocessing_a, preprocessing_b
        Records of their preprocessing.
    width, height
        (N,) pixels of the images.

    Returns
    -------
    tuple
        The two boxes for every size of image that occurs, and (N,) which of them holds for each image.
    """
    from intermodel.models.preprocessing import Preprocessing

    seen = [Preprocessing.from_dict(record) for record in (preprocessing_a, preprocessing_b)]
    sizes, which = np.unique(np.stack([width, height], axis=1), axis=0, return_inverse=True)
    found = [(seen[0].visible_box(*size), seen[1].visible_box(*size)) for size in sizes.tolist()]
    return found, which.reshape(-1)

"""In which pixels units are active on an image.

By thresholds a unit is active where its enlarged map exceeds its own, strictly. With a tail of 0.005 most cells between
neighbouring samples of most maps have no corner above the threshold and cost four comparisons.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.kernels import pixels_above
from intermodel.concepts.upsampling import Geometry, geometry, upsample

# Pixels that are held at most, of as many units of one image as that allows for: 64 MB.
BLOCK_PIXELS = 16_000_000


@dataclass(frozen=True)
class Active:
    """Active pixels of neighbouring units on one image.

    Attributes
    ----------
    image
        Position of the image in its batch.
    first
        The first of the units.
    offset
        (units + 1,) int64: the pixels of unit ``first + u`` are pixel[offset[u]:offset[u + 1]].
    pixel
        int32, counted row by row through the label map.
    """

    image: int
    first: int
    offset: NDArray[np.int64]
    pixel: NDArray[np.int32]


def above(block: NDArray[np.floating], threshold: NDArray[np.float64], grid: Geometry) -> Iterator[Active]:
    """Where enlarged maps, (n, U, h, w), exceed the thresholds, (U,).

    Takes time for every cell between samples and for every pixel of cells with a corner above the threshold: some
    ``4 * tail`` of all pixels. Memory: `BLOCK_PIXELS` beside the maps.
    """
    size, rows, columns = grid.size, grid.rows, grid.columns
    step = max(1, BLOCK_PIXELS // (size[0] * size[1]))
    for image, maps in enumerate(block):
        for first in range(0, len(maps), step):
            part = slice(first, first + step)
            yield Active(
                image,
                first,
                *pixels_above(
                    np.ascontiguousarray(maps[part]),
                    threshold[part],
                    *(rows.low, rows.high, rows.start, rows.count, rows.fraction),
                    *(columns.low, columns.high, columns.start, columns.count, columns.fraction),
                    size,
                ),
            )


def largest(block: NDArray[np.floating], grid: Geometry) -> Iterator[Active]:
    """Where each unit's enlarged map is the largest of all, (n, U, h, w); ties go to the first unit."""
    units = block.shape[1]
    for image, maps in enumerate(block):
        owner = np.full(grid.size, -1, dtype=np.intp)
        owner[grid.covered] = (maps if grid.whole and maps.shape[1:] == grid.size else upsample(maps, grid)).argmax(0)
        flat = owner.reshape(-1)
        order = np.argsort(flat, kind="stable")
        offset = np.searchsorted(flat, np.arange(units + 1), sorter=order)
        yield Active(image, 0, offset - offset[0], order[offset[0] :].astype(np.int32))


def given(masks: NDArray[np.bool_]) -> Iterator[Active]:
    """Where masks, (n, U, H, W), are true."""
    images, units = masks.shape[:2]
    for image, own in enumerate(masks.reshape(images, units, -1)):
        offset = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(own.sum(axis=1), dtype=np.int64)])
        yield Active(image, 0, offset, np.nonzero(own)[1].astype(np.int32))


def activity(
    block: NDArray[np.floating],
    threshold: NDArray[np.float64] | None,
    boxes: NDArray[np.float64] | None,
    size: tuple[int, int],
) -> Iterator[tuple[NDArray[np.intp], Geometry, Iterator[Active]]]:
    """Where units are active on the images of a batch, (n, U, h, w).

    Parameters
    ----------
    threshold, boxes
        As for `tally.tally`; the boxes of these images alone.
    size
        Height and width of the label maps.

    Yields
    ------
    members, grid, active
        Positions of images whose maps lie alike on their label maps, how they lie, and where units are active on them;
        `Active.image` counts within `members`.
    """
    for members, grid in layouts(len(block), (block.shape[2], block.shape[3]), boxes, size):
        held = block if len(members) == len(block) else block[members]
        yield members, grid, largest(held, grid) if threshold is None else above(held, threshold, grid)


def layouts(
    images: int, map_size: tuple[int, int], boxes: NDArray[np.float64] | None, size: tuple[int, int]
) -> Iterator[tuple[NDArray[np.intp], Geometry]]:
    """Images of a batch by how their maps, of `map_size`, lie on their label maps: positions, in order, and geometry.

    `boxes` and `size` are those of `activity`.
    """
    if boxes is None:
        yield np.arange(images), geometry(map_size, size)
        return
    different, group = np.unique(boxes, axis=0, return_inverse=True)
    for number, (left, top, right, bottom) in enumerate(different.tolist()):
        yield np.flatnonzero(group.reshape(-1) == number), geometry(map_size, size, (left, top, right, bottom))

"""Where units are active, as runs of pixels.

A unit is active where its enlarged map exceeds its threshold, strictly. Between two neighbouring samples of a row the
enlarged map is linear, so the active pixels of one row of one cell are a single run that starts or ends at the cell's
edge. Only cells with a corner above the threshold can hold any: with a tail of 0.005 most cells of most units are
never looked at, and what is found is counted by runs, not by pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.upsampling import Geometry

# Rows of cells that a block of maps has at most (bounds the memory; a larger block does not fit into the cache).
BLOCK_ROWS = 400_000


@dataclass(frozen=True)
class Runs:
    """Runs of active pixels, none of which crosses the end of a row.

    Attributes
    ----------
    map
        (n,) intp index of the map (one unit on one image) that each run belongs to.
    start, stop
        (n,) intp first pixel and first pixel after the run, counted row by row through the stack of label maps
        (image, y, x) of the batch.
    """

    map: NDArray[np.intp]
    start: NDArray[np.intp]
    stop: NDArray[np.intp]


def active_runs(
    maps: NDArray[np.floating],
    threshold: NDArray[np.float64],
    image: NDArray[np.intp],
    grid: Geometry,
) -> Iterator[tuple[slice, Runs]]:
    """Runs in which the enlarged maps exceed their thresholds, block by block.

    Parameters
    ----------
    maps
        (P, h, w) raw maps, one for each (image, unit) pair.
    threshold
        (P,) threshold of each map's unit.
    image
        (P,) position of each map's image in the batch.
    grid
        How the maps lie on the label maps.

    Yields
    ------
    slice, Runs
        The block of maps, and its runs; `Runs.map` counts from the start of the block.
    """
    block = max(1, BLOCK_ROWS // (grid.size[0] * max(1, len(grid.columns.low))))
    for begin in range(0, len(maps), block):
        part = slice(begin, begin + block)
        yield part, _runs(maps[part].astype(np.float64), threshold[part], image[part], grid)


def _runs(
    maps: NDArray[np.float64],
    threshold: NDArray[np.float64],
    image: NDArray[np.intp],
    grid: Geometry,
) -> Runs:
    height, width = maps.shape[1:]
    rows, columns = grid.rows, grid.columns
    # 1. Cells whose highest corner exceeds the threshold.
    ridge = np.maximum(maps[:, rows.low], maps[:, rows.high])
    highest = np.maximum(ridge[:, :, columns.low], ridge[:, :, columns.high])
    found = np.flatnonzero(highest > threshold[:, None, None])
    cell, column = np.divmod(found, len(columns.low))
    number, row = np.divmod(cell, len(rows.low))
    # 2. Both ends of each pixel row of those cells: interpolation along y.
    flat = maps.reshape(-1)
    corner = number * (height * width)
    upper, lower = corner + rows.low.take(row) * width, corner + rows.high.take(row) * width
    west, east = columns.low.take(column), columns.high.take(column)
    fraction = rows.fraction.take(row, axis=0)
    north, south = flat.take(upper + west)[:, None], flat.take(lower + west)[:, None]
    left = north + fraction * (south - north)
    north, south = flat.take(upper + east)[:, None], flat.take(lower + east)[:, None]
    right = north + fraction * (south - north)
    limit = threshold.take(number)
    # (Pixel rows beyond a cell's own are NaN here and exceed nothing.)
    found = np.flatnonzero(np.maximum(left, right) > limit[:, None])
    cell, line = np.divmod(found, fraction.shape[1])
    value = left.reshape(-1).take(found)
    rise = right.reshape(-1).take(found) - value
    limit = limit.take(cell)
    # 3. The active pixels of each such row: interpolation along x. They start or end at the cell's edge.
    across = column.take(cell)
    width = columns.count.take(across)
    weight = columns.fraction.reshape(-1)
    base = across * columns.fraction.shape[1]
    begins = weight.take(base) * rise + value > limit
    ends = weight.take(base + width - 1) * rise + value > limit
    turn = np.zeros(len(cell), dtype=np.intp)
    crossing = np.flatnonzero(begins != ends)
    low, high = np.zeros(len(crossing), dtype=np.intp), width.take(crossing) - 1
    base, rise, value, limit, first = (array.take(crossing) for array in (base, rise, value, limit, begins))
    # Bisection: the state of the first pixel holds at `low`, the other one at `high`.
    for _ in range(int(columns.count.max(initial=1) - 1).bit_length()):
        middle = (low + high) >> 1
        same = (weight.take(base + middle) * rise + value > limit) == first
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    turn[crossing] = high
    start, stop = np.where(begins, 0, turn), np.where(ends, width, turn)
    pixels, stride = grid.size[0] * grid.size[1], grid.size[1]
    corner = image.take(number) * pixels + rows.start.take(row) * stride + columns.start.take(column)
    place = corner.take(cell) + line * stride
    some = np.flatnonzero(start < stop)
    return Runs(number.take(cell.take(some)), (place + start).take(some), (place + stop).take(some))


def runs_of_masks(masks: NDArray[np.bool_]) -> Runs:
    """Runs of the true pixels of masks, (images, units, H, W); map ``i * units + u`` is unit u on image i."""
    images, units, height, width = masks.shape
    padded = np.zeros((images, units, height, width + 1), dtype=np.bool_)
    padded[..., :-1] = masks
    line = padded.reshape(-1)
    edge = np.flatnonzero(np.diff(line, prepend=False))
    begin, end = edge[0::2], edge[1::2]
    # The padding ends every run within its row; it is taken out of the positions again.
    row, column = np.divmod(begin, width + 1)
    number, y = np.divmod(row, height)
    start = (number // units) * (height * width) + y * width + column
    return Runs(number, start, start + (end - begin))


def runs_of_owners(owner: NDArray[np.integer], units: int) -> Runs:
    """Runs of equal values of index maps, (images, H, W): the unit that owns each pixel, -1 for none.

    Map ``i * units + u`` is unit u on image i.
    """
    images, height, width = owner.shape
    begins = np.ones((images, height, width), dtype=np.bool_)
    np.not_equal(owner[..., 1:], owner[..., :-1], out=begins[..., 1:])
    start = np.flatnonzero(begins)
    stop = np.append(start[1:], owner.size)
    unit = owner.reshape(-1).take(start)
    owned = unit >= 0
    number = start // (height * width) * units + unit
    return Runs(number[owned], start[owned], stop[owned])


def runs_of_box(images: int, grid: Geometry) -> Runs:
    """Every pixel that the maps cover, as runs; map i is image i."""
    down, across = grid.covered
    height, width = grid.size
    line = np.arange(down.start, down.stop) * width + across.start
    start = (np.arange(images)[:, None] * (height * width) + line).reshape(-1)
    return Runs(np.repeat(np.arange(images), len(line)), start, start + (across.stop - across.start))

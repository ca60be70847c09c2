"""The inner loops of the tally, compiled.

The order of evaluation is that of `upsampling`, and the compiler may not change it, so pixels are active here exactly
where `upsample` says so.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.compiled import compiled


@compiled
def pixels_above(
    maps: NDArray[np.floating],
    threshold: NDArray[np.float64],
    row_low: NDArray[np.intp],
    row_high: NDArray[np.intp],
    row_start: NDArray[np.intp],
    row_count: NDArray[np.intp],
    row_fraction: NDArray[np.float64],
    column_low: NDArray[np.intp],
    column_high: NDArray[np.intp],
    column_start: NDArray[np.intp],
    column_count: NDArray[np.intp],
    column_fraction: NDArray[np.float64],
    size: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Pixels in which enlarged maps, (U, h, w), exceed their thresholds, (U,); the geometry as in `Cells`.

    A cell is looked at only if one of its corners exceeds the threshold, since all its pixels lie between the corners.

    Returns
    -------
    offset, pixel
        Pixels of map u are pixel[offset[u]:offset[u + 1]], counted row by row through a label map of `size`.
    """
    units = len(maps)
    offset = np.zeros(units + 1, dtype=np.int64)
    pixel = np.empty(4 * size[0] * size[1], dtype=np.int32)
    number = 0
    for unit in range(units):
        if number + size[0] * size[1] > len(pixel):
            longer = np.empty(2 * len(pixel), dtype=np.int32)
            # (Assigning a slice would take longer to compile than all the rest.)
            for place in range(number):
                longer[place] = pixel[place]
            pixel = longer
        limit = threshold[unit]
        for row in range(len(row_low)):
            top, bottom = row_low[row], row_high[row]
            for column in range(len(column_low)):
                west, east = column_low[column], column_high[column]
                north_west, north_east = np.float64(maps[unit, top, west]), np.float64(maps[unit, top, east])
                south_west, south_east = np.float64(maps[unit, bottom, west]), np.float64(maps[unit, bottom, east])
                if max(max(north_west, north_east), max(south_west, south_east)) <= limit:
                    continue
                for line in range(row_count[row]):
                    left = north_west + row_fraction[row, line] * (south_west - north_west)
                    right = north_east + row_fraction[row, line] * (south_east - north_east)
                    if max(left, right) <= limit:
                        continue
                    rise = right - left
                    first = (row_start[row] + line) * size[1] + column_start[column]
                    for place in range(column_count[column]):
                        if left + column_fraction[column, place] * rise > limit:
                            pixel[number] = first + place
                            number += 1
        offset[unit + 1] = number
    return offset, pixel[:number]


@compiled
def count_patterns(
    offset: NDArray[np.int64], pixel: NDArray[np.int32], pattern: NDArray[np.int32], patterns: int
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]:
    """Pixels of each map in each of the `patterns` patterns of its image, void (pattern 0) left out.

    Parameters
    ----------
    offset, pixel
        As from `pixels_above`.
    pattern
        (H * W,) pattern of each pixel.

    Returns
    -------
    offset, pattern, pixels
        Map u has pixels[i] pixels in pattern[i], for i from offset[u] to offset[u + 1], each pattern at most once.
    """
    units = len(offset) - 1
    start = np.zeros(units + 1, dtype=np.int64)
    # A map meets at most as many patterns as it has pixels.
    most = 0
    for unit in range(units):
        most += min(offset[unit + 1] - offset[unit], patterns)
    met = np.empty(most, dtype=np.int32)
    amount = np.empty(most, dtype=np.int64)
    entry = np.full(patterns, -1, dtype=np.int64)
    number = 0
    for unit in range(units):
        for place in range(offset[unit], offset[unit + 1]):
            own = pattern[pixel[place]]
            if own == 0:
                continue
            if entry[own] < start[unit]:
                entry[own] = number
                met[number] = own
                amount[number] = 0
                number += 1
            amount[entry[own]] += 1
        start[unit + 1] = number
    return start, met[:number], amount[:number]


@compiled
def add_labels(
    offset: NDArray[np.int64],
    pattern: NDArray[np.int32],
    pixels: NDArray[np.int64],
    label_offset: NDArray[np.int64],
    label: NDArray[np.int32],
    area: NDArray[np.int64],
    intersection: NDArray[np.int64],
) -> None:
    """Add the pixels of patterns, as from `count_patterns`, to those of their maps and of their labels.

    Parameters
    ----------
    label_offset, label
        The labels of pattern p are label[label_offset[p]:label_offset[p + 1]].
    area, intersection
        (U,) and (U, L), changed.
    """
    for unit in range(len(offset) - 1):
        for entry in range(offset[unit], offset[unit + 1]):
            own = pattern[entry]
            area[unit] += pixels[entry]
            for place in range(label_offset[own], label_offset[own + 1]):
                intersection[unit, label[place]] += pixels[entry]


@compiled
def add_pairs(
    pixels: NDArray[np.int64],
    part: NDArray[np.intp],
    label_offset: NDArray[np.int64],
    label: NDArray[np.int32],
    row: NDArray[np.int32],
    total: NDArray[np.int64],
) -> None:
    """Add the pixels of patterns that carry two labels to each label that they carry.

    Parameters
    ----------
    pixels, part
        (R,) pixels of each pattern, and the part of the images that it belongs to.
    label_offset, label
        As for `add_labels`, ascending within a pattern.
    row
        (L, L) row of the pair of a label and one that is not smaller; below 0 for pairs that are not counted.
    total
        (parts, rows, L), changed.
    """
    for own in range(len(pixels)):
        if pixels[own] == 0:
            continue
        start, stop = label_offset[own], label_offset[own + 1]
        for first in range(start, stop):
            for second in range(first, stop):
                place = row[label[first], label[second]]
                if place >= 0:
                    for each in range(start, stop):
                        total[part[own], place, label[each]] += pixels[own]


@compiled
def add_formulas(
    offset: NDArray[np.int64],
    pattern: NDArray[np.int32],
    pixels: NDArray[np.int64],
    label_offset: NDArray[np.int64],
    label: NDArray[np.int32],
    formula_offset: NDArray[np.int64],
    formula: NDArray[np.int32],
    total: NDArray[np.int64],
) -> None:
    """Add the pixels of maps that satisfy formulas of their own to each label that these pixels carry.

    Parameters
    ----------
    offset, pattern, pixels
        As from `count_patterns`.
    label_offset, label
        As for `add_labels`.
    formula_offset, formula
        Formulas of map u are formula[formula_offset[u]:formula_offset[u + 1]]; each is a first label, a second, and
        the place of the operator between them among AND, OR, AND NOT.
    total
        (formulas, L), changed.
    """
    seen = np.full(total.shape[1], -1, dtype=np.int64)
    for unit in range(len(offset) - 1):
        if formula_offset[unit] == formula_offset[unit + 1]:
            continue
        for entry in range(offset[unit], offset[unit + 1]):
            start, stop = label_offset[pattern[entry]], label_offset[pattern[entry] + 1]
            for place in range(start, stop):
                seen[label[place]] = entry
            for row in range(formula_offset[unit], formula_offset[unit + 1]):
                first, second = seen[formula[row, 0]] == entry, seen[formula[row, 1]] == entry
                if formula[row, 2] == 0:
                    holds = first and second
                elif formula[row, 2] == 1:
                    holds = first or second
                else:
                    holds = first and not second
                if holds:
                    for place in range(start, stop):
                        total[row, label[place]] += pixels[entry]


@compiled
def keep_above(
    block: NDArray[np.float32], bound: NDArray[np.float32], kept: NDArray[np.float32], count: NDArray[np.int64]
) -> None:
    """Append the values of maps, (n, U, positions), that exceed the bound of their unit to what is kept of it.

    Parameters
    ----------
    kept, count
        (U, room) values and (U,) how many of them are there; changed. There must be room for n * positions more.
    """
    for image in range(block.shape[0]):
        for unit in range(block.shape[1]):
            number, limit = count[unit], bound[unit]
            for place in range(block.shape[2]):
                if block[image, unit, place] > limit:
                    kept[unit, number] = block[image, unit, place]
                    number += 1
            count[unit] = number

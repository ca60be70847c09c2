"""Active pixels of units by the sets of labels that these pixels carry."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.activity import Runs
from intermodel.concepts.counter import Activity
from intermodel.concepts.label_sets import LabelSets
from intermodel.concepts.patterns import Patterns, ranges
from intermodel.concepts.tally import BATCH_PIXELS, BATCH_VALUES, ImageMaps, _exceeding, _geometries, _largest


@dataclass(frozen=True)
class ActiveSets:
    """For each of U units the sets of labels that its active pixels carry; 16 bytes per entry.

    Attributes
    ----------
    offset
        (U + 1,) entries of unit u are offset[u] to offset[u + 1].
    number
        Number of the set, ascending within a unit.
    pixels
        (parts, entries) active pixels in each part of the images.
    """

    offset: NDArray[np.int64]
    number: NDArray[np.intp]
    pixels: NDArray[np.int64]

    def of(self, unit: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """Sets of one unit, (k,), and its active pixels in them, (parts, k)."""
        part = slice(self.offset[unit], self.offset[unit + 1])
        return self.number[part], self.pixels[:, part]


def active_sets(
    maps: ImageMaps,
    patterns: Patterns,
    sets: LabelSets,
    threshold: NDArray[np.float64] | None,
    part: NDArray[np.integer],
    boxes: NDArray[np.float64] | None = None,
) -> ActiveSets:
    """Count the active pixels of all units by sets of labels, in one pass over the maps.

    Parameters
    ----------
    maps, patterns, threshold, boxes
        As for `tally.tally`.
    sets
        The different sets of labels of these patterns.
    part
        (N,) number of the part that each image belongs to, from 0; parts are counted apart.
    """
    images, units, height, width = maps.shape
    pixels = patterns.size[0] * patterns.size[1]
    per_image = units * (pixels if threshold is None else height * width)
    batch = max(1, min(BATCH_VALUES // per_image, BATCH_PIXELS // pixels))
    parts = int(part.max(initial=0)) + 1
    keys, amounts = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for start in range(0, images, batch):
        rows = np.arange(start, min(images, start + batch))
        held = patterns.take(rows)
        pattern = np.repeat(held.run_pattern, held.run_length)
        numbers = np.diff(held.pattern_offset)
        for image, unit, runs in _activities(maps, rows, threshold, boxes, patterns.size):
            # Pixels of each map in each pattern of its image, one map after the other.
            many = numbers[image]
            base = np.cumsum(many) - many
            length = runs.stop - runs.start
            place = np.repeat(base[runs.map], length) + pattern[ranges(runs.start, length)]
            counts = np.bincount(place, minlength=int(many.sum()))
            found = np.flatnonzero(counts)
            one = np.repeat(np.arange(len(image)), many)[found]
            row = start + image[one]
            number = sets.of_pattern[patterns.pattern_offset[row] + found - base[one]]
            key = (unit[one] * len(sets) + number) * parts + part[row]
            # Void pixels belong to no set.
            keys.append(key[number >= 0])
            amounts.append(counts[found][number >= 0])
    key, which = np.unique(np.concatenate(keys), return_inverse=True)
    # Sums of whole numbers below 2^53 are exact.
    amount = np.bincount(which.reshape(-1), weights=np.concatenate(amounts), minlength=len(key))
    place, begins = np.unique(key // parts, return_inverse=True)
    count = np.zeros((parts, len(place)), dtype=np.int64)
    count[key % parts, begins.reshape(-1)] = np.rint(amount)
    offset = np.searchsorted(place, np.arange(units + 1) * len(sets))
    return ActiveSets(offset, place % max(len(sets), 1), count)


def _activities(
    maps: ImageMaps,
    rows: NDArray[np.intp],
    threshold: NDArray[np.float64] | None,
    boxes: NDArray[np.float64] | None,
    size: tuple[int, int],
) -> Iterator[Activity]:
    """Where units are active on some images, as in `tally.tally`; images count from the first of them."""
    block = maps.images(int(rows[0]), int(rows[-1]) + 1)
    peak = block.reshape(*block.shape[:2], -1).max(axis=2)
    for members, grid in _geometries(None if boxes is None else boxes[rows], block, size):
        if threshold is None:
            found = _largest(block[members], grid)
        else:
            found = _exceeding(block[members], peak[members], threshold, grid)
        for image, unit, runs in found:
            # Runs lie in the stack of the members, images in that of the batch.
            shift = (members - np.arange(len(members)))[image[runs.map]] * (size[0] * size[1])
            yield members[image], unit, Runs(runs.map, runs.start + shift, runs.stop + shift)

"""Active pixels of units by the sets of labels that these pixels carry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.activity import activity
from intermodel.concepts.kernels import count_patterns
from intermodel.concepts.label_sets import LabelSets
from intermodel.concepts.patterns import Patterns
from intermodel.concepts.tally import ImageMaps, images_held


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
    images, units = maps.shape[:2]
    batch = images_held(maps.shape, patterns.size)
    parts = int(part.max(initial=0)) + 1
    keys, amounts = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for start in range(0, images, batch):
        rows = np.arange(start, min(images, start + batch))
        block = maps.images(start, start + len(rows))
        drawn = patterns.take(rows).drawn()
        for members, _, found in activity(block, threshold, None if boxes is None else boxes[rows], patterns.size):
            for active in found:
                place = members[active.image]
                first, stop = patterns.pattern_offset[start + place : start + place + 2]
                offset, pattern, pixels = count_patterns(active.offset, active.pixel, drawn[place], stop - first)
                unit = active.first + np.repeat(np.arange(len(offset) - 1), np.diff(offset))
                number = sets.of_pattern[first + pattern]
                keys.append((unit * len(sets) + number) * parts + part[start + place])
                amounts.append(pixels)
    key, which = np.unique(np.concatenate(keys), return_inverse=True)
    # Sums of whole numbers below 2^53 are exact.
    amount = np.bincount(which.reshape(-1), weights=np.concatenate(amounts), minlength=len(key))
    place, begins = np.unique(key // parts, return_inverse=True)
    count = np.zeros((parts, len(place)), dtype=np.int64)
    count[key % parts, begins.reshape(-1)] = np.rint(amount)
    offset = np.searchsorted(place, np.arange(units + 1) * len(sets))
    return ActiveSets(offset, place % max(len(sets), 1), count)

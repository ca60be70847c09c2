"""The different sets of labels that pixels of a data set carry, and how many pixels carry each.

What holds of a pixel by its labels alone (a label, a formula of labels) holds of all pixels with the same set of
labels. Counting pixels by such sets therefore serves every formula at once, and sets are few beside pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.patterns import Patterns, ranges
from intermodel.concepts.upsampling import geometry

# Label maps held at a time, in pixels.
BATCH_PIXELS = 2_000_000


@dataclass(frozen=True)
class LabelSets:
    """D different sets of labels and the patterns that carry them.

    Attributes
    ----------
    labels
        L, the number of labels.
    of_pattern
        (R,) intp number of the set of each pattern, counted through all images; -1 for void.
    offset, label
        The labels of set d are label[offset[d] : offset[d + 1]], ascending.
    """

    labels: int
    of_pattern: NDArray[np.intp]
    offset: NDArray[np.int64]
    label: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.offset) - 1

    @cached_property
    def holding(self) -> list[NDArray[np.intp]]:
        """For each label the sets that hold it, ascending."""
        order = np.argsort(self.label, kind="stable")
        number = np.repeat(np.arange(len(self)), np.diff(self.offset))
        return np.split(number[order], np.cumsum(np.bincount(self.label, minlength=self.labels))[:-1])

    def count(self, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Pixels that carry each set, (D,), from the pixels of each pattern, (R,)."""
        known = self.of_pattern >= 0
        # Sums of whole numbers below 2^53 are exact.
        total = np.bincount(self.of_pattern[known], weights=pixels[known], minlength=len(self))
        return np.asarray(np.rint(total), dtype=np.int64)


def label_sets(patterns: Patterns) -> LabelSets:
    """Find the different sets of labels among the patterns of a data set."""
    offset, label = patterns.label_offset, np.asarray(patterns.label[...], dtype=np.intp)
    many = np.diff(offset)
    seed = 0
    while True:
        # Every label gets a random number, every set the sum of those of its labels.
        number = np.random.default_rng(seed).integers(0, 2**63, len(patterns.vocabulary), dtype=np.uint64)
        sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(number[label], dtype=np.uint64)])
        _, first, which = np.unique(sums[offset[1:]] - sums[offset[:-1]], return_index=True, return_inverse=True)
        which = which.reshape(-1)
        # Equal sums of different sets are next to impossible, and are looked for all the same.
        same = many[first[which]] == many
        if same.all() and np.array_equal(label, label[ranges(offset[first[which]], many)]):
            break
        seed += 1
    of_pattern = which.astype(np.intp)
    of_pattern[patterns.pattern_offset[:-1]] = -1
    begin, length = offset[first], many[first]
    return LabelSets(
        len(patterns.vocabulary),
        of_pattern,
        np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(length)]),
        label[ranges(begin, length)],
    )


def pattern_pixels(patterns: Patterns, boxes: NDArray[np.float64] | None = None) -> NDArray[np.int64]:
    """Pixels that count of each pattern, (R,): all of the image, or those in the part that the network saw.

    Parameters
    ----------
    patterns
        Label maps of N images.
    boxes
        (N, 4) left, top, right, bottom of that part in pixels of the label map, as for `tally.tally`.

    Returns
    -------
    array
        int64, 0 for void.
    """
    result = np.zeros(len(patterns.label_offset) - 1, dtype=np.int64)
    height, width = patterns.size
    batch = max(1, BATCH_PIXELS // (height * width))
    for start in range(0, len(patterns), batch):
        rows = np.arange(start, min(len(patterns), start + batch))
        part = patterns.take(rows)
        image = np.repeat(np.arange(len(rows)), np.diff(part.run_offset))
        pattern = part.run_pattern + part.pattern_offset[image]
        if boxes is None:
            pixels = np.bincount(pattern, weights=part.run_length, minlength=len(part.label_offset) - 1)
        else:
            drawn = np.repeat(pattern, part.run_length).reshape(len(rows), height, width)
            seen = [
                each[geometry((1, 1), patterns.size, tuple(box)).covered].reshape(-1)
                for each, box in zip(drawn, boxes[rows].tolist(), strict=True)
            ]
            pixels = np.bincount(np.concatenate(seen), minlength=len(part.label_offset) - 1)
        pixels[part.pattern_offset[:-1]] = 0
        first = patterns.pattern_offset[start]
        result[first : first + len(pixels)] = np.rint(pixels).astype(np.int64)
    return result


def presence(patterns: Patterns, boxes: NDArray[np.float64] | None = None) -> NDArray[np.bool_]:
    """Whether any pixel that counts of each image carries each label, (N, L)."""
    seen = np.repeat(pattern_pixels(patterns, boxes) > 0, np.diff(patterns.label_offset))
    image = np.repeat(np.arange(len(patterns)), np.diff(patterns.pattern_offset))
    image = np.repeat(image, np.diff(patterns.label_offset))
    result = np.zeros((len(patterns), len(patterns.vocabulary)), dtype=np.bool_)
    result[image[seen], np.asarray(patterns.label[...], dtype=np.intp)[seen]] = True
    return result

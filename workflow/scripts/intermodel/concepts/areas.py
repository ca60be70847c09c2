"""How many pixels of each image carry which labels, label maps taken batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.patterns import Patterns
from intermodel.concepts.upsampling import geometry

# Label maps held at a time, in pixels.
BATCH_PIXELS = 2_000_000


def batches(patterns: Patterns) -> Iterator[tuple[NDArray[np.intp], Patterns]]:
    """Rows of neighbouring images and their label maps in memory."""
    batch = max(1, BATCH_PIXELS // (patterns.size[0] * patterns.size[1]))
    for start in range(0, len(patterns), batch):
        rows = np.arange(start, min(len(patterns), start + batch))
        yield rows, patterns.take(rows)


def pattern_pixels(patterns: Patterns, boxes: NDArray[np.float64] | None = None) -> NDArray[np.int64]:
    """Pixels that count of each pattern, (R,): all of the image, or those in the part that the network saw.

    Parameters
    ----------
    patterns
        Label maps of n images, in memory.
    boxes
        (n, 4) left, top, right, bottom of that part in pixels of the label map, as for `tally.tally`.

    Returns
    -------
    array
        int64, 0 for void.
    """
    images = len(patterns)
    number = patterns.run_pattern + np.repeat(patterns.pattern_offset[:-1], np.diff(patterns.run_offset))
    if boxes is None:
        pixels = np.bincount(number, weights=patterns.run_length, minlength=len(patterns.label_count))
    else:
        drawn = np.repeat(number, patterns.run_length).reshape(images, *patterns.size)
        seen = [
            each[geometry((1, 1), patterns.size, tuple(box)).covered].reshape(-1)
            for each, box in zip(drawn, boxes.tolist(), strict=True)
        ]
        pixels = np.bincount(np.concatenate(seen), minlength=len(patterns.label_count))
    pixels[patterns.pattern_offset[:-1]] = 0
    # Sums of whole numbers below 2^53 are exact.
    return np.asarray(np.rint(pixels), dtype=np.int64)


def presence(patterns: Patterns, boxes: NDArray[np.float64] | None = None) -> NDArray[np.bool_]:
    """Whether any pixel that counts of each image carries each label, (N, L); `boxes` as for `tally.tally`."""
    result = np.zeros((len(patterns), len(patterns.vocabulary)), dtype=np.bool_)
    for rows, taken in batches(patterns):
        seen = np.repeat(pattern_pixels(taken, None if boxes is None else boxes[rows]) > 0, taken.label_count)
        image = np.repeat(np.repeat(rows, np.diff(taken.pattern_offset)), taken.label_count)
        result[image[seen], np.asarray(taken.label, dtype=np.intp)[seen]] = True
    return result

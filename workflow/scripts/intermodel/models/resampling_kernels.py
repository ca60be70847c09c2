"""The inner loops of resampling, compiled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.compiled import compiled

# Weights are whole multiples of 2^-BITS.
BITS = 22
# Pixels along a side of the blocks in which an image is turned: both sides of a block stay in the nearest cache.
BLOCK = 32


@compiled
def turn(image: NDArray[np.uint8], turned: NDArray[np.uint8]) -> None:
    """Write an image, (h, w, 3), with rows and columns exchanged, (w, h, 3)."""
    height, width = image.shape[:2]
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            for column in range(left, min(width, left + BLOCK)):
                for row in range(top, min(height, top + BLOCK)):
                    turned[column, row, 0] = image[row, column, 0]
                    turned[column, row, 1] = image[row, column, 1]
                    turned[column, row, 2] = image[row, column, 2]


@compiled
def mix_rows(
    rows: NDArray[np.uint8],
    first: NDArray[np.int32],
    count: NDArray[np.int32],
    weight: NDArray[np.int32],
    mixed: NDArray[np.uint8],
) -> None:
    """Weighted sums of neighbouring rows, rounded to the nearest of 0..255.

    Parameters
    ----------
    rows
        (R, W).
    first, count, weight
        Row i of the result is made of the rows first[i], ..., first[i] + count[i] - 1 with the weights
        weight[i, :count[i]], (n, K).
    mixed
        (n, W), written.
    """
    width = rows.shape[1]
    total = np.empty(width, np.int32)
    for row in range(len(mixed)):
        total[:] = 1 << (BITS - 1)
        for place in range(count[row]):
            share, source = weight[row, place], rows[first[row] + place]
            for column in range(width):
                total[column] += share * source[column]
        for column in range(width):
            mixed[row, column] = min(max(total[column] >> BITS, 0), 255)

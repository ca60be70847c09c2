"""Resizing and cropping of 8-bit images, with the numbers of Pillow.

Pillow resizes whole images, and in plain C. Where it takes rows and columns in a known order, code of our own makes
only the part that the crop keeps, with vector instructions, in a fifth of the time and equal in every bit; anything
else is left to Pillow.

Source: the definition of antialiased resampling. Along each side a pixel of the result is the mean of the pixels below
a filter that is widened by the reduction; weights are rounded to whole multiples of 2^-22, and sums to 8 bits after
each side, columns first.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "nearest": Image.Resampling.NEAREST,
}


def resize_and_crop(
    image: NDArray[np.uint8],
    new_size: tuple[int, int],
    corner: tuple[int, int],
    size: tuple[int, int],
    interpolation: str,
    compiled: bool = False,
) -> NDArray[np.uint8]:
    """A part of a resized image.

    Parameters
    ----------
    image
        (H, W, 3) uint8.
    new_size
        Height and width after resizing.
    corner, size
        Top and left of the part that is wanted, its height and width.
    interpolation
        ``"bicubic"``, ``"bilinear"`` (both antialiased) or ``"nearest"``.
    compiled
        Whether compiled code may do it: the same numbers, some 2.5 ms an image of 500x375 pixels faster, after half a
        second for importing the compiler.

    Returns
    -------
    ndarray
        (*size, 3) uint8.
    """
    (top, left), (height, width) = corner, size
    if new_size != image.shape[:2]:
        if compiled and _columns_first(image.shape[:2], new_size) and _equals_pillow(interpolation):
            return _resample(image, new_size, corner, size, interpolation)
        resized = Image.fromarray(image).resize(new_size[::-1], FILTERS[interpolation])
        image = np.asarray(resized)
    return image[top : top + height, left : left + width]


def _columns_first(old: tuple[int, ...], new: tuple[int, int]) -> bool:
    """Whether Pillow is known to take the columns first: any version where both sides change alike.

    From version 13 on it takes the rows of images first that are more than twice as high as wide, or so to be after
    sides that change differently; the bound keeps away from where roundings decide.
    """
    (height, width), (new_height, new_width) = old, new
    alike = abs(new_height * width - new_width * height) < max(height, width)
    return alike and 10 * height <= 19 * width


@lru_cache(len(FILTERS))
def _equals_pillow(interpolation: str) -> bool:
    """Whether this machine's Pillow gives these numbers: there are faster, less exact builds of it."""
    if interpolation == "nearest":
        return False
    noise = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(noise).resize((38, 28), FILTERS[interpolation]))
    return bool((_resample(noise, (28, 38), (0, 0), (28, 38), interpolation) == expected).all())


def _resample(
    image: NDArray[np.uint8],
    new_size: tuple[int, int],
    corner: tuple[int, int],
    size: tuple[int, int],
    interpolation: str,
) -> NDArray[np.uint8]:
    from intermodel.models.resampling_kernels import mix_rows, turn  # which imports the compiler

    (height, width), (old_height, old_width) = size, image.shape[:2]
    first, count, weight = _weights(old_height, new_size[0], corner[0], height, interpolation)
    begin, end = int(first[0]), int(first[-1] + count[-1])
    turned = np.empty((old_width, end - begin, 3), np.uint8)
    turn(np.ascontiguousarray(image[begin:end]), turned)
    narrow = np.empty((width, end - begin, 3), np.uint8)
    columns = _weights(old_width, new_size[1], corner[1], width, interpolation)
    mix_rows(turned.reshape(old_width, -1), *columns, narrow.reshape(width, -1))
    upright = np.empty((end - begin, width, 3), np.uint8)
    turn(narrow, upright)
    result = np.empty((height, width, 3), np.uint8)
    mix_rows(upright.reshape(end - begin, -1), first - np.int32(begin), count, weight, result.reshape(height, -1))
    return result


@lru_cache(1024)
def _weights(
    old: int, new: int, start: int, length: int, interpolation: str
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """First pixel, number of pixels and their weights for pixels start..start+length-1 of a side of `new` pixels."""
    from intermodel.models.resampling_kernels import BITS

    reach, weigh = (2.0, _cubic) if interpolation == "bicubic" else (1.0, _triangle)
    scale = old / new
    stretch = max(scale, 1.0)
    centre = (np.arange(start, start + length) + 0.5) * scale
    # Truncated, not rounded down, as all whole numbers here.
    first = np.maximum((centre - reach * stretch + 0.5).astype(np.int32), 0)
    count = np.minimum((centre + reach * stretch + 0.5).astype(np.int32), old) - first
    place = np.arange(count.max())
    weight = weigh((place + first[:, None] - centre[:, None] + 0.5) * (1.0 / stretch))
    weight[place >= count[:, None]] = 0.0
    weight /= np.add.accumulate(weight, axis=1)[:, -1:]  # summed in this order
    return first, count, (weight * (1 << BITS) + np.copysign(0.5, weight)).astype(np.int32)


def _cubic(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' cubic convolution with a = -1/2."""
    x = abs(distance)
    near, far = (1.5 * x - 2.5) * x * x + 1, (((x - 5) * x + 8) * x - 4) * -0.5
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _triangle(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(1 - abs(distance), 0.0)

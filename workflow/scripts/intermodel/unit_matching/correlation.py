"""Correlations between all units of two layers over images and positions, from sums that can leave out a fold.

Activations are shifted by their mean over the first batch before they are summed. If that batch holds a share f of the
images, the squared mean of what is left is at most (1 - f) / f times its variance, so that subtracting the products of
the means costs at most as many digits: some five for 64 of ten million images, of the sixteen of float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from intermodel.unit_matching.activations import Activations

Floats = NDArray[np.float64]

# Bytes of the activations of both layers that are held at a time.
BATCH_BYTES = 128 * 2**20
# Images that are read together; batches are made of such blocks from all over the data set, in random order, so that
# the images of a batch are no more alike than any others (folders are often sorted by class).
BLOCK = 16
# A variance below these shares of the mean square about the shift, and of the shift's own square, is rounding.
ROUNDING, ROUNDING_OF_SHIFT = 1e-12, 1e-28


@dataclass(frozen=True)
class Sums:
    """Sums over images and positions of shifted activations x of one layer and y of the other.

    Attributes
    ----------
    count
        (...) values of each unit.
    x, xx
        (..., A) sums and sums of squares.
    y, yy
        (..., B) the same for the other layer.
    xy
        (..., A, B) sums of products.
    """

    count: Floats
    x: Floats
    xx: Floats
    y: Floats
    yy: Floats
    xy: Floats

    @classmethod
    def zeros(cls, leading: int, units_a: int, units_b: int) -> Sums:
        """Sums over nothing, with one leading axis."""
        shapes = [(), (units_a,), (units_a,), (units_b,), (units_b,), (units_a, units_b)]
        return cls(*(np.zeros((leading, *shape)) for shape in shapes))

    def total(self, without: int | None = None) -> Sums:
        """Sums over the leading axis, perhaps without one of its entries.

        Added up anew rather than subtracted: a unit that is silent elsewhere must stay silent to the last digit.
        """
        kept = np.arange(len(self.count)) != (-1 if without is None else without)
        arrays = (self.count, self.x, self.xx, self.y, self.yy, self.xy)
        return Sums(*(np.einsum("f,f...->...", kept.astype(np.float64), array) for array in arrays))


@dataclass(frozen=True)
class Accumulated:
    """What one pass over two layers gives.

    Attributes
    ----------
    shift_a, shift_b
        (A,) and (B,) constants subtracted from the activations.
    folds
        Sums of each fold of images.
    fold_images
        (folds,) images.
    shuffled
        For each shuffle, sums over the same images wrongly paired; x, xx, y, yy are those of the right pairing.
    place_a, place_b
        (A, P) and (B, P) means over images at each position, shifted.
    """

    shift_a: Floats
    shift_b: Floats
    folds: Sums
    fold_images: NDArray[np.int64]
    shuffled: Floats
    place_a: Floats
    place_b: Floats


def accumulate(
    a: Activations,
    b: Activations,
    rows_a: NDArray[np.intp],
    rows_b: NDArray[np.intp],
    fold: NDArray[np.integer],
    folds: int,
    shuffles: int = 1,
    seed: int = 0,
    batch_bytes: int = BATCH_BYTES,
) -> Accumulated:
    """Sums over all images in one pass.

    Parameters
    ----------
    a, b
        The two layers, on the same positions.
    rows_a, rows_b
        (N,) rows of the same images in each.
    fold, folds
        (N,) fold of each image, and their number.
    shuffles
        Wrong pairings per batch: image i of a with another image of b, drawn at random.
    seed
        Of the order of the images, and so of the wrong pairings.
    batch_bytes
        Bytes of activations held at a time; does not change the result but for rounding and the wrong pairings.
    """
    generator = np.random.default_rng(seed)
    per_image = 8 * (a.units + b.units) * a.positions
    batch = max(2 * BLOCK, batch_bytes // per_image)
    sums = Sums.zeros(folds, a.units, b.units)
    shuffled = np.zeros((shuffles, a.units, b.units))
    place_a, place_b = np.zeros((a.units, a.positions)), np.zeros((b.units, b.positions))
    shift_a = shift_b = None
    for chosen in _batches(len(rows_a), int(batch), generator):
        # Within a batch images lie fold by fold, which a hash has mixed.
        chosen = chosen[np.lexsort((generator.random(len(chosen)), fold[chosen]))]
        x, y = a.read(rows_a[chosen]), b.read(rows_b[chosen])
        if shift_a is None or shift_b is None:
            shift_a, shift_b = x.mean(axis=(1, 2)), y.mean(axis=(1, 2))
        x -= shift_a[:, None, None]
        y -= shift_b[:, None, None]
        place_a += x.sum(axis=1)
        place_b += y.sum(axis=1)
        ends = np.searchsorted(fold[chosen], np.arange(folds + 1))
        for number, (start, stop) in enumerate(pairwise(ends.tolist())):
            if start < stop:
                _add(sums, number, x[:, start:stop], y[:, start:stop])
        for number in range(shuffles):
            shift = int(generator.integers(1, len(chosen))) if len(chosen) > 1 else 0
            # The images of one layer moved on by `shift` places, without copying them.
            shuffled[number] += _product(x[:, shift:], y[:, : len(chosen) - shift])
            shuffled[number] += _product(x[:, :shift], y[:, len(chosen) - shift :])
    if shift_a is None or shift_b is None:
        raise ValueError("there is no image")
    images = np.bincount(fold, minlength=folds)
    return Accumulated(shift_a, shift_b, sums, images, shuffled, place_a / len(rows_a), place_b / len(rows_b))


def _batches(images: int, batch: int, generator: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Positions of images, batch by batch; no batch holds a single image unless there is only one."""
    blocks = np.array_split(np.arange(images), -(-images // BLOCK))
    order: Sequence[int] = generator.permutation(len(blocks)).tolist()
    rows = np.concatenate([blocks[block] for block in order])
    yield from np.array_split(rows, -(-images // batch))


def _product(x: Floats, y: Floats) -> Floats:
    return np.asarray(x.reshape(len(x), -1) @ y.reshape(len(y), -1).T)


def _add(sums: Sums, fold: int, x: Floats, y: Floats) -> None:
    sums.count[fold] += x.shape[1] * x.shape[2]
    for values, first, second in ((x, sums.x, sums.xx), (y, sums.y, sums.yy)):
        first[fold] += values.sum(axis=(1, 2))
        second[fold] += np.einsum("uip,uip->u", values, values)
    sums.xy[fold] += _product(x, y)


def correlations(sums: Sums, shift_a: Floats, shift_b: Floats, products: Floats | None = None) -> Floats:
    """Pearson correlation of all units of one layer with all of the other, NaN where a unit is constant.

    Parameters
    ----------
    sums
        Sums without a leading axis.
    shift_a, shift_b
        What was subtracted from the activations.
    products
        (A, B) sums of products to use in place of `sums.xy`, e.g. of a wrong pairing.

    Returns
    -------
    numpy.ndarray
        (A, B) float64 in [-1, 1].
    """
    x, y = sums.x / sums.count, sums.y / sums.count
    covariance = (sums.xy if products is None else products) / sums.count - np.outer(x, y)
    return normalised(covariance, *deviations(sums, shift_a, shift_b))


def deviations(sums: Sums, shift_a: Floats, shift_b: Floats) -> tuple[Floats, Floats]:
    """Standard deviations of the units of both layers, (A,) and (B,), NaN for constant units."""
    found = []
    for first, second, shift in ((sums.x, sums.xx, shift_a), (sums.y, sums.yy, shift_b)):
        mean_square = second / sums.count
        variance = mean_square - (first / sums.count) ** 2
        varies = variance > np.maximum(ROUNDING * mean_square, ROUNDING_OF_SHIFT * shift**2)
        found.append(np.sqrt(np.where(varies, variance, np.nan)))
    return found[0], found[1]


def normalised(covariance: Floats, deviation_a: Floats, deviation_b: Floats) -> Floats:
    """Correlations from covariances, (A, B), and standard deviations, (A,) and (B,)."""
    return np.clip(covariance / np.outer(deviation_a, deviation_b), -1.0, 1.0)


def by_position(found: Accumulated) -> Floats:
    """The correlations that position alone brings, (A, B): their exact mean over all pairings of the images."""
    total = found.folds.total()
    x, y = total.x / total.count, total.y / total.count
    covariance = found.place_a @ found.place_b.T / found.place_a.shape[1] - np.outer(x, y)
    return normalised(covariance, *deviations(total, found.shift_a, found.shift_b))

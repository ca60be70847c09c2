"""Mutual nearest neighbours: do two representations place the same images next to each other?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.store import Rows

Indices = NDArray[np.int32]

# Similarities closer than this count as equal: rounding of the products must not decide who is a neighbour.
TIE = 1e-12
# Similarities held at a time, and values of the features on either side of them.
MOST_SIMILARITIES = 1 << 21
MOST_VALUES = 1 << 22
# A similarity in units of TIE and the number of an image share 63 bits.
IMAGE_BITS = 22


@dataclass(frozen=True)
class Neighbours:
    """The k nearest other images of every image.

    Attributes
    ----------
    index
        Rows of the neighbours, nearest first, (N, k) int32.
    tied
        Share of images whose k-th neighbour is as near as the next one, so that the row order decided.
    """

    index: Indices
    tied: float

    def rows(self, order: NDArray[np.intp]) -> Neighbours:
        """The same neighbours after the images are put into another order (a permutation of all N)."""
        position = np.empty(len(order), dtype=np.int32)
        position[order] = np.arange(len(order), dtype=np.int32)
        return Neighbours(position[self.index[order]], self.tied)


def nearest_neighbours(values: Rows, k: int, block: int | None = None) -> Neighbours:
    """The k most similar other images by the cosine of uncentred features, ties to the lower row number.

    Parameters
    ----------
    values
        Features, (N, D), finite: an array, or anything else that is read in ranges of rows.
    k
        Number of neighbours, 1 <= k <= N - 1.
    block
        Images compared with as many others at a time; by default as many as keep memory small.

    Raises
    ------
    UserError
        If k does not fit, there are more than 4 million images, or a row is zero (its cosine is undefined).

    Notes
    -----
    Costs 2 N^2 D operations in float64 and reads the features N / block times. Beside the result, 4 N k bytes, it holds
    the features of two blocks in float64.
    """
    images, units = values.shape
    if not 1 <= k < images:
        raise UserError(f"{k} neighbours were asked for among {images} images, expected 1 to {images - 1}.")
    if images >> IMAGE_BITS:
        raise UserError(
            f"Neighbours were asked for among {images} images, expected at most {(1 << IMAGE_BITS) - 1}; set "
            "analyses.similarity.images to use fewer."
        )
    block = block or max(1, min(int(MOST_SIMILARITIES**0.5), MOST_VALUES // units))
    # The one after the last neighbour is wanted, too: whether it is as near.
    wanted = min(k + 1, images - 1)
    index = np.empty((images, k), dtype=np.int32)
    tied = 0
    for start in range(0, images, block):
        own = _unit_rows(values, start, block)
        best = np.empty((len(own), 0), dtype=np.int64)
        for other in range(0, images, block):
            # Rows of zeros show in the first round, before any result.
            similarity = own @ _unit_rows(values, other, block).T
            if other == start:
                np.fill_diagonal(similarity, -2.0)
            best = np.concatenate([best, _ranked(similarity, other, best, wanted)], axis=1)
            if best.shape[1] > wanted:
                best = np.partition(best, best.shape[1] - wanted, axis=1)[:, -wanted:]
        best = -np.sort(-best, axis=1)
        index[start : start + len(own)] = _image(best[:, :k])
        if wanted > k:
            nearness = best >> IMAGE_BITS
            tied += int((nearness[:, k - 1] == nearness[:, k]).sum())
    return Neighbours(index, tied / images)


def _unit_rows(values: Rows, start: int, count: int) -> NDArray[np.float64]:
    """Some rows scaled to length 1."""
    rows = np.asarray(values[start : start + count], dtype=np.float64)
    # Divided by the largest entry first, so that tiny features do not vanish when squared.
    rows = rows / np.maximum(np.abs(rows).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    length = np.sqrt(np.einsum("nd,nd->n", rows, rows))
    if not length.all():
        raise UserError(
            f"Some images have features that are all zero, the first in row {start + int(np.argmin(length))}; their "
            "cosine similarity is undefined: use another layer or measure."
        )
    return np.asarray(rows / length[:, None])


def _ranked(similarity: NDArray[np.float64], first: int, best: NDArray[np.int64], wanted: int) -> NDArray[np.int64]:
    """One whole number for each similarity and image, the greater the nearer, and among ties the lower the image.

    Once the `best` are as many as `wanted`, only what is nearer than the last of them is looked at, in any order.
    """
    images = (1 << IMAGE_BITS) - 1 - np.arange(first, first + similarity.shape[1])
    if best.shape[1] < wanted:
        return np.asarray((np.rint(similarity / TIE).astype(np.int64) << IMAGE_BITS) + images)
    least = (best.min(axis=1) >> IMAGE_BITS) * TIE
    row, column = np.nonzero(similarity > least[:, None] - TIE)
    count = np.bincount(row, minlength=len(similarity))
    rank = np.full((len(similarity), int(count.max(initial=0))), np.iinfo(np.int64).min)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    rank[row, place] = (np.rint(similarity[row, column] / TIE).astype(np.int64) << IMAGE_BITS) + images[column]
    return rank


def _image(rank: NDArray[np.int64]) -> Indices:
    mask = (1 << IMAGE_BITS) - 1
    return (mask - (rank & mask)).astype(np.int32)


def shared_neighbours(a: Indices, b: Indices) -> NDArray[np.float64]:
    """Share of the k neighbours that each image has in both representations, (N,).

    Parameters
    ----------
    a, b
        Neighbours in the same order of images, (N, k) each.
    """
    return np.asarray((a[:, :, None] == b[:, None, :]).sum(axis=(1, 2)) / a.shape[1])


def mutual_knn(a: Indices, b: Indices) -> float:
    """Mean share of neighbours in common (Huh et al. 2024, arXiv 2405.07987, appendix A)."""
    return float(shared_neighbours(a, b).mean())

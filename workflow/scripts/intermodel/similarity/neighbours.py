"""Mutual nearest neighbours: do two representations place the same images next to each other?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

Indices = NDArray[np.int32]

# Similarities closer than this count as equal: rounding of the products must not decide who is a neighbour.
TIE = 1e-12
# Similarities held at a time.
MOST_SIMILARITIES = 1 << 22
# Share of candidates in a block above which one product in float64 is cheaper than gathering their rows.
DENSE = 0.05


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


def nearest_neighbours(values: NDArray[np.floating], k: int, block: int | None = None) -> Neighbours:
    """The k most similar other images by the cosine of uncentred features, ties to the lower row number.

    Parameters
    ----------
    values
        Features, (N, D), finite.
    k
        Number of neighbours, 1 <= k <= N - 1.
    block
        Images compared with all others at a time; by default as many as keep memory small.

    Raises
    ------
    UserError
        If k does not fit, or a row is zero (its cosine is undefined).

    Notes
    -----
    Products in float32 leave out, with a bound on their rounding, all images that cannot be among the nearest; the rest
    is decided in float64. Costs 2 N^2 D operations, mostly in float32, and 12 N D + 16 N block bytes.
    """
    images = len(values)
    block = block or max(16, min(512, MOST_SIMILARITIES // max(1, images)))
    if not 1 <= k < images:
        raise UserError(f"{k} neighbours were asked for among {images} images, expected 1 to {images - 1}.")
    unit = values.astype(np.float64)
    # Scaled by the largest entry first, so that tiny features do not vanish when squared.
    unit /= np.maximum(np.abs(unit).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    length = np.sqrt(np.einsum("nd,nd->n", unit, unit))
    if not length.all():
        raise UserError(
            f"{int((length == 0).sum())} of {images} images have features that are all zero, the first in row "
            f"{int(np.argmin(length))}; their cosine similarity is undefined: use another layer or measure."
        )
    unit /= length[:, None]
    coarse = unit.astype(np.float32)
    # A sum of D products of rounded numbers, for rows of length 1 (Higham 2002, section 3.1).
    rounding = (unit.shape[1] + 8) * np.finfo(np.float32).eps / 2
    index = np.empty((images, k), dtype=np.int32)
    tied = 0
    for start in range(0, images, block):
        similarity = coarse[start : start + block] @ coarse.T
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf
        # The one after the last neighbour is wanted, too: whether it is as near.
        wanted = min(k + 1, images - 1)
        least = np.partition(similarity, images - wanted, axis=1)[:, images - wanted]
        near = similarity >= (least - 2 * rounding)[:, None]
        exact = unit[start : start + block] @ unit.T if near.mean() > DENSE else None
        for row in rows:
            candidates = np.flatnonzero(near[row])
            nearness = unit[candidates] @ unit[start + row] if exact is None else exact[row, candidates]
            order = np.argsort(-np.round(nearness / TIE), kind="stable")
            index[start + row] = candidates[order[:k]]
            if wanted > k:
                tied += bool(nearness[order[k - 1]] - nearness[order[k]] < TIE)
    return Neighbours(index, tied / images)


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

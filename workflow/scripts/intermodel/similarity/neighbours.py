"""Mutual nearest neighbours: do two representations place the same images next to each other?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

Indices = NDArray[np.int32]

# Similarities closer than this count as equal: rounding of the products must not decide who is a neighbour.
TIE = 1e-12


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


def nearest_neighbours(values: NDArray[np.floating], k: int, block: int = 512) -> Neighbours:
    """The k most similar other images by the cosine of uncentred features, ties to the lower row number.

    Parameters
    ----------
    values
        Features, (N, D), finite.
    k
        Number of neighbours, 1 <= k <= N - 1.
    block
        Images compared with all others at a time.

    Raises
    ------
    UserError
        If k does not fit, or a row is zero (its cosine is undefined).

    Notes
    -----
    Costs 2 N^2 D operations and 8 N (D + block) bytes beside the input.
    """
    images = len(values)
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
    index = np.empty((images, k), dtype=np.int32)
    tied = 0
    for start in range(0, images, block):
        similarity = unit[start : start + block] @ unit.T
        rows = np.arange(len(similarity))
        similarity[rows, start + rows] = -np.inf
        nearest = np.partition(similarity, (images - k - 1, images - k), axis=1)
        threshold, following = nearest[:, images - k], nearest[:, images - k - 1]
        tied += int((threshold - following < TIE).sum())
        for row in rows:
            candidates = np.flatnonzero(similarity[row] >= threshold[row] - TIE)
            nearness = np.round(similarity[row, candidates] / TIE)
            index[start + row] = candidates[np.argsort(-nearness, kind="stable")[:k]]
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

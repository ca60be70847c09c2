"""Baselines that compare an image with others: distance to its neighbours, and whether models agree on who they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.quality.events import FloatArray
from intermodel.quality.row_scores import unit_rows

# Elements of the distance matrix held at a time.
BATCH_ELEMENTS = 8_000_000


@dataclass(frozen=True)
class Neighbours:
    """The nearest reference images of each query image.

    Attributes
    ----------
    index
        Rows of the reference, from near to far, (Q, k) int32; of equal distances the smaller row first.
    distance
        Their distances, (Q, k).
    """

    index: NDArray[np.int32]
    distance: FloatArray


def nearest(
    reference: NDArray[np.floating],
    queries: NDArray[np.floating],
    count: int,
    metric: Literal["cosine", "euclidean"] = "cosine",
) -> Neighbours:
    """Nearest neighbours by exhaustive search.

    Parameters
    ----------
    reference, queries
        Features, (R, C) and (Q, C).
    count
        k; at most R neighbours are found.
    metric
        "cosine": 1 - cosine similarity (rows of zeros: similarity 0); "euclidean": of the raw rows.

    Raises
    ------
    UserError
        If there is no reference image.
    """
    if len(reference) == 0:
        raise UserError("There is no training image to search neighbours in; a data set needs training images.")
    count = min(count, len(reference))
    if metric == "cosine":
        points, asked = unit_rows(reference), unit_rows(queries)
    else:
        points, asked = np.asarray(reference, dtype=np.float64), np.asarray(queries, dtype=np.float64)
    squares = np.square(points).sum(axis=1)
    index = np.empty((len(asked), count), dtype=np.int32)
    distance = np.empty((len(asked), count))
    size = max(1, BATCH_ELEMENTS // len(points))
    for start in range(0, len(asked), size):
        block = asked[start : start + size]
        closeness = block @ points.T
        if metric == "cosine":
            apart = 1.0 - closeness
        else:
            apart = squares - 2.0 * closeness + np.square(block).sum(axis=1, keepdims=True)
        found = np.argpartition(apart, count - 1, axis=1)[:, :count] if count < len(points) else None
        if found is None:
            found = np.broadcast_to(np.arange(count), apart.shape)
        found = np.sort(found, axis=1)
        near = np.take_along_axis(apart, found, axis=1)
        order = np.argsort(near, axis=1, kind="stable")
        index[start : start + size] = np.take_along_axis(found, order, axis=1)
        distance[start : start + size] = np.take_along_axis(near, order, axis=1)
    if metric == "euclidean":
        # |a - b| from the chosen rows themselves: the expansion above loses digits when points are close.
        for start in range(0, len(asked), size):
            rows = slice(start, start + size)
            for k in range(count):
                distance[rows, k] = np.linalg.norm(asked[rows] - points[index[rows, k]], axis=1)
    return Neighbours(index, distance)


def closeness(neighbours: Neighbours, count: int) -> FloatArray:
    """Minus the mean distance to the `count` nearest reference images, (Q,).

    Larger means a denser neighbourhood. That is no promise of an easy image: on published transfer results dense
    regions held the harder ones, so the sign of this score is to be read off its AUROC, never assumed.
    """
    result: FloatArray = -neighbours.distance[:, :count].mean(axis=1)
    return result


def neighbourhood_consistency(
    indices: Sequence[NDArray[np.integer]], reference: int, partners: Sequence[bool] | None = None
) -> FloatArray:
    """How far models agree on the neighbours of each image: mean Jaccard overlap over pairs of models.

    Park et al. 2023, arXiv 2306.00206; averaged over the pairs.

    Parameters
    ----------
    indices
        Neighbours in one reference set shared by all models, (Q, k) for each model.
    reference
        Number of reference images.
    partners
        Which models the others are compared with, e.g. all but untrained controls; default: all.

    Returns
    -------
    array
        (models, Q): mean overlap of each model with all its partners, NaN for a model without any. With all models as
        partners the mean over models is the score of the paper.
    """
    counted = np.ones(len(indices), dtype=np.bool_) if partners is None else np.asarray(partners, dtype=np.bool_)
    sets = [_bits(index, reference) for index in indices]
    sizes = [np.asarray(index).shape[1] for index in indices]
    total = np.zeros((len(sets), len(sets[0])))
    for a, b in combinations(range(len(sets)), 2):
        common = np.bitwise_count(sets[a] & sets[b]).sum(axis=1, dtype=np.int64)
        overlap = common / (sizes[a] + sizes[b] - common)
        total[a] += overlap * counted[b]
        total[b] += overlap * counted[a]
    pairs = counted.sum() - counted
    return np.where(pairs[:, None] > 0, total / np.maximum(pairs, 1)[:, None], np.nan)


def _bits(index: NDArray[np.integer], reference: int) -> NDArray[np.uint8]:
    """Sets of neighbours as bit rows, (Q, ceil(reference / 8)) uint8."""
    member = np.zeros((len(index), reference), dtype=np.bool_)
    np.put_along_axis(member, np.asarray(index, dtype=np.intp), True, axis=1)
    return np.packbits(member, axis=1)

"""Distances between models in concept space: Euclidean, cosine, Jaccard, Hellinger; full matrices, no sampling."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Distance = Literal["euclidean", "cosine", "jaccard", "hellinger"]
DISTANCES: tuple[Distance, ...] = get_args(Distance)


def euclidean(vectors: ArrayLike) -> NDArray[np.float64]:
    """Euclidean distances between the rows, (..., models, labels) -> (..., models, models).

    Differences are formed directly: equal rows have distance 0 exactly, which the product form does not give.
    """
    rows = np.asarray(vectors, dtype=np.float64)
    models = rows.shape[-2]
    result = np.zeros((*rows.shape[:-2], models, models))
    for first in range(models - 1):
        gap = rows[..., first + 1 :, :] - rows[..., first : first + 1, :]
        length = np.sqrt((gap**2).sum(axis=-1))
        result[..., first, first + 1 :] = length
        result[..., first + 1 :, first] = length
    return result


def cosine(vectors: ArrayLike) -> NDArray[np.float64]:
    """1 - cosine of the angle between the rows, in [0, 2] (at most 1 for vectors without negative entries).

    A row of zeros has no direction: its distance to every row, itself included, is 1 by convention
    (see `empty_models`).
    """
    rows = np.asarray(vectors, dtype=np.float64)
    size = np.abs(rows).max(axis=-1, keepdims=True, initial=0.0)
    scaled = rows / np.where(size > 0, size, 1.0)
    length = np.sqrt((scaled**2).sum(axis=-1, keepdims=True))
    directions = scaled / np.where(length > 0, length, 1.0)
    # |a - b|^2 / 2 = 1 - cos for unit vectors, without cancellation for equal ones.
    distance = euclidean(directions) ** 2 / 2
    empty = (length == 0)[..., 0]
    return np.where(empty[..., :, None] | empty[..., None, :], 1.0, distance)


def jaccard(vectors: ArrayLike) -> NDArray[np.float64]:
    """1 - |A and B| / |A or B| of the sets of labels with a positive entry; 0 between two empty sets."""
    member = (np.asarray(vectors) > 0).astype(np.float64)
    shared = member @ np.swapaxes(member, -1, -2)
    size = member.sum(axis=-1)
    union = size[..., :, None] + size[..., None, :] - shared
    return np.where(union > 0, 1 - shared / np.where(union > 0, union, 1.0), 0.0)


def hellinger(vectors: ArrayLike) -> NDArray[np.float64]:
    """Hellinger distance between the rows taken as shares of their sum, in [0, 1].

    A row of zeros is no distribution; it is kept as the zero vector, at distance sqrt(1/2) of every other row
    (see `empty_models`).
    """
    rows = np.asarray(vectors, dtype=np.float64)
    if bool((rows < 0).any()):
        raise ValueError("Hellinger's distance needs entries of at least 0")
    total = rows.sum(axis=-1, keepdims=True)
    distance: NDArray[np.float64] = euclidean(np.sqrt(rows / np.where(total > 0, total, 1.0))) / np.sqrt(2)
    # Disjoint shares may come out one ulp above 1.
    distance[distance > 1] = 1.0
    return distance


def empty_models(vectors: ArrayLike) -> NDArray[np.bool_]:
    """Models whose vector is zero, (..., models): their cosine and Hellinger distances are conventions."""
    empty: NDArray[np.bool_] = ~(np.asarray(vectors) != 0).any(axis=-1)
    return empty


def distance_matrix(vectors: ArrayLike, count: ArrayLike, distance: Distance) -> NDArray[np.float64]:
    """The chosen distance: Euclidean and cosine between the vectors, Jaccard and Hellinger between the counts.

    Parameters
    ----------
    vectors
        Vectors of the chosen variant and scale, (..., models, labels).
    count
        Detectors per label, (..., models, labels).
    """
    if distance == "euclidean":
        return euclidean(vectors)
    if distance == "cosine":
        return cosine(vectors)
    if distance == "jaccard":
        return jaccard(count)
    if distance == "hellinger":
        return hellinger(count)
    raise ValueError(f"distance is {distance!r}, expected one of {', '.join(DISTANCES)}")

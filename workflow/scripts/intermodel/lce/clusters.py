"""Groups of models: agglomerative clustering of a distance matrix, silhouettes, stability under resampled images."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Linkage = Literal["average", "ward"]


def agglomerate(distances: ArrayLike, linkage: Linkage = "average") -> NDArray[np.float64]:
    """Join the two closest groups until one is left.

    Distances between groups follow the recurrence of Lance and Williams (1967). Among equally close pairs the first
    in the order of the models is joined.

    Parameters
    ----------
    distances
        (models, models), symmetric.
    linkage
        "average" (of all pairs between two groups, any distance), or "ward" (least growth of the sum of squares,
        meaningful for Euclidean distances).

    Returns
    -------
    array
        (models - 1, 4): the two groups joined (models are 0..M-1, the group made in step s is M + s), the height, and
        the number of models in the new group; scipy's linkage format.
    """
    gaps = np.asarray(distances, dtype=np.float64).copy()
    models = len(gaps)
    if gaps.shape != (models, models) or not np.allclose(gaps, gaps.T):
        raise ValueError(f"needs a symmetric (models, models) matrix, got shape {gaps.shape}")
    if linkage not in ("average", "ward"):
        raise ValueError(f"linkage is {linkage!r}, expected average or ward")
    if linkage == "ward":
        gaps = gaps**2
    np.fill_diagonal(gaps, np.inf)
    names, sizes = np.arange(models), np.ones(models)
    merges = np.empty((max(models - 1, 0), 4))
    for step in range(models - 1):
        i, j = np.unravel_index(np.argmin(gaps), gaps.shape)
        i, j = (i, j) if i < j else (j, i)
        height = gaps[i, j]
        first, second = sorted((names[i], names[j]))
        size = sizes[i] + sizes[j]
        merges[step] = first, second, np.sqrt(height) if linkage == "ward" else height, size
        if linkage == "average":
            joined = (sizes[i] * gaps[i] + sizes[j] * gaps[j]) / size
        else:
            joined = ((sizes[i] + sizes) * gaps[i] + (sizes[j] + sizes) * gaps[j] - sizes * height) / (size + sizes)
        # inf - inf arises only for groups that are gone already.
        joined = np.where(np.isinf(gaps[i]) | np.isinf(gaps[j]), np.inf, joined)
        gaps[i], gaps[:, i] = joined, joined
        gaps[j], gaps[:, j] = np.inf, np.inf
        gaps[i, i] = np.inf
        names[i], sizes[i] = models + step, size
    return merges


def cut(merges: ArrayLike, clusters: int) -> NDArray[np.int64]:
    """Cluster of each model, (models,), numbered 0.. in the order in which the models first show them."""
    tree = np.asarray(merges, dtype=np.float64)
    models = len(tree) + 1
    if not 1 <= clusters <= models:
        raise ValueError(f"clusters is {clusters}, expected 1 to {models} for {models} models")
    groups = {model: [model] for model in range(models)}
    for step in range(models - clusters):
        first, second = int(tree[step, 0]), int(tree[step, 1])
        groups[models + step] = groups.pop(first) + groups.pop(second)
    labels = np.empty(models, np.int64)
    for number, members in enumerate(sorted(groups.values(), key=min)):
        labels[members] = number
    return labels


def silhouette(distances: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Silhouette of each model (Rousseeuw 1987), (models,): 1 well inside its cluster, 0 between two, below 0 astray.

    A model alone in its cluster has 0. Undefined (NaN) with fewer than two clusters.
    """
    gaps, groups = np.asarray(distances, dtype=np.float64), np.asarray(labels)
    numbers = np.unique(groups)
    if len(numbers) < 2:
        return np.full(len(groups), np.nan)
    member = groups[:, None] == numbers
    sizes = member.sum(axis=0)
    totals = (gaps - np.diag(np.diag(gaps))) @ member
    own = member.astype(bool)
    own_size = sizes[np.argmax(own, axis=1)]
    inside = totals[own] / np.maximum(own_size - 1, 1)
    outside = np.where(own, np.inf, totals / sizes).min(axis=1)
    larger = np.maximum(inside, outside)
    return np.where((own_size > 1) & (larger > 0), (outside - inside) / np.where(larger > 0, larger, 1.0), 0.0)


def stability(distances: ArrayLike, clusters: int, linkage: Linkage = "average") -> NDArray[np.float64]:
    """Share of replicates in which two models fall into the same cluster.

    Parameters
    ----------
    distances
        Distance matrices of the bootstrap replicates, (draws, models, models).

    Returns
    -------
    array
        (models, models), 1 on the diagonal.
    """
    replicates = np.asarray(distances, dtype=np.float64)
    together = np.zeros(replicates.shape[1:])
    for gaps in replicates:
        labels = cut(agglomerate(gaps, linkage), clusters)
        together += labels[:, None] == labels
    return together / len(replicates)


def cluster_stability(together: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Of each cluster, the mean share of replicates in which two of its members stay together; NaN for one member."""
    share, groups = np.asarray(together, dtype=np.float64), np.asarray(labels)
    result = np.full(int(groups.max()) + 1, np.nan)
    for number in range(len(result)):
        members = np.flatnonzero(groups == number)
        if len(members) > 1:
            result[number] = share[np.ix_(members, members)][np.triu_indices(len(members), 1)].mean()
    return result

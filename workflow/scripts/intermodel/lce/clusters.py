"""Groups of models: agglomerative clustering of a distance matrix, silhouettes, stability under resampled images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Linkage = Literal["average", "ward"]
# Clusters that fewer draws bring back are called unstable.
STABLE = 0.8


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


def adjusted_rand(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Adjusted Rand index of two groupings (Hubert and Arabie 1985): 1 for equal ones, 0 as by chance.

    Parameters
    ----------
    first, second
        Group of each model, (..., models), broadcast against each other.

    Returns
    -------
    array
        (...). Two groupings that put all models together, or all apart, are equal: 1.
    """
    one, two = np.asarray(first), np.asarray(second)
    rows, columns = np.triu_indices(one.shape[-1], 1)
    same, also = one[..., rows] == one[..., columns], two[..., rows] == two[..., columns]
    both = (same & also).sum(axis=-1)
    mean = (same.sum(axis=-1) + also.sum(axis=-1)) / 2
    chance = same.sum(axis=-1) * also.sum(axis=-1) / max(len(rows), 1)
    room = mean - chance
    return np.where(room > 0, (both - chance) / np.where(room > 0, room, 1.0), 1.0)


@dataclass(frozen=True)
class Support:
    """How well each number of clusters is supported, k from 2 to models - 1.

    Attributes
    ----------
    clusters
        The numbers, (k,).
    silhouette
        Mean silhouette over the models, (k,).
    stability
        Mean adjusted Rand index between the clusters of all images and those of a bootstrap draw, (k,).
    unchanged
        Share of the draws with exactly the same clusters, (k,).
    """

    clusters: NDArray[np.int64]
    silhouette: NDArray[np.float64]
    stability: NDArray[np.float64]
    unchanged: NDArray[np.float64]


def support(distances: ArrayLike, merges: ArrayLike, replicates: Sequence[NDArray[np.float64]]) -> Support:
    """Judge every number of clusters by silhouette and by stability under resampled images.

    Parameters
    ----------
    distances
        (models, models).
    merges
        Their tree, (models - 1, 4).
    replicates
        The tree of every bootstrap draw.
    """
    models = len(np.asarray(distances))
    numbers = np.arange(2, max(models, 2))
    silhouettes, stabilities, unchanged = [], [], []
    for number in numbers:
        labels = cut(merges, int(number))
        drawn = np.stack([cut(tree, int(number)) for tree in replicates])
        silhouettes.append(silhouette(distances, labels).mean())
        stabilities.append(adjusted_rand(drawn, labels).mean())
        unchanged.append((drawn == labels).all(axis=1).mean())
    return Support(numbers, np.array(silhouettes), np.array(stabilities), np.array(unchanged))


def choose_number(found: Support, least: float = STABLE) -> int:
    """The stable number of clusters with the largest mean silhouette (the smaller among equals); 1 if none is stable.

    A number is stable when its mean adjusted Rand index over the draws reaches `least`.
    """
    stable = found.stability >= least
    if not stable.any():
        return 1
    return int(found.clusters[np.argmax(np.where(stable, found.silhouette, -np.inf))])


def together(labels: ArrayLike) -> NDArray[np.float64]:
    """Share of the draws in which two models fall into one cluster, from (draws, models) to (models, models)."""
    drawn = np.asarray(labels)
    share: NDArray[np.float64] = (drawn[:, :, None] == drawn[:, None, :]).mean(axis=0)
    return share


def cluster_stability(share: ArrayLike, labels: ArrayLike) -> NDArray[np.float64]:
    """Of each cluster, the mean of `together` over its pairs of members, (clusters,); NaN for one member."""
    share, groups = np.asarray(share, dtype=np.float64), np.asarray(labels)
    result = np.full(int(groups.max()) + 1, np.nan)
    for number in range(len(result)):
        members = np.flatnonzero(groups == number)
        if len(members) > 1:
            result[number] = share[np.ix_(members, members)][np.triu_indices(len(members), 1)].mean()
    return result

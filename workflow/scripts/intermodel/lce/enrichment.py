"""What sets a group of models apart: which concepts, and which categories, its members detect more or less.

Two questions with two answers. Would other *images* show the same difference between these models? The fold sums say.
Would other *models* of such groups? Units of one model were trained together and are no independent cases, so tests
that count units (Fisher's, the hypergeometric) would find differences everywhere; here models are permuted, and n is
their number. Clusters were found from the same concepts, so each concept is tested against clusters that are found
anew without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.lce.clusters import agglomerate, cut
from intermodel.lce.distances import distance_matrix
from intermodel.lce.projection import scaling
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import Estimate, Resampled, estimate
from intermodel.lce.vectors import Variant, concept_vectors
from intermodel.statistics.intervals import student_p
from intermodel.statistics.multiple_testing import benjamini_hochberg
from intermodel.statistics.nulls import TIE

# Concepts that a group's name holds at most, each way.
NAMING = 2

# Labels to leave out, (labels,) -> cluster of each model, (models,).
Regroup = Callable[[NDArray[np.bool_]], NDArray[np.int64]]


@dataclass(frozen=True)
class Enrichment:
    """Groups of models compared with all other models, concept by concept and category by category.

    Attributes
    ----------
    grouping
        "cluster" or "family".
    groups
        Names of the groups.
    members
        Which models belong to each, (groups, models).
    difference
        Mean amount inside minus mean amount outside, (groups, labels + categories), with intervals over images.
    p_images, q_images
        Whether other images would show none; p of Student's t, false discovery rate over all cells.
    p_models, q_models
        Whether other models would show none; p by permutation, false discovery rate over all cells.
    least
        Smallest p that a permutation of the models can give, (groups,).

    p and q are NaN for concepts that no model detects, or all equally.
    """

    grouping: str
    groups: tuple[str, ...]
    members: NDArray[np.bool_]
    difference: Estimate
    p_images: NDArray[np.float64]
    q_images: NDArray[np.float64]
    p_models: NDArray[np.float64]
    q_models: NDArray[np.float64]
    least: NDArray[np.float64]


def amounts(
    count: Resampled, units: ArrayLike, settings: Settings, label_category: ArrayLike, categories: int
) -> Resampled:
    """How much of a model each concept takes, then each category, parts (..., models, labels + categories).

    Detectors per detector where the embedding is about shares, otherwise detectors per unit of the layer.
    """
    member = np.asarray(label_category)[:, None] == np.arange(categories)
    kind: Variant = "share" if settings.variant in ("share", "hellinger") else "fraction"

    def extended(values: NDArray[np.int64]) -> NDArray[np.float64]:
        part = concept_vectors(values, units, kind)
        return np.concatenate([part, part @ member], axis=-1)

    return count.map(extended)


def enrich(
    grouping: str,
    labels: Sequence[str],
    parts: Resampled,
    label_category: ArrayLike,
    sizes: ArrayLike,
    settings: Settings,
    seed: int,
    regroup: Regroup | None = None,
) -> Enrichment:
    """Compare every group of models with all others.

    Parameters
    ----------
    grouping
        What the groups are.
    labels
        Group of each model, (models,); groups keep the order in which they appear.
    parts
        See `amounts`.
    label_category
        Category of each label, (labels,).
    sizes
        Images in each fold that was left out.
    settings
        Level of the intervals, number of permutations.
    seed
        Seed of the permutations.
    regroup
        Finds the groups without some labels, where they were found from the concepts themselves.
    """
    groups = tuple(dict.fromkeys(labels))
    members = np.array([[label == group for label in labels] for group in groups])
    weight = members / members.sum(axis=1, keepdims=True)
    rest = (~members).sum(axis=1, keepdims=True)
    weight = weight - ~members / np.where(rest > 0, rest, 1)
    difference = estimate(parts.map(lambda values: weight @ values), sizes, settings.level)

    values = parts.whole
    varied = np.ptp(values, axis=0) > 0
    error = difference.standard_error
    moved = np.where(error > 0, error, 1.0)
    score = np.where(error > 0, difference.value / moved, np.where(difference.value != 0, np.inf, 0.0))
    p_images = np.where(varied, student_p(score, len(np.asarray(sizes)) - 1), np.nan)
    p_models = np.full(p_images.shape, np.nan)
    tested = _memberships(members, np.flatnonzero(varied), np.asarray(label_category), regroup)
    for group in range(len(groups)):
        # Concepts that are tested against the same members share their permutations.
        patterns, which = np.unique(tested[group], axis=0, return_inverse=True)
        for number, inside in enumerate(patterns):
            columns = np.flatnonzero(varied)[which.reshape(-1) == number]
            p_models[group, columns] = membership_test(values[:, columns], inside, settings.permutations, seed)
    least = np.array([least_p(int(inside.sum()), len(inside), settings.permutations) for inside in members])
    return Enrichment(
        grouping,
        groups,
        members,
        difference,
        p_images,
        benjamini_hochberg(p_images),
        p_models,
        benjamini_hochberg(p_models),
        least,
    )


def regrouping(
    count: NDArray[np.int64],
    best: NDArray[np.float64] | None,
    units: ArrayLike,
    settings: Settings,
    clusters: int,
) -> Regroup:
    """The embedding's clusters found without some labels.

    Parameters
    ----------
    count, best
        Detectors and best score of any unit from all images, (models, labels).
    units
        Units of each model's layer.
    settings
        Variant, scale, distance, linkage.
    clusters
        Number of clusters.
    """

    def without(left_out: NDArray[np.bool_]) -> NDArray[np.int64]:
        kept = count[:, ~left_out]
        vectors = concept_vectors(kept, units, settings.variant, None if best is None else best[:, ~left_out])
        scaled = scaling(vectors, settings.scale)(vectors)
        return cut(agglomerate(distance_matrix(scaled, kept, settings.distance), settings.linkage), clusters)

    return without


def membership_test(values: ArrayLike, inside: ArrayLike, draws: int, seed: int) -> NDArray[np.float64]:
    """Permutation p of the difference in means between some rows and the others, two-sided.

    All ways to choose as many rows are gone through where there are no more than `draws`.

    Parameters
    ----------
    values
        (models, columns).
    inside
        The rows of the group, (models,) of bool.
    draws, seed
        Random choices otherwise.

    Returns
    -------
    array
        (columns,); NaN where no row or every row is inside.
    """
    rows, member = np.asarray(values, dtype=np.float64), np.asarray(inside, dtype=bool)
    models, size = len(member), int(member.sum())
    if size in (0, models):
        return np.full(rows.shape[1], np.nan)
    complete = math.comb(models, size) <= draws
    if complete:
        chosen = np.zeros((math.comb(models, size), models))
        picked = np.array(list(combinations(range(models), size)))
        chosen[np.arange(len(picked))[:, None], picked] = 1
    else:
        chosen = np.random.default_rng(seed).permuted(np.tile(member.astype(float), (draws, 1)), axis=1)
    total = rows.sum(axis=0)

    def gap(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        absolute: NDArray[np.float64] = np.abs(sums / size - (total - sums) / (models - size))
        return absolute

    observed = gap(member.astype(float) @ rows)
    slack = TIE * np.maximum(np.abs(rows).max(axis=0), 1e-300)
    reached = (gap(chosen @ rows) >= observed - slack).sum(axis=0)
    p: NDArray[np.float64] = reached / len(chosen) if complete else (1 + reached) / (1 + draws)
    return p


def least_p(size: int, models: int, draws: int) -> float:
    """The smallest p that `membership_test` can give a group of so many among so many models; NaN for all or none."""
    ways = math.comb(models, size)
    if size in (0, models):
        return math.nan
    # Two halves of equal size have the same difference.
    return (2 if 2 * size == models else 1) / ways if ways <= draws else 1 / (1 + draws)


def naming(found: Enrichment, group: int, labels: int, level: float) -> tuple[list[int], list[int]]:
    """Concepts that name a group: most enriched and most depleted beyond what other images may change.

    Parameters
    ----------
    found
        The groups.
    group
        Which of them.
    labels
        Number of labels; columns beyond are categories.
    level
        A difference counts when its false discovery rate over images is at most 1 - level.

    Returns
    -------
    more, less
        Indices of labels, largest difference first.
    """
    value, q = found.difference.value[group, :labels], found.q_images[group, :labels]
    sure = np.where(np.isnan(q), 1.0, q) <= 1 - level
    order = [int(label) for label in np.argsort(-np.abs(value), kind="stable") if sure[label]]
    more = [label for label in order if value[label] > 0]
    less = [label for label in order if value[label] < 0]
    return more[:NAMING], less[:NAMING]


def group_name(found: Enrichment, group: int, words: Sequence[str], level: float) -> str:
    """A name such as "more: dog, fur; less: grass"; empty where no concept sets the group apart."""
    more, less = naming(found, group, len(words), level)
    parts = [
        f"{way}: {', '.join(words[label] for label in chosen)}"
        for way, chosen in (("more", more), ("less", less))
        if chosen
    ]
    return "; ".join(parts)


def _memberships(
    members: NDArray[np.bool_], columns: NDArray[np.intp], category: NDArray[np.int64], regroup: Regroup | None
) -> NDArray[np.bool_]:
    """Members of each group against which each column is tested, (groups, columns, models)."""
    result = np.repeat(members[:, None], len(columns), axis=1)
    if regroup is None:
        return result
    for position, column in enumerate(columns):
        left_out = np.arange(len(category)) == column
        if column >= len(category):
            left_out = category == column - len(category)
        found = regroup(left_out)
        again = found[None] == np.unique(found)[:, None]
        shared = members[:, None] & again
        overlap = shared.sum(axis=2) / (members[:, None] | again).sum(axis=2)
        # The new cluster that has most in common with the old one.
        result[:, position] = again[overlap.argmax(axis=1)]
    return result

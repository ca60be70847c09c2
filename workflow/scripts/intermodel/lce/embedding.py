"""The Learned Concepts Embedding of a set of models, with what the images leave uncertain about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.lce import clusters as grouping
from intermodel.lce.complementarity import Overlap, overlap
from intermodel.lce.distances import DISTANCES, Distance, distance_matrix, empty_models
from intermodel.lce.projection import metric_mds, pca, procrustes, replicate_components, scaling
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import (
    Ellipse,
    Estimate,
    NoiseFloor,
    Resampled,
    Resampling,
    ellipse,
    estimate,
    noise_floor,
)
from intermodel.lce.vectors import SOFT, by_category, concept_vectors

# A loading below is 0 up to rounding: its concept plays no part.
ROUNDING = 1e-9


@dataclass(frozen=True)
class Measure:
    """Distances of one kind between all models.

    Attributes
    ----------
    value
        With intervals, (models, models).
    floor
        Noise floor of the models.
    resolved
        Whether two models lie further apart than either lies from itself, (models, models).
    """

    value: Estimate
    floor: NoiseFloor
    resolved: NDArray[np.bool_]


@dataclass(frozen=True)
class Map:
    """Models as points in the plane.

    Attributes
    ----------
    scores
        Coordinates, (models, 2); an axis that the models do not need is 0.
    ellipses
        One confidence region per model.
    floor
        Noise floor of the models in the plane.
    explained
        Share of the variance on each axis, (2,); NaN for multidimensional scaling.
    components
        Loadings of the labels, (2, labels); zero for multidimensional scaling.
    loading_error
        Their standard errors under resampled images, (2, labels); NaN for multidimensional scaling.
    stress
        Misfit of multidimensional scaling; NaN for principal components.
    """

    scores: NDArray[np.float64]
    ellipses: tuple[Ellipse, ...]
    floor: NoiseFloor
    explained: NDArray[np.float64]
    components: NDArray[np.float64]
    loading_error: NDArray[np.float64]
    stress: float


@dataclass(frozen=True)
class Clusters:
    """Groups of models.

    Attributes
    ----------
    merges
        The tree, in scipy's linkage format.
    labels
        Cluster of each model, (models,).
    silhouettes
        Of each model, (models,).
    support
        How well each number of clusters is supported.
    together
        Share of bootstrap draws in which two models fall into one cluster, (models, models).
    stability
        Mean of `together` within each cluster, (clusters,), NaN for a single model.
    names
        What sets each cluster apart, e.g. "more: dog; less: grass"; empty where nothing does.
    """

    merges: NDArray[np.float64]
    labels: NDArray[np.int64]
    silhouettes: NDArray[np.float64]
    support: grouping.Support
    together: NDArray[np.float64]
    stability: NDArray[np.float64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Embedding:
    """What the models know and how they lie to each other.

    Attributes
    ----------
    count
        Detectors per label, (models, labels).
    vectors
        The chosen vectors after scaling, (models, labels).
    presence
        Share of bootstrap draws in which a model has a detector of the label, (models, labels).
    detectors, unique
        Per category, then over all, with intervals, (models, categories + 1).
    measures
        All four distances.
    chart
        The map.
    groups
        The clusters.
    overlap
        Concepts shared and not, from all images.
    only
        Concepts of the row's model that the column's lacks, with intervals.
    gap
        Unique concepts of the row's model minus those of the column's, with intervals.
    empty
        Models without any detector, (models,).
    """

    count: NDArray[np.int64]
    vectors: NDArray[np.float64]
    presence: NDArray[np.float64]
    detectors: Estimate
    unique: Estimate
    measures: dict[Distance, Measure]
    chart: Map
    groups: Clusters
    overlap: Overlap
    only: Estimate
    gap: Estimate
    empty: NDArray[np.bool_]


def embed(
    count: Resampled,
    units: ArrayLike,
    label_category: ArrayLike,
    category_count: int,
    weights: Resampling,
    settings: Settings,
    best: Resampled | None = None,
) -> Embedding:
    """Embed models from their detectors per label under all weightings of the folds.

    Parameters
    ----------
    count
        Detectors, parts (..., models, labels).
    units
        Units of each model's layer, (models,).
    label_category, category_count
        Category of each label, (labels,), and the number of categories.
    weights
        What `count` was resampled with.
    settings
        Variant, scale, projection and so on.
    best
        Best IoU, or AUROC, of any unit per label, parts as `count`; needed for the variants "soft" and "soft_auroc".
    """
    plain = _combine(count, best, units, settings)
    scale = scaling(plain.whole, settings.scale)
    vectors = plain.map(scale)

    def per_category(position: int) -> Resampled:
        def totals(values: NDArray[np.int64]) -> NDArray[np.int64]:
            part = by_category(values, label_category, category_count)[position]
            return np.concatenate([part, part.sum(axis=-1, keepdims=True)], axis=-1)

        return count.map(totals)

    def bounded(part: Resampled) -> Estimate:
        return estimate(part, sizes, level, nonnegative=True)

    sizes, level = weights.sizes, settings.level
    unique = per_category(1)
    total = unique.map(lambda values: values[..., -1])
    measures = {name: _measure(vectors, count, name, weights, settings.level) for name in DISTANCES}
    return Embedding(
        count.whole,
        vectors.whole,
        (count.bootstrap > 0).mean(axis=0),
        bounded(per_category(0)),
        bounded(unique),
        measures,
        _chart(vectors, count, measures[settings.distance], weights, settings),
        _groups(vectors, count, measures[settings.distance], settings),
        overlap(count.whole),
        bounded(count.map(lambda values: overlap(values).only)),
        estimate(total.map(lambda values: values[..., :, None] - values[..., None, :]), sizes, level),
        empty_models(count.whole),
    )


def _combine(count: Resampled, best: Resampled | None, units: ArrayLike, settings: Settings) -> Resampled:
    if settings.variant not in SOFT:
        return count.map(lambda values: concept_vectors(values, units, settings.variant))
    if best is None:
        raise ValueError(f"the variant {settings.variant!r} needs best")
    return best.map(lambda values: concept_vectors(values, units, settings.variant, values))


def _measure(vectors: Resampled, count: Resampled, name: Distance, weights: Resampling, level: float) -> Measure:
    def between(first: NDArray[np.float64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        return distance_matrix(first, second, name)

    gaps = Resampled(
        between(vectors.whole, count.whole),
        between(vectors.without, count.without),
        np.empty((0, *vectors.whole.shape[:1] * 2)),
        between(vectors.halves, count.halves),
    )
    value = estimate(gaps, weights.sizes, level, nonnegative=True)
    # (splits, 2, models, labels) -> (splits, models, 2, labels): each model against itself.
    itself = between(vectors.halves.swapaxes(1, 2), count.halves.swapaxes(1, 2))[..., 0, 1]
    floor = noise_floor(itself, level)
    resolved = value.value > floor.of_pairs()
    np.fill_diagonal(resolved, False)
    return Measure(value, floor, resolved)


def _chart(vectors: Resampled, count: Resampled, measure: Measure, weights: Resampling, settings: Settings) -> Map:
    models, labels = vectors.whole.shape
    folds = len(weights.sizes)
    if settings.projection == "pca":
        axes = pca(vectors.whole, 2)
        kept = len(axes.components)
        # Fewer axes than two: the rest of the plane is empty.
        widen = vectors.map(lambda values: _pad(axes.project(values), 2))
        scores, replicates = _pad(axes.scores, 2), widen.bootstrap
        floor = noise_floor(np.linalg.norm(widen.halves[:, 0] - widen.halves[:, 1], axis=-1), settings.level)
        components, error = np.zeros((2, labels)), np.zeros((2, labels))
        components[:kept] = axes.components
        # Drawing folds with replacement makes the spread too small by folds / (folds - 1).
        drawn = replicate_components(vectors.bootstrap, axes.components)
        error[:kept] = drawn.std(axis=0, ddof=1) * np.sqrt(folds / (folds - 1))
        explained, stress = _pad(axes.explained[None], 2)[0], np.nan
    else:
        plane = metric_mds(measure.value.value)
        scores, stress = plane.scores, plane.stress
        drawn = distance_matrix(vectors.bootstrap, count.bootstrap, settings.distance)
        # Every draw starts from the map, so that it cannot flip, and is laid over it.
        replicates = np.stack(
            [procrustes(metric_mds(gaps, start=scores, tolerance=1e-6).scores, scores) for gaps in drawn]
        )
        floor, components, explained = measure.floor, np.zeros((2, labels)), np.full(2, np.nan)
        error = np.full((2, labels), np.nan)
    ellipses = tuple(ellipse(scores[m], replicates[:, m], folds, settings.level) for m in range(models))
    return Map(scores, ellipses, floor, explained, components, error, stress)


def _pad(points: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    missing = columns - points.shape[-1]
    return np.pad(points, [(0, 0)] * (points.ndim - 1) + [(0, missing)]) if missing > 0 else points


def _groups(vectors: Resampled, count: Resampled, measure: Measure, settings: Settings) -> Clusters:
    gaps = measure.value.value
    merges = grouping.agglomerate(gaps, settings.linkage)
    drawn = distance_matrix(vectors.bootstrap, count.bootstrap, settings.distance)
    trees = [grouping.agglomerate(replicate, settings.linkage) for replicate in drawn]
    support = grouping.support(gaps, merges, trees)
    number = grouping.choose_number(support) if settings.clusters == "auto" else min(settings.clusters, len(gaps))
    labels = grouping.cut(merges, number)
    together = grouping.together([grouping.cut(tree, number) for tree in trees])
    return Clusters(
        merges,
        labels,
        grouping.silhouette(gaps, labels),
        support,
        together,
        grouping.cluster_stability(together, labels),
        ("",) * number,
    )

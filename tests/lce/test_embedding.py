"""The embedding as a whole: invariances, what resampling leaves uncertain, agreement with its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.lce import distances
from intermodel.lce.embedding import Embedding, embed
from intermodel.lce.evidence import best_iou, detectors, gather
from intermodel.lce.projection import pca
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import resampling

QUICK = Settings(bootstrap=60, splits=30)


@pytest.fixture(scope="module")
def embed_sums(vocabulary: Vocabulary) -> Callable[..., Embedding]:
    def run(models: list[Sums], settings: Settings = QUICK) -> Embedding:
        weights = resampling(models[0].images, settings.bootstrap, settings.splits, settings.seed)
        stacked = weights.stacked()
        count = np.stack([detectors(gather(model, vocabulary, 0.04), stacked) for model in models], axis=1)
        best = None
        if settings.variant == "soft":
            best = weights.split(np.stack([best_iou(model, vocabulary, stacked) for model in models], axis=1))
        units = [model.unit_area.shape[1] for model in models]
        return embed(weights.split(count), units, vocabulary.category, 6, weights, settings, best)

    return run


@pytest.fixture(scope="module")
def models(make_sums: Callable[..., Sums]) -> list[Sums]:
    """Four models; the last is the first with its units in another order."""
    first = make_sums(0)
    order = np.random.default_rng(0).permutation(40)
    parts = {name: getattr(first, name)[:, order] for name in ("unit_area", "unit_area_category", "intersection")}
    return [first, make_sums(1), make_sums(2, units=25), replace(first, **parts)]


def test_identical_models_coincide_and_are_never_resolved(
    models: list[Sums], embed_sums: Callable[..., Embedding]
) -> None:
    result = embed_sums(models)
    np.testing.assert_allclose(result.chart.scores[0], result.chart.scores[3], atol=1e-9)
    for measure in result.measures.values():
        assert measure.value.value[0, 3] == measure.value.low[0, 3] == measure.value.high[0, 3] == 0
        assert not measure.resolved[0, 3] and not measure.resolved.diagonal().any()
        np.testing.assert_array_equal(measure.resolved, measure.resolved.T)
    assert result.measures["euclidean"].resolved[0, 1]
    assert result.groups.together[0, 3] == 1 and result.groups.labels[0] == result.groups.labels[3]
    assert result.overlap.only[0, 3] == result.overlap.only[3, 0] == 0


def test_parts_agree_with_the_plain_functions(models: list[Sums], embed_sums: Callable[..., Embedding]) -> None:
    result = embed_sums(models)
    np.testing.assert_array_equal(result.vectors, result.count)
    np.testing.assert_array_equal(result.measures["euclidean"].value.value, distances.euclidean(result.count))
    axes = pca(result.count, 2)
    np.testing.assert_array_equal(result.chart.scores, axes.scores)
    np.testing.assert_array_equal(result.chart.explained, axes.explained)
    np.testing.assert_array_equal(result.detectors.value[:, -1], result.count.sum(axis=1))
    np.testing.assert_array_equal(result.unique.value[:, -1], (result.count > 0).sum(axis=1))
    np.testing.assert_array_equal(result.detectors.value[:, :6].sum(axis=1), result.detectors.value[:, -1])
    gap = result.unique.value[:, -1]
    np.testing.assert_array_equal(result.gap.value, gap[:, None] - gap)
    assert ((result.presence > 0) | (result.count == 0)).all() and (result.presence <= 1).all()
    for part in (result.detectors, result.unique, result.only, result.measures["jaccard"].value):
        assert (part.low <= part.value).all() and (part.value <= part.high).all() and (part.low >= 0).all()


def test_same_seed_same_embedding_and_adding_a_model_keeps_the_others(
    models: list[Sums], embed_sums: Callable[..., Embedding], make_sums: Callable[..., Sums]
) -> None:
    once, again = embed_sums(models), embed_sums(models)
    np.testing.assert_array_equal(once.presence, again.presence)
    assert once.chart.ellipses == again.chart.ellipses
    more = embed_sums([*models, make_sums(7)])
    np.testing.assert_array_equal(more.vectors[:4], once.vectors)
    for name, measure in more.measures.items():
        np.testing.assert_array_equal(measure.value.value[:4, :4], once.measures[name].value.value)
        np.testing.assert_array_equal(measure.floor.high[:4], once.measures[name].floor.high)


@pytest.mark.parametrize("variant", ["fraction", "share", "hellinger", "binary", "soft"])
def test_all_variants_embed(variant: str, models: list[Sums], embed_sums: Callable[..., Embedding]) -> None:
    result = embed_sums(models, replace(QUICK, variant=variant, scale="sqrt" if variant == "share" else "none"))
    assert np.isfinite(result.chart.scores).all() and result.measures["euclidean"].value.value[0, 3] < 1e-12
    top = {"fraction": 1, "share": 1, "hellinger": 1, "binary": 1, "soft": 1}[variant]
    assert 0 < result.vectors.max() <= top


def test_multidimensional_scaling_draws_any_distance(models: list[Sums], embed_sums: Callable[..., Embedding]) -> None:
    result = embed_sums(models, replace(QUICK, projection="mds", distance="jaccard", bootstrap=30))
    assert np.isnan(result.chart.explained).all() and 0 <= result.chart.stress < 0.2
    shown = distances.euclidean(result.chart.scores)
    wanted = result.measures["jaccard"].value.value
    assert np.sqrt(((shown - wanted) ** 2).sum() / (wanted**2).sum()) == pytest.approx(result.chart.stress)
    assert result.chart.floor is result.measures["jaccard"].floor


def test_models_that_differ_only_by_their_images_are_not_resolved(
    make_sums: Callable[..., Sums], embed_sums: Callable[..., Embedding]
) -> None:
    """Models with the same taste whose units respond with independent noise: false alarms must be rare."""
    resolved, apart = [], []
    for noise in range(12):
        first, second = make_sums(3, noise=noise), make_sums(4, noise=noise)
        # The same model on other images of the same kind, in place of an equal model with other noise.
        twin = make_sums(3, noise=noise + 100)
        twin = replace(twin, images=first.images)
        result = embed_sums([first, twin, second])
        resolved.append(result.measures["euclidean"].resolved[0, 1])
        apart.append(result.measures["euclidean"].resolved[0, 2])
    assert np.mean(resolved) <= 0.17
    assert np.mean(apart) == 1


def test_model_without_detectors_is_flagged(models: list[Sums], embed_sums: Callable[..., Embedding]) -> None:
    dead = replace(models[0], intersection=np.zeros_like(models[0].intersection))
    result = embed_sums([models[1], dead])
    assert result.empty.tolist() == [False, True]
    assert result.measures["cosine"].value.value[0, 1] == 1
    assert result.chart.scores[:, 1].tolist() == [0, 0] and result.chart.explained.tolist() == [1, 0]
    assert result.groups.support.clusters.size == 0 and len(result.groups.stability) == 1
    assert result.detectors.high[1, -1] == 0


def test_two_models_lie_half_their_distance_from_the_middle(
    models: list[Sums], embed_sums: Callable[..., Embedding]
) -> None:
    result = embed_sums(models[:2])
    gap = result.measures["euclidean"].value.value[0, 1]
    np.testing.assert_allclose(np.abs(result.chart.scores[:, 0]), gap / 2)


def test_loadings_carry_an_error_where_a_concept_moves_the_models(
    models: list[Sums], embed_sums: Callable[..., Embedding]
) -> None:
    plane = embed_sums(models).chart
    nobody = (embed_sums(models).count == 0).all(axis=0)
    strong = np.abs(plane.components) > 0.3
    assert plane.loading_error.shape == plane.components.shape and (plane.loading_error[strong] > 0).all()
    # A strong loading is known better than by its own size, and nothing known of a concept loads on nothing.
    assert (plane.loading_error[0, strong[0]] < np.abs(plane.components[0, strong[0]])).all()
    assert (np.abs(plane.components[:, nobody]) < 1e-9).all()
    scaled = embed_sums(models, replace(QUICK, projection="mds", bootstrap=30)).chart
    assert np.isnan(scaled.loading_error).all()


def test_number_of_clusters_is_kept_or_chosen(models: list[Sums], embed_sums: Callable[..., Embedding]) -> None:
    assert len(embed_sums(models, replace(QUICK, clusters=2)).groups.stability) == 2
    assert len(embed_sums(models, replace(QUICK, clusters=9)).groups.stability) == 4
    chosen = embed_sums(models).groups
    stable = chosen.support.stability >= 0.8
    best = chosen.support.clusters[stable][chosen.support.silhouette[stable].argmax()] if stable.any() else 1
    assert len(chosen.stability) == best

"""What sets groups apart: differences with intervals over images, tests over models that do not move in circles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.lce.clusters import agglomerate, cut
from intermodel.lce.distances import euclidean
from intermodel.lce.enrichment import (
    Enrichment,
    amounts,
    enrich,
    group_name,
    least_p,
    membership_test,
    naming,
    regrouping,
)
from intermodel.lce.evidence import detectors, gather
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import Resampled, resampling

QUICK = Settings(bootstrap=40, splits=40)


def still(count: np.ndarray, folds: int = 16) -> Resampled:
    """Counts that no resampling of the images changes."""
    return Resampled(count, np.stack([count] * folds), count[None], np.stack([np.stack([count] * 2)] * 4))


def shaken(count: np.ndarray, folds: int = 16, seed: int = 0) -> Resampled:
    """Counts that every weighting of the folds changes a little."""
    generator = np.random.default_rng(seed)

    def around(*shape: int) -> np.ndarray:
        return np.maximum(count + generator.integers(-1, 2, (*shape, *count.shape)), 0)

    return Resampled(count, around(folds), around(10), around(40, 2))


def test_amounts_are_shares_of_what_the_embedding_is_about() -> None:
    count = np.array([[3, 1, 0], [0, 0, 0]])
    shares = amounts(still(count), [8, 8], Settings(variant="hellinger"), [0, 1, 1], 2).whole
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0, 0.75, 0.25], [0, 0, 0, 0, 0]])
    units = amounts(still(count), [8, 8], Settings(variant="soft"), [0, 1, 1], 2).whole
    np.testing.assert_allclose(units[0], [3 / 8, 1 / 8, 0, 3 / 8, 1 / 8])


def test_difference_is_the_mean_inside_minus_the_mean_outside() -> None:
    values = np.random.default_rng(0).uniform(size=(5, 4))
    found = enrich("family", list("aabbb"), still(values), [0, 0, 1, 1], np.ones(16), QUICK, 0)
    assert found.groups == ("a", "b") and found.members.tolist()[0] == [True, True, False, False, False]
    expected = values[:2].mean(axis=0) - values[2:].mean(axis=0)
    np.testing.assert_allclose(found.difference.value, [expected, -expected])
    # Nothing moves, so every difference is certain as far as images go; over five models 1 in 10 is the least.
    assert (found.p_images == 0).all() and found.least.tolist() == [0.1, 0.1]
    assert (found.p_models >= 0.1).all() and np.allclose(found.p_models[0], found.p_models[1])


def test_concepts_that_do_not_vary_are_not_tested() -> None:
    values = np.array([[1.0, 0, 2], [1, 0, 0], [1, 0, 1], [1, 0, 0]])
    found = enrich("family", list("aabb"), still(values), [0, 0, 0], np.ones(16), QUICK, 0)
    for part in (found.p_images, found.q_images, found.p_models, found.q_models):
        assert np.isnan(part[:, :2]).all() and not np.isnan(part[:, 2]).any()


def test_membership_test_goes_through_all_choices() -> None:
    generator = np.random.default_rng(1)
    values, inside = generator.normal(size=(6, 3)), np.array([1, 1, 0, 0, 0, 0], bool)
    p = membership_test(values, inside, 10_000, 0)
    for column in range(3):
        observed = abs(values[:2, column].mean() - values[2:, column].mean())
        gaps = [
            abs(values[list(o[:2]), column].mean() - values[list(o[2:]), column].mean()) for o in permutations(range(6))
        ]
        assert p[column] == pytest.approx(np.mean(np.array(gaps) >= observed - 1e-12))
    drawn = membership_test(values, inside, 14, 0)
    assert set(np.round(drawn * 15, 9) % 1) == {0}
    assert np.isnan(membership_test(values, np.ones(6, bool), 100, 0)).all()


def test_least_p_is_reached_by_the_clearest_difference() -> None:
    for models, size in ((6, 2), (6, 3), (8, 1)):
        values = (np.arange(models) < size).astype(float)[:, None]
        assert membership_test(values, np.arange(models) < size, 10_000, 0)[0] == least_p(size, models, 10_000)
    assert least_p(3, 6, 10_000) == 0.1 and least_p(6, 20, 100) == 1 / 101 and np.isnan(least_p(4, 4, 100))


def rejected(count: np.ndarray, seed: int, honest: bool) -> float:
    """Share of the concepts that seem to differ between clusters found from the same concepts."""
    units, settings = [50] * len(count), Settings(permutations=500, linkage="ward")
    regroup = regrouping(count, None, units, settings, 2)
    labels, category = regroup(np.zeros(count.shape[1], bool)), np.arange(count.shape[1]) % 2
    groups, parts = [str(label) for label in labels], amounts(still(count), units, settings, category, 2)
    found = enrich("cluster", groups, parts, category, np.ones(16), settings, seed, regroup if honest else None)
    return float((found.p_models[0, : count.shape[1]] <= 0.05).mean())


def test_clusters_found_in_noise_are_not_explained() -> None:
    """Tested against themselves clusters of pure noise look special; found anew without the concept they do not."""
    generator = np.random.default_rng(0)
    counts = [generator.poisson(3, (12, 6)) for _ in range(60)]
    naive = np.mean([rejected(count, seed, False) for seed, count in enumerate(counts)])
    honest = np.mean([rejected(count, seed, True) for seed, count in enumerate(counts)])
    assert naive > 0.15
    assert honest < 0.08


def test_true_groups_are_found_over_models() -> None:
    generator = np.random.default_rng(3)
    rate = np.where(np.arange(12)[:, None] < 6, [20, 20, 20, 2, 2, 5, 5, 5], [2, 2, 2, 20, 20, 5, 5, 5])
    count = generator.poisson(rate)
    settings, units, category = replace(QUICK, permutations=1000), [100] * 12, np.array([0, 0, 0, 1, 1, 2, 2, 2])
    regroup = regrouping(count, None, units, settings, 2)
    labels = regroup(np.zeros(8, bool))
    parts = amounts(shaken(count), units, settings, category, 3)
    found = enrich("cluster", [str(k) for k in labels], parts, category, np.ones(16), settings, 0, regroup)
    assert (found.q_models[:, [0, 1, 2, 3, 4, 8, 9]] <= 0.05).all() and (found.q_models[:, 5:8] > 0.05).all()
    assert (found.difference.low[0, :3] > 0).all() and (found.difference.high[0, 3:5] < 0).all()


def test_groups_are_found_anew_without_the_concept() -> None:
    count = np.array([[9, 5, 0], [9, 0, 5], [0, 5, 0], [0, 0, 5]])
    regroup = regrouping(count, None, [20] * 4, Settings(), 2)
    assert regroup(np.zeros(3, bool)).tolist() == [0, 0, 1, 1]
    assert regroup(np.array([True, False, False])).tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(regroup(np.zeros(3, bool)), cut(agglomerate(euclidean(count)), 2))


def test_names_hold_what_other_images_would_show(vocabulary: Vocabulary) -> None:
    count = np.full((4, 18), 5)
    count[:2, 3], count[:2, 7], count[2:, 0] = 15, 11, 12
    parts = amounts(shaken(count, seed=2), [100] * 4, QUICK, vocabulary.category, 6)
    found = enrich("cluster", list("1122"), parts, vocabulary.category, np.full(16, 20), QUICK, 0)
    assert naming(found, 0, 18, 0.95) == ([3, 7], [0]) and naming(found, 1, 18, 0.95) == ([0], [3, 7])
    assert group_name(found, 0, vocabulary.names, 0.95) == "more: concept 4, concept 8; less: concept 1"
    unsure = replace(found, q_images=np.full(found.q_images.shape, 0.2))
    assert group_name(unsure, 0, vocabulary.names, 0.95) == ""


def test_models_that_only_differ_by_images_get_no_name(vocabulary: Vocabulary, make_sums: Callable[..., Sums]) -> None:
    """The same taste seen through other images: differences between such groups are rarely called sure."""
    named = []
    for noise in range(8):
        models = [make_sums(3, noise=10 * noise + k) for k in range(4)]
        weights = resampling(models[0].images, 40, 40, noise)
        count = np.stack([detectors(gather(m, vocabulary, 0.04), weights.stacked()) for m in models], axis=1)
        parts = amounts(weights.split(count), [40] * 4, QUICK, vocabulary.category, 6)
        found: Enrichment = enrich("family", list("aabb"), parts, vocabulary.category, weights.sizes, QUICK, 0)
        named.append(bool((found.q_images[0] <= 0.05).any()))
    assert np.mean(named) <= 0.25

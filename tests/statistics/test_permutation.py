"""The max-|r| test and Mantel's test against brute force, and their error rates on noise."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from intermodel.statistics import permutation
from intermodel.statistics.correlation import correlate
from intermodel.statistics.permutation import mantel, max_correlation_test
from scipy import stats


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_equals_brute_force_over_all_permutations(method: str) -> None:
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(6, 2)), generator.integers(0, 4, (6, 3)).astype(float)
    y[2, 1] = np.nan
    result = max_correlation_test(x, y, method, draws=719)
    every = np.abs([correlate(x[list(order)], y, method).r for order in permutations(range(6))])
    observed = np.abs(correlate(x, y, method).r)
    assert result.draws == 719
    np.testing.assert_allclose(result.p, (every >= observed - 1e-12).mean(axis=0))
    largest = np.nanmax(every.reshape(720, -1), axis=1)
    np.testing.assert_allclose(result.p_adjusted, (largest[:, None, None] >= observed - 1e-12).mean(axis=0))


def test_survivors_are_the_cells_above_the_critical_value() -> None:
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(14, 6)), generator.normal(size=(14, 8))
    y[:, 0] = x[:, 0] + 0.1 * generator.normal(size=14)
    result = max_correlation_test(x, y, draws=999)
    survives = result.p_adjusted <= 0.05
    np.testing.assert_array_equal(survives, np.abs(result.correlations.r) > result.critical)
    assert survives[0, 0] and result.p_adjusted.min() == pytest.approx(1 / 1000)
    assert (result.p_adjusted >= result.p - 1e-12).all()


def test_matches_the_published_critical_value_for_one_test() -> None:
    # Two-sided p < 0.05 for one correlation of 13 models needs |r| > 0.553.
    generator = np.random.default_rng(2)
    x, y = generator.normal(size=(2, 13))
    assert max_correlation_test(x, y, draws=20_000).critical == pytest.approx(0.553, abs=0.02)


def test_batches_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(9, 3)), generator.normal(size=(9, 4))
    whole = max_correlation_test(x, y, "spearman", draws=200)
    monkeypatch.setattr(permutation, "BATCH_ELEMENTS", 100)
    batched = max_correlation_test(x, y, "spearman", draws=200)
    np.testing.assert_array_equal(whole.p_adjusted, batched.p_adjusted)
    assert whole.critical == batched.critical


@pytest.mark.parametrize("covariate", [False, True])
def test_family_wise_error_is_at_most_the_level_and_p_values_are_uniform(covariate: bool) -> None:
    generator = np.random.default_rng(4)
    p, rejected = [], 0
    for trial in range(200):
        z = generator.normal(size=14)
        x = generator.normal(size=(14, 3)) + covariate * 2 * z[:, None]
        y = generator.normal(size=(14, 4)) + covariate * 2 * z[:, None]
        result = max_correlation_test(x, y, covariate=z if covariate else None, draws=199, seed=trial)
        p.append(result.p[0, 0])
        rejected += bool((result.p_adjusted <= 0.05).any())
    assert rejected / 200 <= 0.09
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_the_common_cause_disappears_given_the_covariate() -> None:
    generator = np.random.default_rng(5)
    z = generator.normal(size=40)
    x, y = z + 0.3 * generator.normal(size=(2, 40))
    assert max_correlation_test(x, y, draws=999).p_adjusted[0, 0] == pytest.approx(0.001)
    assert max_correlation_test(x, y, covariate=z, draws=999).p_adjusted[0, 0] > 0.05


def test_undefined_cells_are_nan_and_do_not_enter() -> None:
    generator = np.random.default_rng(6)
    x = np.column_stack([np.ones(8), generator.normal(size=8), np.full(8, np.nan)])
    y = generator.normal(size=(8, 2))
    result = max_correlation_test(x, y, draws=99)
    alone = max_correlation_test(x[:, 1], y, draws=99)
    assert np.isnan(result.p[[0, 2]]).all() and np.isnan(result.p_adjusted[[0, 2]]).all()
    assert result.correlations.reason[0, 0] == "predictor is constant"
    np.testing.assert_allclose(result.p_adjusted[1], alone.p_adjusted[0])
    nothing = max_correlation_test(np.ones(8), y)
    assert np.isnan(nothing.critical) and nothing.draws == 0


def test_partly_missing_predictors_are_refused() -> None:
    with pytest.raises(ValueError, match="predictor is missing for some rows"):
        max_correlation_test([1.0, np.nan, 3.0, 4.0], np.arange(4.0))
    with pytest.raises(ValueError, match="covariate has missing"):
        max_correlation_test(np.arange(4.0), np.arange(4.0), covariate=[1, 2, 3, np.nan])


def distances(points: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def test_mantel_equals_brute_force() -> None:
    generator = np.random.default_rng(7)
    a, b = distances(generator.normal(size=(5, 2))), distances(generator.normal(size=(5, 2)))
    upper = np.triu_indices(5, 1)
    result = mantel(a, b, "pearson", draws=119)
    every = [stats.pearsonr(a[np.ix_(o, o)][upper], b[upper]).statistic for o in map(list, permutations(range(5)))]
    assert result.r == pytest.approx(every[0])
    assert result.p == pytest.approx(np.mean(np.array(every) >= every[0] - 1e-12))


def test_mantel_finds_agreement_and_only_that() -> None:
    generator = np.random.default_rng(8)
    points = generator.normal(size=(12, 3))
    found = mantel(distances(points), distances(points + 0.1 * generator.normal(size=(12, 3))), draws=999)
    assert found.r > 0.9 and found.p == pytest.approx(0.001)
    p = [
        mantel(distances(generator.normal(size=(8, 2))), distances(generator.normal(size=(8, 2))), draws=99).p
        for _ in range(200)
    ]
    assert np.mean(np.array(p) <= 0.05) < 0.1


def test_mantel_without_an_answer_says_why() -> None:
    ones = np.ones((5, 5)) - np.eye(5)
    points = distances(np.random.default_rng(9).normal(size=(5, 2)))
    assert mantel(ones, points).reason == "all distances of a matrix are equal"
    assert mantel(points[:2, :2], points[:2, :2]).reason == "only 2 items"
    points[0, 1] = points[1, 0] = np.nan
    assert np.isnan(mantel(points, ones).r)
    with pytest.raises(ValueError, match="symmetric"):
        mantel(np.arange(9.0).reshape(3, 3), np.ones((3, 3)))

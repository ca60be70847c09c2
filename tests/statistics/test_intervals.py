"""Bootstrap and Wilson intervals against closed forms, scipy and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.statistics import intervals
from scipy import stats


def mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=1)


def test_bootstrap_of_the_mean_matches_its_standard_error() -> None:
    sample = np.random.default_rng(0).normal(3, 2, 400)
    result = intervals.bootstrap(mean, [sample], draws=4000, seed=1)
    half = 1.96 * sample.std() / np.sqrt(len(sample))
    assert result.estimate == pytest.approx(sample.mean())
    assert result.low == pytest.approx(sample.mean() - half, abs=0.02)
    assert result.high == pytest.approx(sample.mean() + half, abs=0.02)


def test_bootstrap_equals_the_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    sample, weight = np.random.default_rng(2).normal(size=(2, 30))

    def ratio(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return values.sum(axis=1) / np.abs(weights).sum(axis=1)

    rows = np.random.default_rng(7).integers(0, 30, size=(50, 30))
    plain = [sample[r].sum() / np.abs(weight[r]).sum() for r in rows]
    whole = intervals.bootstrap(ratio, [sample, weight], draws=50, seed=7)
    monkeypatch.setattr(intervals, "BATCH_ELEMENTS", 90)
    batched = intervals.bootstrap(ratio, [sample, weight], draws=50, seed=7)
    assert whole.low == batched.low == pytest.approx(np.quantile(plain, 0.025))
    assert whole.high == batched.high == pytest.approx(np.quantile(plain, 0.975))


def test_coverage_of_the_bootstrap_is_near_its_level() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for trial in range(200):
        result = intervals.bootstrap(mean, [generator.normal(size=60)], draws=300, seed=trial)
        covered += bool(result.low <= 0 <= result.high)
    assert 0.88 <= covered / 200 <= 0.99


def test_pairing_removes_what_both_share() -> None:
    generator = np.random.default_rng(4)
    shared = generator.normal(0, 10, 200)
    first, second = shared + 1 + generator.normal(0, 0.1, 200), shared
    paired = intervals.paired_bootstrap(mean, [first], [second], seed=1)
    single = intervals.bootstrap(mean, [first], seed=1)
    assert 0.9 < paired.low < 1 < paired.high < 1.1
    assert single.high - single.low > 10 * (paired.high - paired.low)


def test_undefined_draws_are_counted_and_left_out() -> None:
    result = intervals.percentile_interval([1.0, 2.0, np.nan], [[0.0, np.nan, 1], [1.0, np.nan, 1], [np.nan] * 2 + [1]])
    assert result.low[0] == pytest.approx(0.025)
    assert np.isnan(result.low[1]) and np.isnan(result.high[1]) and np.isnan(result.low[2])
    np.testing.assert_allclose(result.undefined, [1 / 3, 1, 0])


@pytest.mark.parametrize("samples", [[], [np.empty(0)], [np.ones(3), np.ones(4)]])
def test_bootstrap_refuses_samples_that_do_not_match(samples: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="same samples"):
        intervals.bootstrap(lambda *arrays: arrays[0].mean(axis=1), samples)


def test_level_and_draws_are_checked() -> None:
    with pytest.raises(ValueError, match="level is 95"):
        intervals.bootstrap(mean, [np.ones(3)], level=95)
    with pytest.raises(ValueError, match="draws is 0"):
        intervals.bootstrap(mean, [np.ones(3)], draws=0)


@settings(deadline=None, max_examples=40)
@given(trials=st.integers(1, 500), data=st.data(), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(trials: int, data: st.DataObject, level: float) -> None:
    successes = data.draw(st.integers(0, trials))
    low, high = intervals.wilson(successes, trials, level)
    reference = stats.binomtest(successes, trials).proportion_ci(level, method="wilson")
    assert low == pytest.approx(reference.low, abs=1e-12)
    assert high == pytest.approx(reference.high, abs=1e-12)


def test_wilson_is_vectorised_and_undefined_without_trials() -> None:
    low, high = intervals.wilson([0, 5, 10], [0, 10, 10])
    assert np.isnan(low[0]) and np.isnan(high[0])
    assert low[1] == pytest.approx(0.2365931, abs=1e-6) and high[2] == 1.0
    with pytest.raises(ValueError, match="between 0 and the number of trials"):
        intervals.wilson(3, 2)


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 15, 31, 100])
@pytest.mark.parametrize("probability", [0.01, 0.3, 0.5, 0.9, 0.975, 0.9995])
def test_student_quantile_agrees_with_scipy(degrees: int, probability: float) -> None:
    assert intervals.student_quantile(probability, degrees) == pytest.approx(
        stats.t.ppf(probability, degrees), rel=1e-8, abs=1e-10
    )


@pytest.mark.parametrize("degrees", [1, 2, 3, 4, 7, 15, 31, 64])
def test_two_sided_p_of_student_agrees_with_scipy(degrees: int) -> None:
    values = np.array([[0.0, 0.3, -1.0], [2.5, -6.0, 40.0]])
    np.testing.assert_allclose(
        intervals.student_p(values, degrees), 2 * stats.t.sf(np.abs(values), degrees), atol=1e-14
    )
    assert intervals.student_p([np.inf], degrees)[0] == pytest.approx(0, abs=1e-14)
    assert np.isnan(intervals.student_p([np.nan], degrees)[0])


def test_student_needs_a_degree_of_freedom() -> None:
    with pytest.raises(ValueError, match="degrees is 0"):
        intervals.student_p([1.0], 0)

"""The delete-one-fold jackknife against the textbook formula, closed forms and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.statistics.intervals import student_quantile
from intermodel.statistics.jackknife import jackknife, jackknife_interval


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return numerator / denominator


def test_single_samples_as_folds_give_the_standard_error_of_the_mean() -> None:
    sample = np.random.default_rng(0).normal(size=25)
    result = jackknife(ratio, [sample, np.ones(25)])
    error = sample.std(ddof=1) / 5
    assert result.estimate == pytest.approx(sample.mean())
    assert result.standard_error == pytest.approx(error)
    assert result.high == pytest.approx(sample.mean() + student_quantile(0.975, 24) * error)


def test_equal_folds_give_the_classic_formula() -> None:
    generator = np.random.default_rng(1)
    numerator, denominator = generator.uniform(1, 2, (2, 8, 3))
    result = jackknife(ratio, [numerator, denominator])
    replicates = (numerator.sum(0) - numerator) / (denominator.sum(0) - denominator)
    classic = np.sqrt(7 / 8 * ((replicates - replicates.mean(0)) ** 2).sum(0))
    np.testing.assert_allclose(result.standard_error, classic)
    np.testing.assert_allclose(result.replicates, replicates)


def test_unequal_folds_follow_the_delete_mj_formula() -> None:
    generator = np.random.default_rng(2)
    sizes = np.array([3.0, 10, 5, 7])
    numerator, denominator = generator.uniform(1, 2, (2, 4)) * sizes
    result = jackknife(ratio, [numerator, denominator], sizes)
    estimate = numerator.sum() / denominator.sum()
    left_out = (numerator.sum() - numerator) / (denominator.sum() - denominator)
    h = sizes.sum() / sizes
    corrected = 4 * estimate - ((1 - sizes / sizes.sum()) * left_out).sum()
    pseudo = h * estimate - (h - 1) * left_out
    assert result.standard_error == pytest.approx(np.sqrt((((pseudo - corrected) ** 2) / (h - 1)).mean()))


def test_coverage_with_unequal_folds() -> None:
    generator = np.random.default_rng(3)
    covered = 0
    for _ in range(300):
        fold = generator.integers(0, 16, 200)
        hits, draws = (generator.uniform(size=200) < 0.3), np.ones(200)
        sums = [np.bincount(fold, weights, minlength=16) for weights in (hits, draws)]
        result = jackknife(ratio, sums, sums[1])
        covered += bool(result.low <= 0.3 <= result.high)
    assert 0.91 <= covered / 300 <= 0.985


def test_empty_folds_are_dropped() -> None:
    sums = np.array([1.0, 2.0, 0.0, 4.0]), np.array([2.0, 2.0, 0.0, 5.0])
    full = jackknife(ratio, sums, sizes=[1, 1, 0, 1])
    assert full.standard_error == jackknife(ratio, [array[[0, 1, 3]] for array in sums]).standard_error
    assert full.replicates.shape == (3,)


def test_constant_statistic_has_no_error_and_undefined_stays_undefined() -> None:
    result = jackknife(lambda a: np.array([5.0, np.nan]), [np.arange(4.0)])
    assert result.standard_error[0] == 0 and np.isnan(result.standard_error[1])


def test_one_fold_says_nothing() -> None:
    with pytest.raises(ValueError, match="two folds"):
        jackknife(ratio, [np.ones(3), np.ones(3)], sizes=[5, 0, 0])
    with pytest.raises(ValueError, match="agree in the number of folds"):
        jackknife(ratio, [np.ones(3), np.ones(2)])


def test_replicates_at_hand_give_the_same_interval() -> None:
    generator = np.random.default_rng(4)
    numerator, denominator = generator.uniform(1, 2, (2, 5, 2))
    whole = jackknife(ratio, [numerator, denominator], sizes=[3, 4, 5, 3, 4])
    again = jackknife_interval(whole.estimate, whole.replicates, [3, 4, 5, 3, 4])
    np.testing.assert_array_equal(again.low, whole.low)
    np.testing.assert_array_equal(again.high, whole.high)
    with pytest.raises(ValueError, match="two folds"):
        jackknife_interval(whole.estimate, whole.replicates[:1], [3])

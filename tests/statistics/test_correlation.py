"""Correlations against scipy; undefined ones are NaN with a reason."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.statistics.correlation import correlate, midranks, partial_correlation
from scipy import stats

RNG = np.random.default_rng(0)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 4)), elements=st.integers(-3, 3).map(float)))
def test_midranks_agree_with_scipy(values: np.ndarray) -> None:
    np.testing.assert_array_equal(midranks(values), stats.rankdata(values, axis=0))
    np.testing.assert_array_equal(midranks(values, axis=1), stats.rankdata(values, axis=1))


def test_midranks_refuse_nan() -> None:
    with pytest.raises(ValueError, match="NaN"):
        midranks([1.0, np.nan])


def test_pearson_and_spearman_agree_with_scipy() -> None:
    x, y = RNG.integers(0, 5, (14, 6)).astype(float), RNG.normal(size=(14, 4))
    for method, reference in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr)):
        result = correlate(x, y, method)
        expected = [[reference(a, b).statistic for b in y.T] for a in x.T]
        np.testing.assert_allclose(result.r, expected, atol=1e-12)
        assert (result.count == 14).all() and (result.reason == "").all()


def test_spearman_is_pearson_of_midranks() -> None:
    x, y = RNG.integers(0, 3, (20, 2)), RNG.integers(0, 4, (20, 3))
    np.testing.assert_allclose(correlate(x, y, "spearman").r, correlate(midranks(x), midranks(y)).r, atol=1e-12)


def test_missing_rows_are_left_out_per_pair() -> None:
    x, y = RNG.normal(size=(10, 2)), RNG.normal(size=(10, 3))
    y[2, 0] = y[7, 0] = y[3, 2] = np.nan
    result = correlate(x, y, "spearman")
    kept = ~np.isnan(y[:, 0])
    assert result.r[1, 0] == pytest.approx(stats.spearmanr(x[kept, 1], y[kept, 0]).statistic)
    np.testing.assert_array_equal(result.count, [[8, 10, 9]] * 2)


def test_constant_columns_are_nan_with_a_reason() -> None:
    x = np.column_stack([np.full(6, 0.1), np.arange(6)])
    y = np.column_stack([np.arange(6.0) ** 2, np.full(6, 3.0)])
    result = correlate(x, y)
    assert np.isnan(result.r).tolist() == [[True, True], [False, True]]
    assert result.reason.tolist() == [["predictor is constant", "predictor is constant"], ["", "outcome is constant"]]
    # Constant up to rounding is constant.
    assert np.isnan(correlate(np.array([0.1 + 0.2, 0.3, 0.3, 0.3]), np.arange(4)).r).all()


def test_too_few_rows_are_nan_with_a_reason() -> None:
    result = correlate([1.0, 2.0, np.nan], [1.0, 3.0, 2.0])
    assert np.isnan(result.r[0, 0]) and result.reason[0, 0] == "only 2 rows"
    assert correlate([1.0, 2, 4], [1.0, 3, 2], covariate=[1.0, 0, 1]).reason[0, 0] == "only 3 rows"


def test_partial_correlation_agrees_with_the_recursion_and_with_residuals() -> None:
    z = RNG.normal(size=30)
    x, y = z + RNG.normal(size=30), -z + RNG.normal(size=30)
    xy, xz, yz = (stats.pearsonr(a, b).statistic for a, b in ((x, y), (x, z), (y, z)))
    expected = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert partial_correlation(x, y, z).r[0, 0] == pytest.approx(expected)
    ranks = [midranks(v) for v in (x, y, z)]
    assert partial_correlation(x, y, z, "spearman").r[0, 0] == pytest.approx(partial_correlation(*ranks).r[0, 0])


def test_the_covariate_itself_and_a_constant_covariate_have_a_reason() -> None:
    z = RNG.normal(size=8)
    result = partial_correlation(np.column_stack([2 * z + 1, RNG.normal(size=8)]), RNG.normal(size=8), z)
    assert result.reason[:, 0].tolist() == ["predictor is determined by the covariate", ""]
    constant = partial_correlation(z, RNG.normal(size=8), np.ones(8))
    assert np.isnan(constant.r[0, 0]) and "covariate is constant" in constant.reason[0, 0]


@settings(deadline=None, max_examples=40)
@given(scale=st.sampled_from([1e-200, 1e-5, 1.0, 1e150]), shift=st.floats(-5, 5))
def test_invariant_to_scale_and_shift(scale: float, shift: float) -> None:
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(2, 12))
    assert correlate((x + shift) * scale, y).r[0, 0] == pytest.approx(correlate(x, y).r[0, 0], abs=1e-9)


def test_bad_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="3 rows and y has 4"):
        correlate(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="finite"):
        correlate([1.0, np.inf, 2.0], np.ones(3))
    with pytest.raises(ValueError, match="covariate has shape"):
        correlate(np.ones(3), np.ones(3), covariate=np.ones(2))

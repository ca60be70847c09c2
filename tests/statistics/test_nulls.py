"""Permutation nulls: complete enumeration, exact p-values, chance correction, calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.statistics import nulls


def test_few_items_are_enumerated_without_the_identity() -> None:
    order = nulls.permutations(4, 1000)
    assert order.shape == (23, 4)
    assert len({tuple(row) for row in order}) == 23 and (0, 1, 2, 3) not in {tuple(row) for row in order}


@settings(deadline=None, max_examples=20)
@given(count=st.integers(1, 30), draws=st.integers(1, 50), seed=st.integers(0, 5))
def test_every_draw_is_a_permutation(count: int, draws: int, seed: int) -> None:
    order = nulls.permutations(count, draws, seed)
    assert len(order) == min(draws, math.factorial(count) - 1)
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(count), (len(order), 1)))
    np.testing.assert_array_equal(order, nulls.permutations(count, draws, seed))


def test_restricted_permutations_stay_in_their_group_and_mix_it() -> None:
    groups = np.array(["a", "b", "a", "b", "a", "c"])
    order = nulls.permutations_within(groups, 200)
    assert (groups[order] == groups).all()
    np.testing.assert_array_equal(np.sort(order, axis=1), np.tile(np.arange(6), (200, 1)))
    assert set(order[:, 0]) == {0, 2, 4} and set(order[:, 5]) == {5}


def test_p_values_by_hand() -> None:
    null = np.array([0.1, -0.5, 0.3, 0.3])
    assert nulls.p_value(0.3, null) == pytest.approx(3 / 5)
    assert nulls.p_value(0.3, null, "two-sided") == pytest.approx(4 / 5)
    assert nulls.p_value(-0.4, null, "less") == pytest.approx(2 / 5)
    assert nulls.p_value(9.0, null) == pytest.approx(1 / 5)
    # Rounding must not turn a tie into a discovery.
    assert nulls.p_value(0.1 + 0.2, np.full(9, 0.3)) == 1.0
    np.testing.assert_allclose(nulls.p_value([0.3, np.nan], null), [3 / 5, np.nan])
    np.testing.assert_allclose(nulls.p_value([[0.0], [1.0]], np.zeros((3, 2, 1))), [[1.0], [0.25]])


def test_p_values_are_uniform_under_the_null() -> None:
    generator = np.random.default_rng(0)
    p = np.array([nulls.p_value(row[0], row[1:]) for row in generator.normal(size=(2000, 20))])
    counts = np.bincount((p * 20).round().astype(int), minlength=21)[1:]
    assert counts.sum() == 2000 and np.abs(counts - 100).max() < 45


def test_chance_correction() -> None:
    np.testing.assert_allclose(nulls.chance_corrected([0.2, 1.0, 0.0], [0.2, 0.2, 0.5]), [0, 1, -1])
    assert np.isnan(nulls.chance_corrected(0.5, 1.0))


def test_calibration_is_zero_up_to_the_critical_value() -> None:
    null = np.linspace(0, 0.99, 199)
    tau = np.sort(np.append(null, 0.995))[189]
    assert nulls.calibrated(0.995, null) == pytest.approx((0.995 - tau) / (1 - tau))
    assert nulls.calibrated(0.5, null) == 0.0
    assert nulls.calibrated(1.0, null) == 1.0

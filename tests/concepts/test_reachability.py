"""Reach: the bound of the areas, and its closed form for a tail."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import problem, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.reachability import highest_iou, reachable, reachable_range
from intermodel.concepts.sums import Sums


def test_range_of_the_default_tail() -> None:
    low, high = reachable_range(0.005, 0.04)
    assert (low, high) == (pytest.approx(0.0002), pytest.approx(0.125))
    assert reachable_range(0.2, 0.04) == (pytest.approx(0.008), 1.0)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["category", "all"]))
def test_no_unit_exceeds_the_bound(seed: int, denominator: str) -> None:
    case = problem(seed)
    sums = case.tally().folds.total()
    bound = highest_iou(sums, case.vocabulary, denominator)
    found = iou_matrix(sums, case.vocabulary, denominator)
    np.testing.assert_array_equal(np.isnan(bound), np.isnan(found).all(axis=0))
    assert (np.nan_to_num(found) <= np.nan_to_num(bound) + 1e-12).all()


def test_reach_agrees_with_the_range_when_all_units_are_alike() -> None:
    words = vocabulary(5, categories=("object",))
    areas = np.array([19, 21, 5000, 12499, 12501])
    sums = Sums.zeros((), 3, 5, 1)
    sums.unit_area[:] = 500
    sums.unit_area_category[:] = 500
    sums.label_area[:] = areas
    low, high = reachable_range(500 / 100_000, 0.04)
    expected = (areas / 100_000 > low) & (areas / 100_000 < high)
    assert expected.tolist() == [False, True, True, True, False]
    for denominator in ("category", "all"):
        np.testing.assert_array_equal(reachable(sums, words, 0.04, denominator), expected)


def test_without_active_units_or_pixels_nothing_is_within_reach() -> None:
    words = vocabulary(2, categories=("object",))
    sums = Sums.zeros((), 2, 2, 1)
    sums.label_area[:] = [100, 0]
    bound = highest_iou(sums, words)
    assert bound[0] == 0.0 and np.isnan(bound[1])
    assert not reachable(sums, words, 0.04).any()

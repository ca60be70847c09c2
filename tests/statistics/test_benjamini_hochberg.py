"""Benjamini-Hochberg against scipy and its own definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.statistics.multiple_testing import benjamini_hochberg
from scipy.stats import false_discovery_control


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_agrees_with_scipy(values: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(values), false_discovery_control(values), atol=1e-15)


def test_tests_that_were_not_made_do_not_count() -> None:
    adjusted = benjamini_hochberg([[0.01, np.nan], [0.04, 0.03]])
    np.testing.assert_allclose(adjusted, [[0.03, np.nan], [0.04, 0.04]])
    assert np.isnan(benjamini_hochberg([np.nan])).all() and benjamini_hochberg([]).shape == (0,)


def test_share_of_false_discoveries_is_bounded() -> None:
    generator = np.random.default_rng(0)
    shares = []
    for _ in range(300):
        p = generator.uniform(size=100)
        p[:20] **= 8
        found = benjamini_hochberg(p) <= 0.1
        shares.append(found[20:].sum() / max(1, found.sum()))
    assert np.mean(shares) < 0.1


def test_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        benjamini_hochberg([0.1, 1.1])

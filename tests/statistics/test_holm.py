"""Holm's adjustment against its definition and what it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.statistics.multiple_testing import holm


def stepwise(values: list[float], level: float) -> list[bool]:
    """Holm's procedure as it is told: go up from the smallest p and stop at the first that is too large."""
    rejected = [False] * len(values)
    for step, place in enumerate(sorted(range(len(values)), key=lambda k: values[k])):
        if values[place] > level / (len(values) - step):
            break
        rejected[place] = True
    return rejected


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.01, 0.3))
def test_rejects_what_the_procedure_rejects(values: list[float], level: float) -> None:
    adjusted = holm(values)
    clear = np.abs(adjusted - level) > 1e-9
    np.testing.assert_array_equal((adjusted <= level)[clear], np.array(stepwise(values, level))[clear])


def test_worked_example_and_tests_that_were_not_made() -> None:
    np.testing.assert_allclose(holm([[0.01, np.nan], [0.04, 0.03]]), [[0.03, np.nan], [0.06, 0.06]])
    assert np.isnan(holm([np.nan])).all() and holm([]).shape == (0,)


def test_one_false_claim_is_as_rare_as_promised() -> None:
    generator = np.random.default_rng(0)
    false = [(holm(generator.uniform(size=20)) <= 0.1).any() for _ in range(2000)]
    assert 0.08 < np.mean(false) < 0.115


def test_refuses_what_is_no_probability() -> None:
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        holm([0.1, 1.1])

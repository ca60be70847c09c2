"""Schedules of the learning rate and of BYOL's momentum."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.training.schedule import learning_rate_at, momentum_at


def test_known_values():
    rates = [learning_rate_at(step, 10, 2.0, 0.2) for step in range(10)]
    expected = [1.0, 2.0] + [1 + math.cos(math.pi * k / 8) for k in range(8)]
    assert rates == pytest.approx(expected)


def test_momentum_goes_from_base_to_one():
    assert momentum_at(0, 100, 0.99) == pytest.approx(0.99)
    assert momentum_at(50, 100, 0.99) == pytest.approx(0.995)
    assert momentum_at(100, 100, 0.99) == 1.0


@given(steps=st.integers(1, 300), peak=st.floats(1e-6, 10), warmup=st.floats(0, 0.99))
@settings(max_examples=50, deadline=None)
def test_rate_is_positive_rises_then_falls_and_never_exceeds_the_peak(steps, peak, warmup):
    rates = [learning_rate_at(step, steps, peak, warmup) for step in range(steps)]
    assert all(0 < rate <= peak * (1 + 1e-12) for rate in rates)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


@given(steps=st.integers(1, 300), base=st.floats(0, 0.999))
@settings(max_examples=50, deadline=None)
def test_momentum_never_falls(steps, base):
    values = [momentum_at(step, steps, base) for step in range(steps)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(base)
    assert values[-1] < 1

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.probe.accuracy import accuracy, paired_difference
from intermodel.statistics.intervals import wilson

flags = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


def test_accuracy_has_the_interval_of_wilson():
    correct = np.arange(40) < 31
    found = accuracy(correct)
    low, high = wilson(31, 40)
    assert (found.value, found.low, found.high, found.images) == (31 / 40, float(low), float(high), 40)


@settings(deadline=None, max_examples=100)
@given(flags)
def test_exchanging_the_models_turns_the_difference_round(pairs):
    a, b = np.array(pairs).T
    one, other = paired_difference(a, b), paired_difference(b, a)
    assert one.value == -other.value
    assert one.low == pytest.approx(-other.high, abs=1e-12)
    assert one.p_value == pytest.approx(other.p_value)
    assert -1 <= one.low <= one.value <= one.high <= 1
    assert one.value == pytest.approx(a.mean() - b.mean(), abs=1e-12)


def test_interval_covers_the_true_difference_as_often_as_it_says():
    # Correlated outcomes, as of two models on the same images: most images are easy or hard for both.
    rng = np.random.default_rng(0)
    easy, images, trials = 0.7, 80, 600
    covered = 0
    for _ in range(trials):
        shared = rng.random(images) < easy
        a = np.where(rng.random(images) < 0.8, shared, rng.random(images) < 0.6)
        b = np.where(rng.random(images) < 0.7, shared, rng.random(images) < 0.4)
        truth = (0.8 * easy + 0.2 * 0.6) - (0.7 * easy + 0.3 * 0.4)
        found = paired_difference(a, b)
        covered += found.low <= truth <= found.high
    assert 0.925 < covered / trials < 0.98


def test_pairing_narrows_the_interval():
    rng = np.random.default_rng(1)
    a = rng.random(400) < 0.7
    b = a.copy()
    b[:12] = ~b[:12]
    alike, apart = paired_difference(a, b), paired_difference(a, rng.permutation(b))
    assert alike.high - alike.low < 0.6 * (apart.high - apart.low)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (9, 0), (3, 8), (40, 22), (600, 500)])
def test_p_value_is_the_mid_p_of_mcnemar(only_first, only_second):
    a = np.array([True] * only_first + [False] * only_second + [True] * 5)
    b = np.array([False] * only_first + [True] * only_second + [True] * 5)
    total, least = only_first + only_second, min(only_first, only_second)
    # Exact integers: twice the tail up to the smaller count, the count itself half.
    ways = 2 * sum(math.comb(total, i) for i in range(least + 1)) - math.comb(total, least)
    expected = ways / 2**total if only_first != only_second else 1.0
    assert paired_difference(a, b).p_value == pytest.approx(expected, rel=1e-9)


def test_p_values_of_equal_models_are_rarely_small():
    rng = np.random.default_rng(2)
    p = [paired_difference(rng.random(100) < 0.6, rng.random(100) < 0.6).p_value for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) < 0.08


def test_two_perfect_models_differ_by_no_more_than_their_intervals():
    found = paired_difference(np.ones(50, bool), np.ones(50, bool))
    low, _ = wilson(50, 50)
    assert found.value == 0 and found.p_value == 1
    assert found.low == pytest.approx(float(low) - 1) and found.high == pytest.approx(1 - float(low))


@pytest.mark.parametrize(("a", "b"), [([], []), ([True], [True, False]), ([[True]], [[True]])])
def test_unequal_or_empty_outcomes_are_refused(a, b):
    with pytest.raises(ValueError, match=r"expected one outcome|same images"):
        paired_difference(a, b)

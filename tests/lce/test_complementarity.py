"""Set relations between what models know."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.lce.complementarity import exclusive, greedy_order, overlap

counts = arrays(np.int64, (4, 6), elements=st.integers(0, 2))


@settings(deadline=None, max_examples=40)
@given(counts)
def test_overlap_equals_set_arithmetic(count: np.ndarray) -> None:
    known = [set(np.flatnonzero(row)) for row in count]
    result = overlap(count)
    for i in range(4):
        for j in range(4):
            assert result.only[i, j] == len(known[i] - known[j])
            assert result.shared[i, j] == len(known[i] & known[j])
            assert result.union[i, j] == len(known[i] | known[j])


def test_overlap_of_replicates() -> None:
    count = np.random.default_rng(0).integers(0, 2, (3, 4, 5))
    together = overlap(count)
    np.testing.assert_array_equal(together.union, [overlap(one).union for one in count])


def test_exclusive_concepts_belong_to_one_model() -> None:
    known = np.array([[1, 1, 0, 0], [0, 2, 0, 0], [0, 0, 3, 0]])
    assert exclusive(known).tolist() == [[True, False, False, False], [False] * 4, [False, False, True, False]]


@settings(deadline=None, max_examples=30)
@given(counts)
def test_greedy_order_takes_the_largest_gain_each_time(count: np.ndarray) -> None:
    order, covered = greedy_order(count)
    assert sorted(order) == [0, 1, 2, 3]
    assert covered[-1] == (count > 0).any(axis=0).sum()
    gains = np.diff(covered, prepend=0)
    assert (np.diff(gains) <= 0).all()
    assert gains[0] == (count > 0).sum(axis=1).max()

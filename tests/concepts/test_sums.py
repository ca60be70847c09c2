"""Sums over folds, and the hashes that put images into folds and wrong pairs."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import assert_equal_sums, problem
from intermodel.concepts.sums import Sums, folds_of, partners


def test_replicates_are_the_sums_without_each_fold() -> None:
    folds = problem(0).tally(folds=5).folds
    held = [row for row in range(5) if folds.images[row]]
    replicates = list(folds.replicates())
    assert len(replicates) == len(held) >= 2
    for row, replicate in zip(held, replicates, strict=True):
        assert_equal_sums(replicate, folds.of([other for other in range(5) if other != row]))
        assert_equal_sums(replicate, folds.without(row))
        assert_equal_sums(replicate + folds.of(row), folds.total())


def test_sums_start_at_zero_and_keep_their_shapes() -> None:
    empty = Sums.zeros((3,), 4, 7, 2)
    assert len(empty) == 3 and empty.intersection.shape == (3, 4, 7) and empty.unit_area_category.shape == (3, 4, 2)
    assert empty.total().pixels_category.tolist() == [0, 0]
    assert empty.without_intersection().intersection.size == 0


def test_folds_depend_on_the_id_alone_and_are_even() -> None:
    ids = np.array([f"train/{i:06}" for i in range(4000)])
    folds = folds_of(ids, 16)
    np.testing.assert_array_equal(folds_of(ids[::-1], 16), folds[::-1])
    counts = np.bincount(folds, minlength=16)
    assert counts.sum() == 4000 and abs(counts - 250).max() < 5 * np.sqrt(250)
    # The digests begin with ca, 3e and 2e: tallies of different machines and versions add up.
    assert folds_of(np.array(["a", "b", "c"]), 16).tolist() == [10, 14, 14]


@pytest.mark.parametrize("shift", [1, 2, 5])
def test_partners_are_others_and_follow_the_ids(shift: int) -> None:
    ids = np.array([f"{i}" for i in range(50)])
    rows = partners(ids, shift)
    assert (rows != np.arange(50)).all() and len(set(rows)) == 50
    order = np.random.default_rng(0).permutation(50)
    np.testing.assert_array_equal(ids[order][partners(ids[order], shift)], ids[rows][order])

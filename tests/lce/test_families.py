"""Declared families against groups that were found."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.lce.families import match_families


def test_families_that_come_back_as_groups_are_told_by_an_exact_p() -> None:
    found = match_families(list("aaabbb"), [1, 1, 1, 0, 0, 0], 10_000, 0)
    # Of the 720 permutations 2 * 3! * 3! keep the families together.
    assert found.index == 1 and found.draws == 719 and found.p == pytest.approx(72 / 720)
    assert found.reason == ""


def test_p_is_uniform_where_families_mean_nothing() -> None:
    generator = np.random.default_rng(0)
    families = list("aaaabbbbcccc")
    p = [match_families(families, generator.integers(0, 3, 12), 199, seed).p for seed in range(200)]
    assert 0.01 <= np.mean(np.array(p) <= 0.05) <= 0.09


@pytest.mark.parametrize(
    ("families", "clusters", "reason"),
    [
        ("aaa", [0, 1, 1], "all models are in one family"),
        ("aab", [0, 0, 0], "all models are in one cluster"),
        ("abc", [0, 0, 1], "every model is a family of its own"),
        ("aab", [0, 1, 2], "every model is a cluster of its own"),
    ],
)
def test_what_cannot_be_compared_says_why(families: str, clusters: list[int], reason: str) -> None:
    found = match_families(list(families), clusters, 100, 0)
    assert np.isnan([found.index, found.p]).all() and found.reason == reason

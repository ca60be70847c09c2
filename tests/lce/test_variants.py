"""What a vector holds, varied: how far the order of the distances depends on it."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.lce.variants import Likeness, all_variants, liken, likeness_sentence, map_correlation
from intermodel.lce.vectors import VARIANTS
from scipy.spatial import procrustes
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr


def test_every_two_variants_are_compared() -> None:
    generator = np.random.default_rng(0)
    count = generator.integers(0, 9, (6, 12))
    units = np.array([64, 64, 64, 64, 64, 128])
    soft = {"soft": generator.random((6, 12)), "soft_auroc": generator.random((6, 12))}
    vectors = all_variants(count, units, soft, "none")
    assert tuple(vectors) == VARIANTS
    found = {(item.first, item.second): item for item in liken(vectors)}
    assert len(found) == 21
    item = found["count", "soft_auroc"]
    one, two = pdist(count), pdist(soft["soft_auroc"])
    assert item.r == pytest.approx(spearmanr(one, two).statistic)
    assert item.same_closest == (one.argmin() == two.argmin())
    kept = [spearmanr(pdist(np.delete(count, k, 0)), pdist(np.delete(soft["soft_auroc"], k, 0)))[0] for k in range(6)]
    assert (item.low, item.high) == pytest.approx((min(kept), max(kept)))
    # Models of one width: per unit is the same but for a factor.
    same = liken(all_variants(count, np.full(6, 64), {}, "none"))
    assert (same[0].first, same[0].second) == ("count", "fraction") and len(same) == 10
    assert same[0].r == pytest.approx(1) and same[0].map_r == pytest.approx(1)
    assert same[0].same_closest and same[0].same_neighbour == 6


def test_maps_are_compared_up_to_turning_and_stretching() -> None:
    generator = np.random.default_rng(1)
    one, two = generator.normal(size=(2, 7, 2))
    one, two = one - one.mean(axis=0), two - two.mean(axis=0)
    assert map_correlation(one, two) ** 2 == pytest.approx(1 - procrustes(one, two)[2])
    turned = 3 * one @ [[0.6, -0.8], [0.8, 0.6]]
    assert map_correlation(one, turned) == pytest.approx(1)
    assert np.isnan(map_correlation(one, np.zeros((7, 2))))


def test_sentence_tells_the_ends() -> None:
    def item(first: str, second: str, r: float, closest: bool) -> Likeness:
        return Likeness(first, second, r, np.nan, np.nan, 1.0, closest, 3)

    items = [item("count", "share", 0.5, True), item("count", "soft", 0.9, False), item("share", "soft", 0.1, False)]
    assert likeness_sentence(items, "count", 5) == (
        "How much hangs on what a vector holds: under the 2 other variants the distances between 5 trained models are "
        "ordered as under count from 0.50 (share) to 0.90 (soft) (rank correlation), and the closest pair is the same "
        "in 1 of 2."
    )
    assert likeness_sentence(items, "binary", 5) is None
    # Two models have one distance only.
    assert liken({"count": np.eye(2), "share": np.eye(2)}) == []

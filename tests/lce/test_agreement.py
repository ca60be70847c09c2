"""Agreement of two geometries of the same models."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.lce.agreement import agreement_sentence, agreements, similarity_matrix
from intermodel.lce.distances import euclidean

NAMES = ["a", "b", "c", "d", "e", "f"]
LAYERS = {name: f"layer-{name}" for name in NAMES}
POINTS = np.random.default_rng(0).normal(size=(6, 3))


def table(measure: str, similarity: np.ndarray) -> dict[str, np.ndarray]:
    """A table of pairs, model_b before model_a in half of them, other layers among them."""
    rows = []
    for i in range(6):
        for j in range(i + 1):
            first, second = (i, j) if (i + j) % 2 else (j, i)
            rows.append(
                (NAMES[first], f"layer-{NAMES[first]}", NAMES[second], f"layer-{NAMES[second]}", similarity[i, j])
            )
            rows.append((NAMES[first], "stem", NAMES[second], f"layer-{NAMES[second]}", 0.123))
    columns = dict(
        zip(("model_a", "layer_a", "model_b", "layer_b", "adjusted"), map(np.array, zip(*rows)), strict=True)
    )
    return columns | {"measure": np.full(len(rows), measure), "adjusted": columns["adjusted"].astype(float)}


def test_matrix_takes_the_chosen_layers_in_the_chosen_order() -> None:
    similarity = 1 - euclidean(POINTS) / 10
    np.testing.assert_array_equal(similarity_matrix(table("svcca", similarity), "svcca", LAYERS), similarity)
    order = ["d", "a"]
    chosen = similarity_matrix(table("svcca", similarity), "svcca", {name: LAYERS[name] for name in order})
    np.testing.assert_array_equal(chosen, similarity[np.ix_([3, 0], [3, 0])])
    assert np.isnan(similarity_matrix(table("svcca", similarity), "svcca", {"a": "elsewhere", "b": "layer-b"})[0, 1])


def test_equal_geometries_agree_and_unequal_ones_do_not() -> None:
    gaps = euclidean(POINTS)
    equal = agreements(gaps, table("cka_unbiased", 1 - gaps / 10), LAYERS, 1000, 0)
    assert [result.measure for result in equal] == ["cka_unbiased"]
    assert equal[0].test.r == pytest.approx(1) and equal[0].test.p == pytest.approx(1 / 720)
    assert agreement_sentence(equal, 6, 0.95).startswith("Models that detect similar concepts also have similar rep")
    opposite = agreements(gaps, table("svcca", gaps), LAYERS, 1000, 0)
    assert "cannot be shown (Mantel test over 6 trained models; SVCCA: rank correlation -1.00" in agreement_sentence(
        opposite, 6, 0.95
    )
    assert "by some measures and not by others" in agreement_sentence(equal + opposite, 6, 0.95)


def test_untestable_agreement_says_why() -> None:
    gaps = euclidean(POINTS)
    few = agreements(gaps[:2, :2], table("svcca", 1 - gaps), {name: LAYERS[name] for name in "ab"}, 100, 0)
    assert agreement_sentence(few, 2, 0.95).endswith("cannot be tested (only 2 items).")
    assert agreements(gaps, table("regression", gaps), LAYERS, 100, 0) == []

"""Concept vectors against the golden values, with their invariances."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.lce.vectors import VARIANTS, by_category, concept_vectors, count_detectors

GOLDEN = ["lce_a", "lce_d_mixed_width"]
counts = arrays(np.int64, (4, 7), elements=st.integers(0, 5))


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_vectors(name: str, golden: Callable[[str], dict[str, np.ndarray]]) -> None:
    values = golden(name)
    count, units = golden_counts(values)
    np.testing.assert_array_equal(count, values["lce_count"])
    for variant, key in (("count", "count"), ("fraction", "fraction"), ("share", "share_of_detectors")):
        np.testing.assert_allclose(concept_vectors(count, units, variant), values[f"lce_{key}"], atol=1e-12)
    np.testing.assert_array_equal(concept_vectors(count, units, "binary"), values["lce_binary"])
    np.testing.assert_allclose(
        concept_vectors(count, units, "hellinger") ** 2, values["lce_share_of_detectors"], atol=1e-12
    )
    detectors, unique = by_category(count, values["label_category"], len(values["categories"]))
    np.testing.assert_array_equal(detectors, values["category_detectors"])
    np.testing.assert_array_equal(unique, values["category_unique"])
    np.testing.assert_array_equal(detectors.sum(axis=1), values["detectors"])
    np.testing.assert_array_equal(unique.sum(axis=1), values["unique_concepts"])


def golden_counts(values: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Counts from the golden IoU matrices: the label of highest IoU, the lowest number among equals, above 0.04."""
    units = values["units_per_model"]
    best, label = values["iou"].max(axis=1), values["iou"].argmax(axis=1)
    detected = np.where(best > values["iou_threshold"], label, -1)
    parts = np.split(detected, np.cumsum(units)[:-1])
    return np.stack([count_detectors(part, values["iou"].shape[1]) for part in parts]), units


def test_order_of_units_does_not_matter() -> None:
    labels = np.array([3, -1, 0, 3, 2])
    expected = [1, 0, 1, 2, 0]
    for order in np.random.default_rng(0).permuted(np.tile(labels, (5, 1)), axis=1):
        np.testing.assert_array_equal(count_detectors(order, 5), expected)


@settings(deadline=None, max_examples=30)
@given(counts)
def test_duplicated_units_double_the_count_and_leave_the_rest(count: np.ndarray) -> None:
    units = np.array([40, 41, 50, 60])
    for variant in ("fraction", "share", "binary", "hellinger"):
        np.testing.assert_allclose(
            concept_vectors(2 * count, 2 * units, variant), concept_vectors(count, units, variant)
        )
    np.testing.assert_array_equal(concept_vectors(2 * count, 2 * units), 2 * concept_vectors(count, units))


@settings(deadline=None, max_examples=30)
@given(counts)
def test_shares_sum_to_one_or_are_zero_without_detectors(count: np.ndarray) -> None:
    total = concept_vectors(count, np.full(4, 40), "share").sum(axis=1)
    np.testing.assert_allclose(total, (count.sum(axis=1) > 0).astype(float))


def test_soft_vectors_take_the_best_iou_and_count_absent_labels_as_zero() -> None:
    soft = concept_vectors(np.zeros((2, 3)), [4, 4], "soft", best=[[0.1, np.nan, 0.3], [0.0, 0.2, 0.5]])
    np.testing.assert_array_equal(soft, [[0.1, 0.0, 0.3], [0.0, 0.2, 0.5]])
    with pytest.raises(ValueError, match="needs best"):
        concept_vectors(np.zeros((2, 3)), [4, 4], "soft")


def test_replicates_are_handled_at_once() -> None:
    count = np.random.default_rng(1).integers(0, 4, (5, 3, 6))
    for variant in VARIANTS:
        together = concept_vectors(count, [9, 8, 7], variant, best=count / 10)
        single = [concept_vectors(one, [9, 8, 7], variant, best=one / 10) for one in count]
        np.testing.assert_array_equal(together, single)
    detectors, unique = by_category(count, [0, 0, 1, 2, 1, 0], 3)
    assert detectors.shape == unique.shape == (5, 3, 3)
    assert detectors.sum() == count.sum() and unique.sum() == (count > 0).sum()


def test_refuses_unknown_variants_and_labels() -> None:
    with pytest.raises(ValueError, match="variant is 'rank'"):
        concept_vectors(np.zeros((2, 3)), [4, 4], "rank")
    with pytest.raises(ValueError, match=r"-1\.\.2"):
        count_detectors([0, 3], 3)

"""Detectors under weightings of the folds against the plain computation of the concept analysis."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.labels import assign_labels, units_per_concept
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.lce import evidence
from intermodel.lce.evidence import best_iou, detectors, gather

THRESHOLD = 0.04


def weighted(folds: Sums, weights: np.ndarray) -> Sums:
    """The sums of a data set in which fold g counts `weights[g]` times."""
    return folds.of(np.repeat(np.arange(len(folds)), weights))


def plain(folds: Sums, words: Vocabulary, weights: np.ndarray, denominator: str) -> np.ndarray:
    labels = assign_labels(iou_matrix(weighted(folds, weights), words, denominator), words)
    return units_per_concept(labels, words, THRESHOLD)


@pytest.mark.parametrize("denominator", ["category", "all"])
def test_counts_agree_with_the_plain_computation_under_any_weighting(
    denominator: str, make_sums: Callable[..., Sums], vocabulary: Vocabulary
) -> None:
    folds = make_sums(model=3, images=120)
    weights = np.concatenate([np.ones((1, 16), int), 1 - np.eye(16, dtype=int), [[5] + [0] * 15]])
    weights = np.concatenate([weights, np.random.default_rng(0).multinomial(16, np.full(16, 1 / 16), 40)])
    found = gather(folds, vocabulary, THRESHOLD, denominator)
    counts = detectors(found, weights)
    expected = [plain(folds, vocabulary, row, denominator) for row in weights]
    np.testing.assert_array_equal(counts, expected)
    assert 0 < counts[0].sum() < 40 and len(found.unit) < folds.intersection[0].size / 2
    # Leading axes are kept.
    np.testing.assert_array_equal(detectors(found, weights[:56].reshape(2, 28, 16)), counts[:56].reshape(2, 28, -1))


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 100_000))
def test_small_numbers_with_many_ties(seed: int) -> None:
    generator = np.random.default_rng(seed)
    categories = ("b", "a")
    words = Vocabulary.from_records(
        [
            {"number": n + 1, "name": str(n), "category": categories[k]}
            for n, k in enumerate(generator.integers(0, 2, 4))
        ],
        categories,
    )
    folds = Sums.zeros((3,), 3, 4, 2)
    folds.images[:] = 1
    folds.intersection[:] = generator.integers(0, 3, (3, 3, 4))
    folds.label_area[:] = folds.intersection.max(axis=1) + generator.integers(0, 2, (3, 4))
    folds.unit_area_category[:] = folds.intersection.max(axis=2)[..., None] + generator.integers(0, 12, (3, 3, 2))
    weights = generator.integers(0, 3, (5, 3))
    weights[:, 0] += 1
    counts = detectors(gather(folds, words, THRESHOLD), weights)
    np.testing.assert_array_equal(counts, [plain(folds, words, row, "category") for row in weights])


def test_blocks_do_not_change_the_result(
    make_sums: Callable[..., Sums], vocabulary: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = make_sums(model=1)
    whole = gather(folds, vocabulary, THRESHOLD)
    best = best_iou(folds, vocabulary, np.ones((2, 16)))
    weights = np.random.default_rng(4).integers(0, 3, (9, 16))
    counts = detectors(whole, weights)
    monkeypatch.setattr(evidence, "BLOCK_ELEMENTS", 300)
    parts = gather(folds, vocabulary, THRESHOLD)
    np.testing.assert_array_equal(counts, detectors(whole, weights))
    np.testing.assert_array_equal(whole.unit, parts.unit)
    np.testing.assert_array_equal(whole.intersection, parts.intersection)
    np.testing.assert_array_equal(best, best_iou(folds, vocabulary, np.ones((2, 16))))


@pytest.mark.parametrize("denominator", ["category", "all"])
def test_best_iou_agrees_with_the_plain_computation(
    denominator: str, make_sums: Callable[..., Sums], vocabulary: Vocabulary
) -> None:
    folds = make_sums(model=2, images=60)
    folds.label_area[:, 4] = folds.intersection[:, :, 4] = 0
    weights = np.random.default_rng(1).multinomial(16, np.full(16, 1 / 16), 6)
    expected = [np.max(iou_matrix(weighted(folds, row), vocabulary, denominator), axis=0) for row in weights]
    result = best_iou(folds, vocabulary, weights, denominator)
    np.testing.assert_array_equal(result, expected)
    assert np.isnan(result[:, 4]).all()


def test_dead_and_borderline_units_detect_nothing(vocabulary: Vocabulary) -> None:
    folds = Sums.zeros((4,), 2, 18, 6)
    folds.images[:] = 1
    folds.label_area[:, 0] = 50
    # Unit 0 is dead; unit 1 reaches exactly 4 / 100 in every fold.
    folds.intersection[:, 1, 0], folds.unit_area_category[:, 1] = 4, 54
    found = gather(folds, vocabulary, THRESHOLD)
    assert found.unit.tolist() == [1]
    assert detectors(found, np.ones((1, 4))).sum() == 0
    lower = replace(found, iou_threshold=0.0399)
    assert detectors(lower, np.ones(4)).tolist() == [1] + [0] * 17


def test_units_permuted_or_duplicated(make_sums: Callable[..., Sums], vocabulary: Vocabulary) -> None:
    folds = make_sums(model=5)
    weights = np.random.default_rng(2).integers(0, 3, (5, 16))
    counts = detectors(gather(folds, vocabulary, THRESHOLD), weights)

    def rearranged(units: np.ndarray) -> Sums:
        names = ("unit_area", "unit_area_category", "intersection")
        return replace(folds, **{name: getattr(folds, name)[:, units] for name in names})

    shuffled = rearranged(np.random.default_rng(3).permutation(40))
    np.testing.assert_array_equal(detectors(gather(shuffled, vocabulary, THRESHOLD), weights), counts)
    doubled = rearranged(np.repeat(np.arange(40), 2))
    np.testing.assert_array_equal(detectors(gather(doubled, vocabulary, THRESHOLD), weights), 2 * counts)

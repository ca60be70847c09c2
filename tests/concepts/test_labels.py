"""Labels of units: conventions, strictness, ties, and units without one."""

from __future__ import annotations

import numpy as np
from concepts.samples import vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.labels import (
    assign_labels,
    concepts_per_category,
    detectors,
    units_per_category,
    units_per_concept,
)
from intermodel.concepts.vocabulary import Vocabulary

# Columns 0 to 5; categories color, object, scene in turn.
WORDS = vocabulary(6)
values = st.sampled_from([0.0, 0.03, 0.04, 0.05, 0.2, np.nan])


@settings(deadline=None, max_examples=100)
@given(arrays(np.float64, (4, 6), elements=values))
def test_against_a_plain_search(iou: np.ndarray) -> None:
    found = assign_labels(iou, WORDS)
    for u in range(4):
        best_of = []
        for k in range(3):
            columns = [c for c in range(6) if c % 3 == k and not np.isnan(iou[u, c])]
            best = max((iou[u, c] for c in columns), default=np.nan)
            winners = [c for c in columns if iou[u, c] == best and best > 0]
            assert found.category_label[u, k] == (winners[0] if winners else -1)
            np.testing.assert_equal(found.category_iou[u, k], best)
            assert found.category_tie[u, k] == (len(winners) > 1)
            best_of.append((best, winners[0]) if winners else (0.0, -1))
        top = max(value for value, _ in best_of)
        # Between categories the first wins.
        label = next(c for value, c in best_of if value == top) if top > 0 else -1
        assert (found.label[u], found.iou[u]) == (label, top)
        assert found.tie[u] == (top > 0 and np.sum(iou[u] == top) > 1)
    detected = [found.label[u] for u in range(4) if found.iou[u] > 0.04]
    assert units_per_concept(found, WORDS, 0.04).tolist() == [detected.count(c) for c in range(6)]
    both = [found.category_label[u, k] for u in range(4) for k in range(3) if found.category_iou[u, k] > 0.04]
    assert units_per_concept(found, WORDS, 0.04, "category").tolist() == [both.count(c) for c in range(6)]


def test_the_threshold_is_strict() -> None:
    found = assign_labels(np.array([[0.04, 0, 0, 0, 0, 0], [np.nextafter(0.04, 1), 0, 0, 0, 0, 0]]), WORDS)
    assert detectors(found, 0.04).tolist() == [False, True]
    assert detectors(found, 0.04, "category").tolist() == [[False] * 3, [True, False, False]]


def test_dead_units_have_no_label() -> None:
    found = assign_labels(np.zeros((1, 6)), WORDS)
    assert found.label.tolist() == [-1] and found.iou.tolist() == [0.0] and not found.tie.any()
    assert not detectors(found, 0.0).any()


def test_ties_between_categories_follow_their_order_not_the_numbers() -> None:
    words = Vocabulary.from_records(
        [{"number": 1, "name": "a", "category": "scene"}, {"number": 2, "name": "b", "category": "color"}],
        ["color", "scene"],
    )
    found = assign_labels(np.array([[0.3, 0.3]]), words)
    assert found.label.tolist() == [1] and found.tie.tolist() == [True] and not found.category_tie.any()


def test_the_conventions_count_differently() -> None:
    """One unit good at one label of each category, one at two labels of one category."""
    iou = np.array([[0.3, 0.2, 0.1, 0, 0, 0], [0.3, 0, 0, 0.2, 0, 0]])
    found = assign_labels(iou, WORDS)
    assert units_per_category(found, WORDS, 0.04).tolist() == [2, 0, 0]
    assert units_per_category(found, WORDS, 0.04, "category").tolist() == [2, 1, 1]
    assert concepts_per_category(found, WORDS, 0.04).tolist() == [1, 0, 0]
    assert concepts_per_category(found, WORDS, 0.04, "category").tolist() == [1, 1, 1]


def test_labels_never_present_take_no_part() -> None:
    iou = np.array([[np.nan, 0.1, np.nan, np.nan, 0.2, np.nan]])
    found = assign_labels(iou, WORDS)
    assert found.label.tolist() == [4]
    assert np.isnan(found.category_iou[0, [0, 2]]).all() and found.category_label[0].tolist() == [-1, 4, -1]
    nothing = assign_labels(np.full((1, 6), np.nan), WORDS)
    assert nothing.label.tolist() == [-1] and nothing.iou.tolist() == [0.0]


def test_a_category_without_labels() -> None:
    words = vocabulary(2, categories=("color", "object", "scene"))
    found = assign_labels(np.array([[0.1, 0.2]]), words)
    assert found.category_label.tolist() == [[0, 1, -1]] and np.isnan(found.category_iou[0, 2])

"""Disagreement of probes: closed forms, the exact null, joining by image id."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.probe.disagreement import disagreement, disagreement_rows
from intermodel.probe.files import ProbeOutcome


def outcome(ids, labels, predicted, classes=3):
    logits = np.zeros((len(ids), classes), dtype=np.float32)
    logits[np.arange(len(ids)), predicted] = 1.0
    return ProbeOutcome(
        ids=np.asarray(ids),
        labels=np.asarray(labels, dtype=np.int32),
        train_ids=np.empty(0, dtype=np.str_),
        logits=logits,
        class_numbers=np.arange(classes),
        correct=np.asarray(predicted) == np.asarray(labels),
        knn_correct=np.asarray(predicted) == np.asarray(labels),
        attributes={},
    )


def test_equal_predictions_never_disagree():
    found = disagreement([0, 1, 2, 0], [0, 1, 2, 0], [0, 1, 1, 1])
    assert found.share == 0.0
    assert found.both_wrong == 0.5


def test_independent_errors_by_hand():
    # Class 0: a says 0,1 and b says 0,0, so half of the pairings agree; class 1: both always say 1.
    found = disagreement([0, 1, 1, 1], [0, 0, 1, 1], [0, 0, 1, 1])
    assert found.share == 0.25
    assert found.independent == pytest.approx(0.25)
    assert found.largest == 0.25


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(2, 5))
def test_share_never_exceeds_the_sum_of_errors(seed, count, classes):
    generator = np.random.default_rng(seed)
    a, b, truth = generator.integers(0, classes, size=(3, count))
    found = disagreement(a, b, truth)
    assert found.share <= found.largest + 1e-12
    assert found.low <= found.share <= found.high
    assert found == disagreement(b, a, truth)


def test_independent_errors_equal_the_mean_over_permutations():
    generator = np.random.default_rng(0)
    a, b, truth = generator.integers(0, 3, size=(3, 90))
    draws = []
    for _ in range(3000):
        shuffled = b.copy()
        for label in range(3):
            members = np.flatnonzero(truth == label)
            shuffled[members] = b[generator.permutation(members)]
        draws.append(np.mean(a != shuffled))
    found = disagreement(a, b, truth).independent
    assert found == pytest.approx(np.mean(draws), abs=4 * np.std(draws) / np.sqrt(len(draws)))


def test_rows_are_joined_by_image_and_leave_controls_out():
    ids, labels, predicted = ["a", "b", "c", "d"], [0, 1, 2, 0], [0, 1, 2, 1]
    order = [2, 0, 3, 1]
    shuffled = outcome(*([np.asarray(values)[order] for values in (ids, labels, predicted)]))
    rows = disagreement_rows(
        {"one": outcome(ids, labels, predicted), "two": shuffled, "control": outcome(ids, labels, [0, 0, 0, 0])},
        controls=["control"],
    )
    assert len(rows) == 1
    assert rows[0]["disagreement"] == 0.0
    assert rows[0]["equal"]


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="one length"):
        disagreement([0, 1], [0], [0, 1])

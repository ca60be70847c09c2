"""Labels under other images: the same as labelling every draw anew."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import problem
from intermodel.concepts import stability
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.labels import assign_labels
from intermodel.concepts.stability import label_stability
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary


def plain(folds: Sums, words: Vocabulary, labels: np.ndarray, denominator: str, draws: int, seed: int) -> np.ndarray:
    """Every draw labelled from its own matrix of IoU."""
    held = np.flatnonzero(folds.images)
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(held), np.full(len(held), 1 / len(held)), size=draws)
    kept = np.zeros(len(labels))
    for line in weights:
        rows = np.repeat(held, line)
        kept += assign_labels(iou_matrix(folds.of(rows), words, denominator), words).label == labels
    return np.where(labels >= 0, kept / draws, np.nan)


@pytest.mark.parametrize("denominator", ["category", "all"])
@pytest.mark.parametrize("seed", range(4))
def test_is_that_of_labelling_every_draw(seed: int, denominator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem(seed, images=24, units=9)
    case.maps[:, 8] = 0
    tally = case.tally(folds=6)
    words = tally.vocabulary
    labels = assign_labels(iou_matrix(tally.folds.total(), words, denominator), words).label
    expected = plain(tally.folds, words, labels, denominator, 40, seed)
    found = label_stability(tally.folds, words, labels, denominator, 40, seed)
    np.testing.assert_allclose(found, expected, rtol=1e-15)
    assert np.isnan(found[8]) and (found[:8] < 1).any() and (found[:8] > 0).all()
    monkeypatch.setattr(stability, "BLOCK_ELEMENTS", 1)
    np.testing.assert_array_equal(label_stability(tally.folds, words, labels, denominator, 40, seed), found)


def test_ties_go_to_the_first() -> None:
    """Two labels on the same pixels: the first never loses, the second never wins."""
    case = problem(3, images=60)
    folds = case.tally(folds=4).folds
    words = Vocabulary(case.vocabulary.numbers, case.vocabulary.names, np.zeros(7, dtype=np.intp), ("one",))
    same = Sums(*(np.array(getattr(folds, name)) for name in folds.__dataclass_fields__))
    same.intersection[:, :, 1:] = 0
    same.intersection[:, :, 2] = same.intersection[:, :, 0]
    same.label_area[:, 2] = same.label_area[:, 0]
    assert label_stability(same, words, np.full(4, 0), "all").tolist() == [1.0] * 4
    assert label_stability(same, words, np.full(4, 2), "all").tolist() == [0.0] * 4


def test_one_fold_says_nothing() -> None:
    case = problem(2)
    folds = case.tally(folds=1).folds
    assert np.isnan(label_stability(folds, case.vocabulary, np.array([0, 1, 2, -1]))).all()

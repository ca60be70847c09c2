"""What a layer detects: planted units, intervals, halves, reach and chance in one."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.conftest import Folder
from concepts.samples import problem
from intermodel.concepts.files import read_tally
from intermodel.concepts.iou import iou_matrix
from intermodel.concepts.labels import CONVENTIONS, assign_labels, concepts_per_category, units_per_category
from intermodel.concepts.summary import layer_concepts
from intermodel.statistics.jackknife import jackknife_interval


def test_planted_units_are_found(tallied: Folder) -> None:
    found = layer_concepts(read_tally(tallied.tally("seer", "late")))
    numbers = found.vocabulary.numbers
    assert numbers[found.labels.label[:3]].tolist() == [1, 3, 5] and found.labels.label[5] == -1
    assert (found.interval.low[:3] > 0.04).all() and found.sure[:3].all() and found.halves_agree[:3].all()
    assert found.dead.tolist() == [False] * 5 + [True]
    assert not found.detector[5] and not found.halves_agree[5] and found.interval.estimate[5] != 0
    assert found.best_unit[[0, 2, 4]].tolist() == [0, 1, 2]
    assert found.chance is not None and (found.chance.detectors <= found.detector.sum()).all()
    assert found.total.intersection.size == 0 and found.fold_images.sum() == 80


@pytest.mark.parametrize("denominator", ["category", "all"])
def test_everything_follows_from_the_sums(denominator: str) -> None:
    tally = problem(4, images=30, tail=0.3).tally(folds=6)
    words, threshold = tally.vocabulary, 0.18
    found = layer_concepts(tally, threshold, denominator)
    matrix = iou_matrix(tally.folds.total(), words, denominator)
    labels = assign_labels(matrix, words)
    np.testing.assert_array_equal(found.labels.label, labels.label)
    np.testing.assert_allclose(found.best.estimate, matrix.max(axis=0))
    np.testing.assert_array_equal(found.best_unit, matrix.argmax(axis=0))
    np.testing.assert_array_equal(found.sure, (labels.iou > threshold) & (found.interval.low > threshold))
    assert found.sure.sum() < found.detector.sum() < 4
    left_out = [assign_labels(iou_matrix(s, words, denominator), words) for s in tally.folds.replicates()]
    sizes = tally.folds.images[tally.folds.images > 0]
    for convention in CONVENTIONS:
        for what, count in (("detectors", units_per_category), ("concepts", concepts_per_category)):
            each = [count(item, words, threshold, convention) for item in [labels, *left_out]]
            values = np.array([[one.sum(), *one] for one in each])
            counted = found.counts(what, convention)
            expected = jackknife_interval(values[0], values[1:], sizes)
            np.testing.assert_allclose(counted.estimate, values[0])
            np.testing.assert_allclose(counted.low, expected.low)
            np.testing.assert_array_equal(found.count_replicates(what, convention), values[1:])


def test_one_fold_gives_counts_without_intervals() -> None:
    found = layer_concepts(problem(4).tally(folds=1))
    counted = found.counts("detectors")
    assert counted.estimate[0] == found.detector.sum() and np.isnan(counted.low).all()
    assert not found.halves_agree.any()


def test_detectors_by_false_discoveries() -> None:
    tally = problem(5, images=40, units=12, tail=0.3).tally(folds=6, shuffles=2)
    fixed = layer_concepts(tally, 0.04)
    found = layer_concepts(tally, 0.04, detection="fdr", fdr=0.6)
    assert fixed.chance is not None and found.chance is not None
    np.testing.assert_array_equal(found.detector, fixed.chance.false_discovery <= 0.6)
    assert found.iou_threshold == found.iou_at_fdr > 0.04 and 0 < found.detector.sum() < fixed.detector.sum()
    assert found.counts("detectors").estimate[0] == found.detector.sum()
    np.testing.assert_array_equal(found.chance.detectors, (found.chance.best > found.iou_threshold).sum(axis=1))
    assert np.isnan(layer_concepts(problem(5).tally()).iou_at_fdr)

"""IoU, the two denominators, and its jackknife."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import ArrayMaps, problem, vocabulary
from intermodel.concepts import iou as module
from intermodel.concepts.iou import all_iou_intervals, iou, iou_intervals, iou_matrix
from intermodel.concepts.patterns import label_patterns
from intermodel.concepts.sums import Sums
from intermodel.concepts.tally import tally
from intermodel.statistics.intervals import student_quantile


def test_by_hand() -> None:
    np.testing.assert_array_equal(iou([5, 0, 0, 4], [10, 0, 3, 4], [10, 7, 0, 4]), [1 / 3, 0.0, np.nan, 1.0])


def test_broadcasts() -> None:
    assert iou(np.ones((2, 3, 4)), np.ones((3, 1)), np.full(4, 2.0)).shape == (2, 3, 4)


def test_the_two_denominators() -> None:
    words = vocabulary(2, categories=("object", "scene"))
    # The object is annotated on the first image alone; the unit fires on both.
    layers = np.zeros((2, 1, 4, 4), dtype=int)
    layers[0, 0, :2] = 1
    patterns = label_patterns(layers, words, image_labels=[np.array([2]), np.array([2])])
    maps = np.zeros((2, 1, 4, 4))
    maps[:, :, :1] = 1.0
    sums = tally(ArrayMaps(maps), patterns, np.array([0.5])).folds.total()
    assert iou_matrix(sums, words, "category").tolist() == [[4 / 8, 8 / 32]]
    assert iou_matrix(sums, words, "all").tolist() == [[4 / 12, 8 / 32]]


@pytest.mark.parametrize("denominator", ["category", "all"])
def test_intervals_are_those_of_leaving_out_folds(denominator: str) -> None:
    case = problem(1, images=24)
    folds, words = case.tally(folds=5).folds, case.vocabulary
    units, labels = np.array([0, 2, 3]), np.array([1, 6, 0])
    found = iou_intervals(folds, words, units, labels, denominator)
    whole = iou_matrix(folds.total(), words, denominator)[units, labels]
    left_out = np.stack([iou_matrix(s, words, denominator)[units, labels] for s in folds.replicates()])
    np.testing.assert_allclose(found.estimate, whole, rtol=1e-15)
    np.testing.assert_allclose(found.replicates, left_out, rtol=1e-15)
    assert (found.low <= whole).all() and (whole <= found.high).all() and (found.low >= 0).all()
    # Busing's formula, written out.
    ratio = (folds.images.sum() / folds.images)[:, None]
    pseudo = ratio * whole - (ratio - 1) * left_out
    centre = 5 * whole - ((1 - 1 / ratio) * left_out).sum(axis=0)
    error = np.sqrt(((pseudo - centre) ** 2 / (ratio - 1)).mean(axis=0))
    np.testing.assert_allclose(found.high, np.minimum(whole + student_quantile(0.975, 4) * error, 1), rtol=1e-9)


def test_interval_covers_as_often_as_it_says() -> None:
    """Images drawn at random: the interval of the IoU contains that of very many images some 95 times in 100."""
    generator = np.random.default_rng(0)
    words = vocabulary(1, categories=("object",))

    def sums_of(images: int) -> Sums:
        strength = generator.gamma(2.0, size=(images, 1))
        a, t = generator.poisson(20 * strength), generator.poisson(30 * strength)
        both = generator.binomial(np.minimum(a, t), 0.6)
        fold = np.arange(images) % 16
        zeros = Sums.zeros((16,), 1, 1, 1)
        for array, values in ((zeros.unit_area, a), (zeros.label_area, t), (zeros.intersection[:, 0], both)):
            np.add.at(array, fold, values)
        zeros.unit_area_category[:, :, 0] = zeros.unit_area
        zeros.images[:] = np.bincount(fold, minlength=16)
        return zeros

    truth = iou_matrix(sums_of(400_000).total(), words).item()
    hits = 0
    for _ in range(200):
        found = iou_intervals(sums_of(320), words, np.array([0]), np.array([0]))
        hits += bool(found.low[0] <= truth <= found.high[0])
    assert 180 <= hits <= 200


def test_no_label_and_a_single_fold_have_no_interval() -> None:
    case = problem(2)
    found = iou_intervals(case.tally().folds, case.vocabulary, np.array([0, 1]), np.array([-1, 2]))
    assert np.isnan(found.estimate[0]) and np.isnan(found.high[0]) and np.isfinite(found.estimate[1])
    one = iou_intervals(case.tally(folds=1).folds, case.vocabulary, np.array([1]), np.array([2]))
    assert one.estimate[0] == found.estimate[1] and np.isnan(one.low[0])


@pytest.mark.parametrize("denominator", ["category", "all"])
def test_intervals_of_all_pairs_are_those_of_single_ones(denominator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem(1, images=24)
    folds, words = case.tally(folds=5).folds, case.vocabulary
    found = all_iou_intervals(folds, words, denominator)
    units, labels = np.indices(found.estimate.shape)
    expected = iou_intervals(folds, words, units, labels, denominator)
    for name in ("estimate", "standard_error", "low", "high"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, err_msg=name)
    monkeypatch.setattr(module, "BLOCK_ELEMENTS", 1)
    np.testing.assert_array_equal(all_iou_intervals(folds, words, denominator).low, found.low)
    single = all_iou_intervals(case.tally(folds=1).folds, words, denominator)
    np.testing.assert_allclose(single.estimate, found.estimate)
    assert np.isnan(single.low).all()

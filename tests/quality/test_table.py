from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.quality.events import active_events
from intermodel.quality.qscore import activation_rate, discriminative_mask, qscore
from intermodel.quality.ranking import rank
from intermodel.quality.table import SampleScore, accuracy_by_score, quality_table, random_mask_null
from intermodel.statistics.intervals import wilson


def example(seed=0, images=300):
    rng = np.random.default_rng(seed)
    correct = rng.random(images) < 0.7
    return correct, rng.normal(size=images) + correct, rng.normal(size=images)


def test_rows_hold_metrics_with_intervals_and_paired_differences():
    correct, good, noise = example()
    scores = {
        "qscore": SampleScore(noise, "features", 0.8),
        "good": SampleScore(good, "labels"),
        "same": SampleScore(3 * noise - 1, "features"),
    }
    table = {row["score"]: row for row in quality_table(scores, correct, 400, seed=1)}
    for name, score in scores.items():
        whole, row = rank(score.values, correct), table[name]
        for metric in ("auroc", "ap_right", "ap_error", "ap_error_normalised", "aurc", "eaurc"):
            assert row[metric] == float(getattr(whole, metric))
            assert row[f"{metric}_low"] < row[metric] < row[f"{metric}_high"]
        assert row["augrc"] == float(whole.augrc) and row["accuracy"] == correct.mean() and row["images"] == 300
        assert row["needs"] == score.needs and row["note"] == ""
    assert table["qscore"]["coverage"] == 0.8
    assert np.isnan(table["qscore"]["auroc_minus_qscore"])
    assert table["good"]["auroc_minus_qscore"] == pytest.approx(table["good"]["auroc"] - table["qscore"]["auroc"])
    assert table["good"]["auroc_minus_qscore_low"] > 0
    # The same order on the same resampled images: no difference, no uncertainty about it.
    assert table["same"]["auroc_minus_qscore_low"] == table["same"]["auroc_minus_qscore_high"] == 0


def test_intervals_cover_the_true_auroc():
    from statistics import NormalDist

    truth = NormalDist().cdf(1 / np.sqrt(2))
    covered = 0
    for seed in range(60):
        correct, good, _ = example(seed, 200)
        row = quality_table({"good": SampleScore(good, "features")}, correct, 200, seed)[0]
        covered += row["auroc_low"] <= truth <= row["auroc_high"]
    assert covered >= 52


@pytest.mark.parametrize(
    ("correct", "values", "note", "auroc"),
    [
        (np.ones(30, bool), np.arange(30.0), "undefined: all predictions are right", np.nan),
        (np.zeros(30, bool), np.arange(30.0), "undefined: all predictions are wrong", np.nan),
        (np.arange(30) < 20, np.zeros(30), "degenerate: all images have the same score", 0.5),
        (np.arange(30) < 20, np.full(30, np.nan), "n/a: signed features", np.nan),
    ],
)
def test_degenerate_outcomes_and_scores_carry_a_reason(correct, values, note, auroc):
    score = SampleScore(values, "features", note="n/a: signed features" if np.isnan(values[0]) else "")
    row = quality_table({"qscore": score}, correct, 100)[0]
    assert row["note"] == note
    np.testing.assert_equal(row["auroc"], auroc)
    np.testing.assert_equal([row["auroc_low"], row["auroc_high"]], [auroc, auroc])


def test_a_score_that_is_undefined_leaves_the_others_alone():
    correct, good, _ = example()
    undefined = SampleScore(np.full(300, np.nan), "features", note="n/a: signed features")
    both = quality_table({"qscore": undefined, "good": SampleScore(good, "labels")}, correct, 100)
    alone = quality_table({"good": SampleScore(good, "labels")}, correct, 100)
    assert both[1] == pytest.approx(alone[0], nan_ok=True)


def planted_events(seed):
    """Features in which the strength of medium-common units decides whether the image is classified correctly."""
    rng = np.random.default_rng(seed)
    images, units = 600, 100
    values = np.maximum(rng.normal(-1, 1, (images, units)), 0)
    strength = rng.uniform(0, 1, images)
    firing = rng.random((images, 20)) < 0.25
    values[:, :20] += firing * (3 + 6 * strength[:, None])
    # A few units fire for most images, many for hardly any, both with no regard to strength.
    values[:, 20:22] += (rng.random((images, 2)) < 0.5) * rng.uniform(3, 12, (images, 2))
    values[:, 22:] += (rng.random((images, 78)) < 0.03) * rng.uniform(3, 12, (images, 78))
    return active_events(values, 2.0), rng.random(images) < strength


def test_planted_units_beat_random_units():
    events, correct = planted_events(0)
    mask = discriminative_mask(activation_rate(events, 2.0), 78, 98)
    assert mask.units[:20].mean() > 0.9 and not mask.units[20:].any()
    rows = np.arange(600)
    found = random_mask_null(events, mask.units, 2.0, rows, correct, masks=120, bootstrap=360, seed=2)
    assert found.p_value < 0.01
    assert found.difference_low > 0
    observed = float(rank(qscore(events, mask.units, 2.0)[0], correct).auroc)
    assert found.difference == pytest.approx(observed - found.auroc.mean())
    assert found.low <= found.mean <= found.high < observed
    assert found.note == ""


def test_random_units_do_not_beat_random_units():
    events, correct = planted_events(1)
    rng = np.random.default_rng(0)
    rejected = 0
    for seed in range(12):
        random = np.zeros(100, bool)
        random[rng.choice(100, 30, replace=False)] = True
        found = random_mask_null(events, random, 2.0, np.arange(600), correct, 10, 100, seed)
        rejected += found.difference_low > 0
    assert rejected <= 2


@pytest.mark.parametrize(
    ("units", "correct", "note"),
    [
        (np.zeros(100, bool), None, "no unit or all of them"),
        (np.ones(100, bool), None, "no unit or all of them"),
        (np.arange(100) < 40, np.ones(600, bool), "all predictions are alike"),
    ],
)
def test_null_that_cannot_be_drawn_is_nan_with_a_reason(units, correct, note):
    events, outcomes = planted_events(0)
    found = random_mask_null(events, units, 2.0, np.arange(600), outcomes if correct is None else correct, 5, 100)
    assert note in found.note and np.isnan(found.difference) and np.isnan(found.p_value)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=80), st.integers(2, 10))
def test_groups_by_score_hold_every_image_once_and_keep_ties_together(pairs, bins):
    score, correct = (np.array(values) for values in zip(*pairs, strict=True))
    rows = accuracy_by_score(score.astype(float), correct, bins)
    assert sum(row["images"] for row in rows) == len(score) and 1 <= len(rows) <= bins
    assert sum(row["images"] * row["accuracy"] for row in rows) == pytest.approx(correct.sum())
    for before, after in pairwise(rows):
        assert before["score_high"] < after["score_low"]
    low, high = wilson(round(rows[0]["images"] * rows[0]["accuracy"]), rows[0]["images"])
    assert (rows[0]["accuracy_low"], rows[0]["accuracy_high"]) == (low, high)


def test_groups_of_a_continuous_score_are_equal():
    score = np.random.default_rng(0).permutation(1000).astype(float)
    rows = accuracy_by_score(score, score > 300)
    assert [row["images"] for row in rows] == [100] * 10
    assert [row["accuracy"] for row in rows] == [0, 0, 0, 0.99, 1, 1, 1, 1, 1, 1]
    assert accuracy_by_score(np.full(5, np.nan), np.ones(5, bool)) == []

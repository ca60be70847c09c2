import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.quality import ranking
from intermodel.quality.ranking import METRICS, bootstrap_draws, rank, rank_draws

NAMES = {
    "accuracy": "acc",
    "auroc": "auroc",
    "ap_right": "ap_correct",
    "ap_error": "ap_error",
    "ap_right_normalised": "ap_correct_norm",
    "ap_error_normalised": "ap_error_norm",
    "aurc": "aurc",
    "eaurc": "eaurc",
    "augrc": "augrc",
    "fpr95": "fpr95",
}
CASES = ("continuous", "ties", "mostly_zero", "constant", "perfect", "inverted", "all_correct", "all_wrong")
outcomes = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=2, max_size=40)


@pytest.mark.parametrize("case", CASES)
def test_metrics_equal_the_reference(golden, case):
    reference = golden("ranking_n120")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = rank(reference[f"{case}_s"], reference[f"{case}_y"])
    for name, key in NAMES.items():
        np.testing.assert_allclose(getattr(found, name), reference[f"{case}_{key}"], atol=1e-12, rtol=0, err_msg=name)


def test_metrics_of_real_scores_equal_the_reference(golden):
    for name in ("core_relu_n300_r160", "core_signed_n180_r96_small_eps"):
        reference = golden(name)
        rows = reference["test_rows"]
        for eps in reference["eps_list"]:
            for suffix in ("", "_nonzero", "_all"):
                found = rank(reference[f"eps{eps:g}_q{suffix}"][rows], reference["correct"][rows])
                for metric, key in NAMES.items():
                    expected = reference[f"eps{eps:g}_test{suffix}_{key}"]
                    np.testing.assert_allclose(getattr(found, metric), expected, atol=1e-12, rtol=0)


def test_auroc_and_average_precision_are_those_of_scikit_learn():
    from sklearn.metrics import average_precision_score, roc_auc_score

    rng = np.random.default_rng(0)
    for _ in range(20):
        correct = rng.random(80) < 0.7
        score = np.round(rng.normal(size=80) + correct, 1)
        found = rank(score, correct)
        assert found.auroc == pytest.approx(roc_auc_score(correct, score), abs=1e-12)
        assert found.ap_right == pytest.approx(average_precision_score(correct, score), abs=1e-12)
        assert found.ap_error == pytest.approx(average_precision_score(~correct, -score), abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(outcomes)
def test_risk_is_the_mean_over_ways_to_break_ties(pairs):
    score, correct = (np.array(values) for values in zip(*pairs, strict=True))
    # Expected errors among the k best are linear within a block of ties.
    order = np.argsort(-score, kind="stable")
    risk, reached, errors = [], 0, 0.0
    for value in np.unique(score)[::-1]:
        block = ~correct[order][score[order] == value]
        for _ in block:
            reached, errors = reached + 1, errors + block.mean()
            risk.append(errors / reached)
    found = rank(score, correct)
    assert found.aurc == pytest.approx(np.mean(risk), abs=1e-12)
    assert found.eaurc >= -1e-12


@settings(deadline=None, max_examples=80)
@given(outcomes, st.integers(0, 1000))
def test_weights_are_repetitions(pairs, seed):
    score, correct = (np.array(values) for values in zip(*pairs, strict=True))
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(score)))
    weights[:, 0] += 1
    found = rank_draws(score, correct, weights)
    for i, repeats in enumerate(weights):
        expected = rank(np.repeat(score, repeats), np.repeat(correct, repeats))
        for name in METRICS:
            np.testing.assert_allclose(
                getattr(found, name)[i], getattr(expected, name), atol=1e-12, rtol=0, err_msg=name
            )


@settings(deadline=None, max_examples=40)
@given(outcomes)
def test_only_the_order_of_the_scores_counts(pairs):
    score, correct = (np.array(values) for values in zip(*pairs, strict=True))
    a, b, c = rank(score, correct), rank(np.exp(score / 3) - 5, correct), rank(-score, correct)
    for name in METRICS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    np.testing.assert_allclose(a.auroc, 1 - c.auroc, atol=1e-12)


def test_batches_do_not_matter(monkeypatch):
    rng = np.random.default_rng(0)
    score, correct, draws = rng.normal(size=50), rng.random(50) < 0.5, bootstrap_draws(50, 40, 0)
    whole = rank_draws(score, correct, draws)
    monkeypatch.setattr(ranking, "BATCH_ELEMENTS", 120)
    batches = rank_draws(score, correct, draws)
    for name in METRICS:
        np.testing.assert_array_equal(getattr(whole, name), getattr(batches, name))


def test_draws_resample_all_images_and_repeat_with_their_seed():
    draws = bootstrap_draws(200, 300, 5)
    assert draws.shape == (300, 200) and (draws.sum(axis=1) == 200).all()
    assert draws.mean() == 1 and 0.9 < draws.var() < 1.1
    np.testing.assert_array_equal(draws, bootstrap_draws(200, 300, 5))
    assert (draws != bootstrap_draws(200, 300, 6)).any()


def test_random_scores_stay_near_chance():
    rng = np.random.default_rng(3)
    correct = rng.random(2000) < 0.8
    found = rank(rng.normal(size=2000), correct)
    errors = int((~correct).sum())
    standard_error = np.sqrt((2000 + 1) / (12 * errors * (2000 - errors)))
    assert abs(found.auroc - 0.5) < 3 * standard_error
    assert abs(found.ap_right - correct.mean()) < 0.03
    assert abs(found.ap_error_normalised) < 0.06


@pytest.mark.parametrize(
    ("score", "correct", "draws", "message"),
    [
        ([1.0, np.nan], [True, False], [[1, 1]], "must be finite"),
        ([1.0, 2.0], [True], [[1, 1]], "one score, one outcome and one weight per image"),
        ([1.0, 2.0], [True, False], [[1, 1, 1]], "one score, one outcome and one weight per image"),
        ([], [], [[]], "one score, one outcome and one weight per image"),
    ],
)
def test_what_cannot_be_ranked_is_refused(score, correct, draws, message):
    with pytest.raises(ValueError, match=message):
        rank_draws(np.array(score), np.array(correct), np.array(draws, dtype=int))

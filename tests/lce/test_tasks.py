"""Statements about tasks claim what survives, say what does not, and how much so few models would need."""

from __future__ import annotations

import re
from itertools import permutations

import numpy as np
import pytest
from intermodel.lce.performance import Outcomes, Result, cross
from intermodel.lce.tasks import Panel, needed_alone, task_rows, task_statements
from scipy import stats

RESULTS = (Result("detection", "voc", "AP"), Result("few_shot", "birds", "accuracy"), Result("linear", "x", "top1"))
CATEGORIES = ("object", "scene")


def panel(seed: int = 1, noise: float = 0.1, covariate: bool = False) -> Panel:
    """Fourteen models; concepts of objects go with detection, and with nothing else."""
    generator = np.random.default_rng(seed)
    skill, other = generator.normal(size=(2, 14))
    values = np.column_stack(
        [skill + noise * generator.normal(size=14), generator.normal(size=14), generator.normal(size=14)]
    )
    predictors = np.column_stack([skill + noise * generator.normal(size=14), other])
    held = "linear/imagenet/top1" if covariate else None
    crossings = cross(
        predictors, Outcomes(RESULTS, values, np.ones(3, bool)), skill + 0.3 * other if covariate else None, 999
    )
    return Panel(crossings, RESULTS, CATEGORIES, "unique", held, 0.95)


@pytest.mark.parametrize(
    ("models", "tests", "expected"), [(13, 1, 0.553), (14, 1, 0.532), (13, 90, 0.823), (14, 90, 0.802)]
)
def test_published_thresholds(models: int, tests: int, expected: float) -> None:
    assert needed_alone(models, 1 - 0.05 / tests) == pytest.approx(expected, abs=5e-4)


def test_needed_correlation_is_where_the_t_test_turns() -> None:
    for models in (4, 9, 30):
        assert stats.pearsonr(*correlated(models, needed_alone(models, 0.95) + 1e-6)).pvalue < 0.05
        assert stats.pearsonr(*correlated(models, needed_alone(models, 0.95) - 1e-6)).pvalue > 0.05
    assert needed_alone(9, 0.95, partial=True) == needed_alone(8, 0.95)
    assert needed_alone(2, 0.95) == needed_alone(3, 0.95, partial=True) == 1


def correlated(models: int, r: float) -> tuple[np.ndarray, np.ndarray]:
    """Two columns whose correlation is exactly r."""
    basis = np.linalg.qr(np.column_stack([np.ones(models), np.random.default_rng(0).normal(size=(models, 2))]))[0]
    return basis[:, 1], r * basis[:, 1] + np.sqrt(1 - r**2) * basis[:, 2]


def test_a_task_with_a_survivor_is_told_with_both_methods_and_n() -> None:
    said = task_statements(panel())
    assert said[0].startswith("**detection**: more different **object** concepts go with better results (Pearson's r +")
    assert "Spearman's ρ +" in said[0] and "n = 14 models" in said[0] and "association, not cause" in said[0]
    assert len(said) == 2 and said[1].startswith("No statement survives for **linear** (strongest: ")
    assert "Over 14 models a single |r| must exceed 0.53, and the largest of the 6 looked at 0." in said[1]


def test_nothing_that_survives_is_a_statement_too() -> None:
    said = task_statements(panel(seed=2, noise=20.0))
    assert len(said) == 1 and said[0].startswith("No statement survives for **linear** (strongest: ")
    assert "few shot" in said[0] and "detection" in said[0]


def test_of_many_results_without_a_statement_the_strongest_are_told() -> None:
    generator = np.random.default_rng(4)
    results = tuple(Result(f"task {k}", "x", "AP") for k in range(9))
    values = np.column_stack([generator.normal(size=(14, 8)), np.full(14, 2.0)])
    crossings = cross(generator.normal(size=(14, 2)), Outcomes(results, values, np.ones(9, bool)), draws=99)
    (text,) = task_statements(Panel(crossings, results, CATEGORIES, "unique", None, 0.95))
    assert text.startswith("No statement survives for 9 results, the strongest being **task ")
    told = [float(r) for r in re.findall(r"([+-]0\.\d\d)\)", text)]
    assert len(told) == 4 and np.abs(told).tolist() == sorted(np.abs(told), reverse=True)
    strongest = np.nanmax(np.abs(crossings[0].test.correlations.r))
    assert abs(told[0]) == pytest.approx(strongest, abs=0.005) and "task 8" not in text


def test_a_common_cause_takes_the_statement_away() -> None:
    """What the covariate explains no longer survives when it is held constant, and the sentence says so."""
    text = task_statements(panel(covariate=True, noise=0.3))[0]
    plain, partial = text.split("Pearson's r")[1:3]
    assert "does not survive" not in plain
    assert partial.startswith(" given linear/imagenet/top1") and "does not survive" in partial


def test_rows_hold_the_strongest_category_and_what_would_be_needed() -> None:
    rows = task_rows(panel())
    assert [(row["task"], row["method"]) for row in rows[:2]] == [("detection", "pearson"), ("detection", "spearman")]
    first = rows[0]
    assert (first["strongest"], first["surviving"], first["tested"], first["models"]) == ("object", "object", 2, 14)
    assert first["r"] > first["needed"] > first["needed_alone"]
    assert all(row["surviving"] == "" and abs(row["r"]) <= row["needed"] for row in rows[2:])


def test_undefined_correlations_say_why() -> None:
    outcomes = Outcomes(RESULTS, np.random.default_rng(0).normal(size=(14, 3)), np.ones(3, bool))
    constant = Panel(cross(np.ones((14, 2)), outcomes), RESULTS, CATEGORIES, "iou", None, 0.95)
    assert task_statements(constant) == [
        "Correlations between concepts and results are undefined (predictor is constant)."
    ]
    rows = task_rows(constant)
    assert all(np.isnan(row["r"]) and row["strongest"] == "" and row["tested"] == 0 for row in rows)
    few = Outcomes(RESULTS, np.where(np.arange(14)[:, None] < [14, 2, 14], outcomes.values, np.nan), np.ones(3, bool))
    half = Panel(
        cross(np.random.default_rng(1).normal(size=(14, 2)), few, draws=99), RESULTS, CATEGORIES, "iou", None, 0.95
    )
    assert "**few shot** (undefined: only 2 rows)" in task_statements(half)[-1]


def test_results_of_one_task_are_told_apart() -> None:
    results = (Result("det", "voc", "AP"), Result("det", "voc", "AP_50"))
    values = np.random.default_rng(0).normal(size=(6, 2))
    crossings = cross(
        np.random.default_rng(1).normal(size=(6, 2)), Outcomes(results, values, np.ones(2, bool)), draws=99
    )
    text = task_statements(Panel(crossings, results, CATEGORIES, "detectors", None, 0.95))[0]
    assert "**det (AP, voc)**" in text and "**det (AP 50, voc)**" in text


def test_max_statistic_equals_full_enumeration() -> None:
    """Five models, three results: the adjusted p by hand over all 120 permutations of the models."""
    generator = np.random.default_rng(5)
    predictors, values = generator.normal(size=(5, 2)), generator.normal(size=(5, 3))
    test = cross(predictors, Outcomes(RESULTS, values, np.ones(3, bool)))[0].test

    def table(order: tuple[int, ...]) -> np.ndarray:
        return np.abs(np.corrcoef(predictors[list(order)].T, values.T)[:2, 2:])

    largest = np.array([table(order).max() for order in permutations(range(5))])
    expected = (largest[:, None, None] >= table(tuple(range(5))) - 1e-12).mean(axis=0)
    np.testing.assert_allclose(test.p_adjusted, expected)

"""What a kind of concept has to do with downstream results: correlations over models, tested together."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.engine.errors import UserError
from intermodel.statistics.correlation import Method
from intermodel.statistics.multiple_testing import benjamini_hochberg
from intermodel.statistics.permutation import CorrelationTest, max_correlation_test

Kind = Literal["fraction", "percent", "unbounded"]
COLUMNS = ("model", "task", "dataset", "metric", "value")

# Recognised by the metric's name when the table does not say what it is.
LOWER_IS_BETTER = re.compile(r"error|loss|(^|_)(ece|mse|rmse|mae|nll|lpips|deg|perplexity)(_|$)", re.IGNORECASE)
UNBOUNDED = re.compile(r"error_deg|loss|(^|_)(mse|rmse|mae|nll|lpips|perplexity|deg)(_|$)", re.IGNORECASE)
BOUNDED = re.compile(
    r"acc|top_?[15]|precision|recall|pct|percent|within|error_rate|"
    r"(^|_)m?(ap\d*|iou|f1|auc|auroc|auprc|dice|ece)(_|$)",
    re.IGNORECASE,
)
PERCENT = re.compile(r"pct|percent", re.IGNORECASE)

# Logits of 0 and 1 are infinite; Ericsson et al. 2021 (appendix A.7) take logits of accuracies.
CLIP = 1e-4


@dataclass(frozen=True)
class Result:
    """One downstream measurement that models are compared on."""

    task: str
    dataset: str
    metric: str

    @property
    def name(self) -> str:
        """Task, data set and metric in one word, as the setting `covariate` names it."""
        return f"{self.task}/{self.dataset}/{self.metric}"


@dataclass(frozen=True)
class Outcomes:
    """Downstream results of the models, higher always better.

    Attributes
    ----------
    results
        What was measured, T of them.
    values
        (models, T): logits of bounded metrics, errors negated; NaN where a model has no value.
    bounded
        Whether each is a logit, (T,).
    """

    results: tuple[Result, ...]
    values: NDArray[np.float64]
    bounded: NDArray[np.bool_]


def read_performance(path: str | Path, models: Sequence[str]) -> Outcomes:
    """Read a table of downstream results.

    Parameters
    ----------
    path
        CSV with the columns model, task, dataset, metric, value and optionally higher_is_better (1, 0) and scale
        (fraction, percent, unbounded). Without these two the metric's name decides, and values above 1 mean percent.
    models
        Names of the models to look for; other models of the table are left out.

    Raises
    ------
    UserError
        If the table cannot be used, naming the line.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist; give an existing CSV file as analyses.lce.performance, or null.")
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or [])]
        if missing:
            raise UserError(
                f"{path} lacks the column {missing[0]!r}, expected a CSV table with {', '.join(COLUMNS)}; add it."
            )
        rows = [(reader.line_num, row) for row in reader]
    position = {name: number for number, name in enumerate(models)}
    values: dict[Result, NDArray[np.float64]] = {}
    seen: dict[tuple[str, Result], int] = {}
    kinds: dict[Result, str] = {}
    higher: dict[Result, bool] = {}
    for line, row in rows:
        result = Result(row["task"].strip(), row["dataset"].strip(), row["metric"].strip())
        model = row["model"].strip()
        if (model, result) in seen:
            raise UserError(
                f"{path}, line {line}, repeats {result.name} of {model!r} from line {seen[model, result]}; "
                "keep one value for each model, task, data set and metric."
            )
        seen[model, result] = line
        if model not in position or not row["value"].strip():
            continue
        column = values.setdefault(result, np.full(len(models), np.nan))
        column[position[model]] = _number(row["value"], path, line)
        if (row.get("scale") or "").strip():
            kinds[result] = _choice(row["scale"], ("fraction", "percent", "unbounded"), "scale", path, line)
        if (row.get("higher_is_better") or "").strip():
            choice = _choice(row["higher_is_better"], ("1", "0", "true", "false"), "higher_is_better", path, line)
            higher[result] = choice in ("1", "true")
    if not values:
        listed = sorted({row["model"].strip() for _, row in rows})[:8]
        raise UserError(
            f"{path} holds no value for any model of the study ({', '.join(models)}); its models are "
            f"{', '.join(listed)}{', …' if len(listed) == 8 else ''}; use the study's names in its column 'model'."
        )
    columns, bounded = [], []
    for result, column in values.items():
        kind = kinds.get(result) or metric_kind(result.metric, column)
        if kind != "unbounded":
            _check_range(column, kind, result, path)
        better = higher.get(result, not LOWER_IS_BETTER.search(result.metric))
        columns.append(transform(column, kind, better))
        bounded.append(kind != "unbounded")
    return Outcomes(tuple(values), np.stack(columns, axis=1), np.array(bounded))


def metric_kind(metric: str, values: ArrayLike) -> Kind:
    """What a metric's values are, by its name and its largest value; unknown names are left as they are."""
    if UNBOUNDED.search(metric) or not BOUNDED.search(metric):
        return "unbounded"
    if PERCENT.search(metric) or np.nanmax(np.asarray(values, dtype=np.float64)) > 1:
        return "percent"
    return "fraction"


def transform(values: ArrayLike, kind: str, higher_is_better: bool) -> NDArray[np.float64]:
    """Logit of fractions and percentages (clipped to [1e-4, 1 - 1e-4]); errors negated; NaN kept."""
    result = np.asarray(values, dtype=np.float64)
    if kind != "unbounded":
        share = np.clip(result / (100.0 if kind == "percent" else 1.0), CLIP, 1 - CLIP)
        result = np.log(share / (1 - share))
    return result if higher_is_better else -result


def join(first: Outcomes, second: Outcomes) -> Outcomes:
    """The results of two tables over the same models side by side."""
    return Outcomes(
        first.results + second.results,
        np.concatenate([first.values, second.values], axis=1),
        np.concatenate([first.bounded, second.bounded]),
    )


def summarise(outcomes: Outcomes) -> Outcomes:
    """Average over the data sets of each task.

    Logits of bounded metrics are averaged whatever their names; other metrics only with their like, since degrees and
    losses do not add up. A model that lacks one of a task's results has no average. Metrics whose name starts with
    "average" are averages already and are left out, unless a task holds nothing else.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    printed = [result.metric.startswith("average") for result in outcomes.results]
    measured = {result.task for result, average in zip(outcomes.results, printed, strict=True) if not average}
    for number, result in enumerate(outcomes.results):
        if printed[number] and result.task in measured:
            continue
        key = (result.task, "" if outcomes.bounded[number] else result.metric)
        groups.setdefault(key, []).append(number)
    results, values, bounded = [], [], []
    for (task, metric), members in groups.items():
        results.append(
            outcomes.results[members[0]]
            if len(members) == 1
            else Result(task, f"{len(members)} results", metric or "mean logit")
        )
        values.append(outcomes.values[:, members].mean(axis=1))
        bounded.append(not metric)
    return Outcomes(tuple(results), np.stack(values, axis=1), np.array(bounded))


def pick_covariate(outcomes: Outcomes, name: str) -> tuple[NDArray[np.float64], Outcomes]:
    """The result called `task/dataset/metric`, and the outcomes without it.

    Raises
    ------
    UserError
        If no such result exists.
    """
    names = [result.name for result in outcomes.results]
    if name not in names:
        raise UserError(
            f"analyses.lce.covariate is {name!r}, expected one of the results task/dataset/metric of the performance "
            f"table, such as {names[0]!r}."
        )
    number = names.index(name)
    rest = [index for index in range(len(names)) if index != number]
    return outcomes.values[:, number], replace(
        outcomes,
        results=tuple(outcomes.results[index] for index in rest),
        values=outcomes.values[:, rest],
        bounded=outcomes.bounded[rest],
    )


@dataclass(frozen=True)
class Crossing:
    """Correlations of concept categories with downstream results by one method.

    Attributes
    ----------
    method
        "pearson" or "spearman".
    partial
        Whether the covariate was held constant.
    test
        Correlations and p-values, (categories, T).
    q
        False discovery rate at which each would be called (Benjamini and Hochberg), (categories, T).
    """

    method: Method
    partial: bool
    test: CorrelationTest
    q: NDArray[np.float64]


def cross(
    predictors: ArrayLike,
    outcomes: Outcomes,
    covariate: ArrayLike | None = None,
    draws: int = 10_000,
    seed: int = 0,
    level: float = 0.05,
) -> list[Crossing]:
    """Correlate predictors (models, p) with outcomes over the models, Pearson and Spearman, and test all cells.

    Each table is tested for itself through its largest |r|; models are permuted, rows and columns as they are.
    With a covariate both methods are repeated with it held constant, over the models for which it is known.
    """
    values = np.asarray(predictors, dtype=np.float64)
    given = None if covariate is None else np.asarray(covariate, dtype=np.float64)
    methods: tuple[Method, ...] = ("pearson", "spearman")
    crossings = []
    for control in (None, given) if given is not None else (None,):
        rows = np.ones(len(values), bool) if control is None else ~np.isnan(control)
        for method in methods:
            test = max_correlation_test(
                values[rows],
                outcomes.values[rows],
                method,
                None if control is None else control[rows],
                draws,
                seed,
                level,
            )
            crossings.append(Crossing(method, control is not None, test, benjamini_hochberg(test.p)))
    return crossings


def _number(text: str, path: Path, line: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise UserError(f"{path}, line {line}, holds the value {text!r}, expected a number; correct it.")
    return value


def _choice(text: str, allowed: tuple[str, ...], column: str, path: Path, line: int) -> str:
    value = text.strip().lower()
    if value not in allowed:
        raise UserError(f"{path}, line {line}, holds {column} {text!r}, expected {', '.join(allowed)}; correct it.")
    return value


def _check_range(values: NDArray[np.float64], kind: str, result: Result, path: Path) -> None:
    top = 100.0 if kind == "percent" else 1.0
    low, high = np.nanmin(values), np.nanmax(values)
    if low < 0 or high > top:
        raise UserError(
            f"{path} holds {result.name} from {low:g} to {high:g}, expected a {kind} within 0 and {top:g}; correct the "
            "values or say what they are in a column 'scale' (fraction, percent, unbounded)."
        )

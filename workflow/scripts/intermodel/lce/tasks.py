"""Which kinds of concepts go with success on which task, and what so few models cannot tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.lce.performance import Crossing, Result
from intermodel.statistics.intervals import student_quantile

METHODS = {"pearson": "Pearson's r", "spearman": "Spearman's ρ"}
# How a predictor's growth is told of a category.
PREDICTORS = {
    "unique": "more different {} concepts",
    "detectors": "more {} detectors",
    "iou": "a higher mean IoU with {} concepts",
}
# Results without a statement that are told by name, strongest correlations first.
NAMED = 4


@dataclass(frozen=True)
class Panel:
    """Everything that the statements rest on.

    Attributes
    ----------
    crossings
        Pearson and Spearman, plain and, with a covariate, partial.
    results, categories
        Columns and rows of their tables.
    predictor
        What stands for a category, a key of `PREDICTORS`.
    covariate
        Name of the result held constant, or None.
    level
        Coverage of the intervals; a cell survives at 1 - level.
    """

    crossings: Sequence[Crossing]
    results: Sequence[Result]
    categories: Sequence[str]
    predictor: str
    covariate: str | None
    level: float

    def survives(self, crossing: Crossing) -> NDArray[np.bool_]:
        """Cells whose p, adjusted for all cells, is at most 1 - level, (categories, results)."""
        adjusted = crossing.test.p_adjusted
        surviving: NDArray[np.bool_] = np.where(np.isnan(adjusted), 1.0, adjusted) <= 1 - self.level
        return surviving


def needed_alone(models: int, level: float, partial: bool = False) -> float:
    """The |r| that a single correlation over so many models must exceed at level 1 - `level`, two-sided.

    From Student's t; 1 where there are too few models for any. Many correlations looked at together need more.
    """
    degrees = models - (3 if partial else 2)
    if degrees < 1:
        return 1.0
    quantile = student_quantile(0.5 + level / 2, degrees)
    return quantile / math.sqrt(degrees + quantile**2)


def task_rows(panel: Panel) -> list[dict[str, Any]]:
    """A row for each result and kind of correlation: the strongest category, what survives, what would be needed."""
    rows = []
    for column, result in enumerate(panel.results):
        for crossing in panel.crossings:
            test = crossing.test
            r = test.correlations.r[:, column]
            known = not np.isnan(r).all()
            best = int(np.nanargmax(np.abs(r))) if known else 0
            models = int(test.correlations.count[best, column])
            alive = np.flatnonzero(panel.survives(crossing)[:, column])
            rows.append(
                {
                    "task": result.task,
                    "dataset": result.dataset,
                    "metric": result.metric,
                    "method": crossing.method,
                    "covariate": panel.covariate if crossing.partial else "",
                    "models": models,
                    "tested": int((~np.isnan(r)).sum()),
                    "strongest": str(panel.categories[best]) if known else "",
                    "r": float(r[best]),
                    "p_adjusted": float(test.p_adjusted[best, column]),
                    "needed_alone": needed_alone(models, panel.level, crossing.partial),
                    "needed": test.critical,
                    "surviving": " ".join(panel.categories[row] for row in alive.tolist()),
                }
            )
    return rows


def task_statements(panel: Panel) -> list[str]:
    """A sentence for each result that some category goes with, then one for all others, then what limits them."""
    said, silent = [], []
    plain = [crossing for crossing in panel.crossings if not crossing.partial]
    if all(np.isnan(crossing.test.correlations.r).all() for crossing in plain):
        reasons = sorted(
            {str(reason) for crossing in plain for reason in crossing.test.correlations.reason.flat} - {""}
        )
        return [f"Correlations between concepts and results are undefined ({'; '.join(reasons)})."]
    for column, result in enumerate(panel.results):
        alive = np.any([panel.survives(crossing)[:, column] for crossing in panel.crossings], axis=0)
        if alive.any():
            parts = [_cell(panel, row, column) for row in np.flatnonzero(alive).tolist()]
            said.append(f"{_name(panel, result)}: {'; '.join(parts)}.")
        else:
            silent.append(_strongest(panel, plain, column))
    if said:
        said[-1] += " The models differ in more than their concepts: this is association, not cause."
    if silent:
        told = [text for _, text in sorted(silent, key=lambda item: -item[0])]
        names = "; ".join(told[:NAMED])
        number = "" if len(told) <= NAMED else f"{len(told)} results, the strongest being "
        said.append(f"No statement survives for {number}{names}. {_limits(panel)}")
    else:
        said[-1] += f" {_limits(panel)}"
    return said


def _cell(panel: Panel, row: int, column: int) -> str:
    """What is known of one category and one result."""
    numbers = []
    for crossing in panel.crossings:
        r = crossing.test.correlations.r[row, column]
        if np.isnan(r):
            continue
        verdict = "" if panel.survives(crossing)[row, column] else ", does not survive"
        held = f" given {panel.covariate}" if crossing.partial else ""
        adjusted = crossing.test.p_adjusted[row, column]
        numbers.append(f"{METHODS[crossing.method]}{held} {r:+.2f}, adjusted p {adjusted:.2g}{verdict}")
    models = int(panel.crossings[0].test.correlations.count[row, column])
    first = next(c.test.correlations.r[row, column] for c in panel.crossings if panel.survives(c)[row, column])
    direction = "better" if first > 0 else "worse"
    grown = PREDICTORS[panel.predictor].format(f"**{panel.categories[row]}**")
    return f"{grown} go with {direction} results ({'; '.join(numbers)}; n = {models} models)"


def _strongest(panel: Panel, plain: Sequence[Crossing], column: int) -> tuple[float, str]:
    """A result of which nothing can be said, with the strongest correlation that it has: its size, the words."""
    name = _name(panel, panel.results[column])
    r = plain[0].test.correlations.r[:, column]
    if np.isnan(r).all():
        return -1.0, f"{name} (undefined: {plain[0].test.correlations.reason[0, column]})"
    best = int(np.nanargmax(np.abs(r)))
    return abs(float(r[best])), f"{name} (strongest: {panel.categories[best]} {r[best]:+.2f})"


def _limits(panel: Panel) -> str:
    """How large a correlation these few models ask for."""
    first = panel.crossings[0]
    counts = first.test.correlations.count[~np.isnan(first.test.correlations.r)]
    models, cells = int(counts.max()), counts.size
    alone = needed_alone(models, panel.level)
    text = f"Over {models} models a single |r| must exceed {alone:.2f}, and the largest of the {cells} looked at "
    return f"{text}{first.test.critical:.2f} ({METHODS[first.method]})."


def _name(panel: Panel, result: Result) -> str:
    """A result as a sentence names it: its task, with metric and data set where there are several of the task."""
    words = result.task.replace("_", " ")
    if sum(other.task == result.task for other in panel.results) > 1:
        words += f" ({result.metric.replace('_', ' ')}, {result.dataset})"
    return f"**{words}**"

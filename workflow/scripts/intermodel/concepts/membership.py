"""Which concepts the models of a data set detect, from the tables: for the pictures that compare models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Membership:
    """Concepts of M models at their main layers, L concepts.

    Attributes
    ----------
    titles, control
        (M,) names of the models in figures, and whether each is an untrained control.
    names, category
        (L,) names and categories of the concepts.
    categories
        Categories in the order of the data set.
    units
        (M, L) detectors of each concept.
    iou
        (M, L) IoU of the best unit.
    sure
        (M, L) whether the interval of that IoU agrees with what is shown: it lies above the threshold where there is a
        detector; where there is none it lies below, or the concept is out of reach.
    reachable
        (M, L) whether the areas allow an IoU above the threshold.
    threshold
        (M,) the IoU that a detector must exceed.
    """

    titles: NDArray[np.str_]
    control: NDArray[np.bool_]
    names: NDArray[np.str_]
    category: NDArray[np.str_]
    categories: tuple[str, ...]
    units: NDArray[np.int64]
    iou: NDArray[np.float64]
    sure: NDArray[np.bool_]
    reachable: NDArray[np.bool_]
    threshold: NDArray[np.float64]

    @property
    def detected(self) -> NDArray[np.bool_]:
        """(M, L) whether a model has a detector of a concept."""
        return np.asarray(self.units > 0)

    def models(self, rows: NDArray[np.intp]) -> Membership:
        """The same for some models, in that order."""
        by_model = ("titles", "control", "units", "iou", "sure", "reachable", "threshold")
        return replace(self, **{name: getattr(self, name)[rows] for name in by_model})


def membership(summary: Columns, concepts: Columns) -> Membership:
    """Read who detects what from the columns of summary.csv and concepts.csv."""
    main = np.flatnonzero(summary["main"] == "true")
    places = [
        (concepts["model"] == summary["model"][row]) & (concepts["layer"] == summary["layer"][row]) for row in main
    ]

    def table(name: str) -> NDArray[Any]:
        return np.stack([concepts[name][place] for place in places])

    threshold = np.asarray(summary["iou_threshold"][main], dtype=np.float64)
    units = table("units").astype(np.int64)
    reachable = table("reachable") == "true"
    low, high = table("best_iou_low"), table("best_iou_high")
    with np.errstate(invalid="ignore"):
        above, below = low > threshold[:, None], high < threshold[:, None]
    return Membership(
        summary["title"][main],
        summary["control"][main] == "true",
        concepts["concept"][places[0]],
        concepts["category"][places[0]],
        tuple(category_names(summary)),
        units,
        np.nan_to_num(table("best_iou")),
        np.where(units > 0, above, below | ~reachable),
        reachable,
        threshold,
    )


def category_names(summary: Columns) -> list[str]:
    """Categories in the order of the data set, from the columns of summary.csv."""
    return [name.removesuffix("_reachable") for name in summary if name.endswith("_reachable")]

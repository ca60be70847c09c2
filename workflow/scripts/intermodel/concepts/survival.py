"""What a layer still detects when its units are mixed by a random rotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import assign_labels, detectors
from intermodel.concepts.result import Tally
from intermodel.statistics.intervals import student_quantile

# Rotations from which on their spread is told.
LEAST = 3


@dataclass(frozen=True)
class Range:
    """A number with the ends of its 95 % interval, NaN if there are too few rotations for one."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Survival:
    """Detectors and different concepts of rotated units, (rotations,) int64 each."""

    detectors: NDArray[np.int64]
    concepts: NDArray[np.int64]

    def rotated(self, what: str) -> Range:
        """Mean count over the rotations, and the interval in which that of one more rotation is to be expected.

        Parameters
        ----------
        what
            ``"detectors"`` or ``"concepts"``.
        """
        counts = getattr(self, what)
        spread, degrees = self._spread(counts)
        return _around(float(counts.mean()), spread, degrees)

    def beyond(self, what: str, estimate: float, standard_error: float, folds: int) -> Range:
        """What the layer's own axes detect beyond rotated ones.

        The interval joins the error of the own count (other images) and the spread of the rotations (another basis),
        with the degrees of freedom of Welch (1947), rounded down. Other images would change both counts alike, so that
        the interval is wide rather than narrow.

        Parameters
        ----------
        what
            As for `rotated`.
        estimate, standard_error, folds
            The own count, its jackknife standard error, and the folds behind it.
        """
        counts = getattr(self, what)
        spread, degrees = self._spread(counts)
        both = np.array([standard_error, spread]) ** 2
        total = float(both.sum())
        if total > 0:
            degrees = max(1, int(total**2 / (both**2 / [max(folds - 1, 1), max(degrees, 1)]).sum()))
        return _around(estimate - float(counts.mean()), np.sqrt(total), degrees)

    def _spread(self, counts: NDArray[np.int64]) -> tuple[float, int]:
        """Standard deviation of the count of one more rotation around the mean of these, and degrees of freedom."""
        if len(counts) < LEAST:
            return np.nan, 0
        return float(counts.std(ddof=1) * np.sqrt(1 + 1 / len(counts))), len(counts) - 1


def _around(estimate: float, error: float, degrees: int) -> Range:
    half = student_quantile(0.975, degrees) * error if np.isfinite(error) else np.nan
    return Range(estimate, estimate - half, estimate + half)


def survival(tally: Tally, iou_threshold: float, denominator: Denominator = "category") -> Survival | None:
    """Count what the rotated units of a tally detect, as its own units are counted; None without rotations.

    Parameters
    ----------
    tally
        With `rotated` sums.
    iou_threshold
        The IoU above which the layer's own units are detectors.
    denominator
        On which images a unit's area counts, see `iou.counted_area`.
    """
    if not len(tally.rotated):
        return None
    found = []
    for number in range(len(tally.rotated)):
        labels = assign_labels(iou_matrix(tally.rotated.of(number), tally.vocabulary, denominator), tally.vocabulary)
        chosen = detectors(labels, iou_threshold)
        found.append((int(chosen.sum()), len(np.unique(labels.label[chosen]))))
    counts = np.array(found, dtype=np.int64)
    return Survival(counts[:, 0], counts[:, 1])

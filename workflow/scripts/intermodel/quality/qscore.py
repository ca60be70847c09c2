"""Q-Score from the event table: activation rates, discriminative units, scores, and the choice of eps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.quality.events import Events

FloatArray = NDArray[np.float64]

# Rates are multiples of 100 / N; this slack, in percent, keeps the last bit of a percentile from moving a whole group
# of tied units over the border.
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Mask:
    """Discriminative units of a model on a data set.

    Attributes
    ----------
    units
        Which units are discriminative, (C,) bool.
    low, high
        The band of activation rates, in percent, both ends inclusive; NaN when no unit takes part.
    silent
        Number of units that no training image activates.
    """

    units: NDArray[np.bool_]
    low: float
    high: float
    silent: int


@dataclass(frozen=True)
class EpsChoice:
    """The threshold chosen by `choose_eps`.

    Attributes
    ----------
    eps
        The chosen threshold.
    ladder, coverage
        What was tried and the coverage of the training images at each; after the chosen one nothing is tried.
    reached
        Whether the wanted coverage was reached.
    """

    eps: float
    ladder: tuple[float, ...]
    coverage: tuple[float, ...]
    reached: bool


def activation_rate(
    events: Events, eps: float, rows: ArrayLike | None = None, weights: ArrayLike | None = None
) -> FloatArray:
    """Share of images that highly activate each unit, in percent, (C,).

    Parameters
    ----------
    events
        Table of highly active features.
    eps
        Threshold, at least that of the table.
    rows
        Rows to count (numbers or flags), the training images; default: all.
    weights
        Weight of each of the counted rows, e.g. to balance classes; default: equal.

    Raises
    ------
    ValueError
        If no row is to be counted or the weights do not sum to a positive number.
    """
    counted = np.arange(events.images) if rows is None else np.asarray(rows)
    if counted.dtype == np.bool_:
        counted = np.flatnonzero(counted)
    share = np.ones(len(counted)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = share.sum()
    if len(share) != len(counted) or not total > 0 or share.min() < 0:
        raise ValueError(
            f"needs at least one row and one non-negative weight for each, got {len(counted)} rows and {len(share)} "
            f"weights that sum to {total:g}"
        )
    weight_of_row = np.zeros(events.images)
    # A row that is named twice counts twice, as in a bootstrap.
    np.add.at(weight_of_row, counted, share)
    active = events.above(eps)
    sums = np.bincount(events.col[active], weights=weight_of_row[events.row[active]], minlength=events.units)
    rate: FloatArray = 100.0 * sums / total
    return rate


def discriminative_mask(
    rate: ArrayLike, low: float = 50.0, high: float = 95.0, nonzero_only: bool = False, tolerance: float = TOLERANCE
) -> Mask:
    """Units whose activation rate lies between two percentiles of all units' rates.

    Rarely active units are specific to images, the most active ones to nothing (Kalibhat et al., AAAI-24, section 3).

    Parameters
    ----------
    rate
        Activation rates in percent, (C,).
    low, high
        Percentiles (linear interpolation), 0 <= low < high <= 100; the paper uses 50 and 95.
    nonzero_only
        Take the percentiles over units that are active at all, and leave silent units out.
    tolerance
        Slack of both ends, in percent.
    """
    if not 0 <= low < high <= 100:
        raise ValueError(f"percentiles are {low} and {high}, expected 0 <= low < high <= 100")
    values = np.asarray(rate, dtype=np.float64)
    active = values > 0
    silent = int((~active).sum())
    pool = values[active] if nonzero_only else values
    if pool.size == 0:
        return Mask(np.zeros(values.shape, dtype=np.bool_), float("nan"), float("nan"), silent)
    bottom, top = (float(end) for end in np.percentile(pool, [low, high]))
    units = (values >= bottom - tolerance) & (values <= top + tolerance)
    return Mask(units & active if nonzero_only else units, bottom, top, silent)


def qscore(events: Events, units: NDArray[np.bool_], eps: float) -> tuple[FloatArray, NDArray[np.int64]]:
    """Q-Score of every image: the mean excess of its highly active discriminative features.

    Kalibhat et al., AAAI-24, equation 1, on rows of length 1. An image without any such feature gets 0, which is below
    every other value.

    Parameters
    ----------
    events
        Table of highly active features.
    units
        Discriminative units, (C,) bool; all True gives the form without selection.
    eps
        Threshold, at least that of the table.

    Returns
    -------
    score
        (N,), in [0, 1).
    used
        Number of features behind each score, (N,).
    """
    chosen = np.flatnonzero(events.above(eps) & units[events.col])
    row = events.row[chosen]
    used = np.bincount(row, minlength=events.images)
    total = np.bincount(row, weights=events.excess[chosen], minlength=events.images)
    return total / np.maximum(used, 1), used.astype(np.int64)


def choose_eps(
    events: Events,
    rows: ArrayLike,
    ladder: Sequence[float] = (4.0, 3.5, 3.0, 2.5, 2.0),
    coverage: float = 0.95,
    low: float = 50.0,
    high: float = 95.0,
    nonzero_only: bool = False,
) -> EpsChoice:
    """The largest threshold at which enough training images have a highly active discriminative feature.

    The paper's eps = 4 suits 2,048 sparse features; with few or dense features hardly any image has one that high,
    its score is 0 and ranks nothing. Coverage needs no labels, so the choice cannot leak any. Without a rung that
    reaches the wanted coverage the last one is taken.

    Parameters
    ----------
    events
        Table of highly active features, down to the smallest rung.
    rows
        Training images, numbers or flags.
    ladder
        Thresholds to try, from large to small.
    coverage
        Wanted share of training images with a score above 0.
    low, high, nonzero_only
        Of `discriminative_mask`.
    """
    counted = np.asarray(rows)
    tried: list[float] = []
    for eps in ladder:
        units = discriminative_mask(activation_rate(events, eps, counted), low, high, nonzero_only).units
        _, used = qscore(events, units, eps)
        tried.append(float(np.mean(used[counted] > 0)))
        if tried[-1] >= coverage:
            return EpsChoice(float(eps), tuple(ladder[: len(tried)]), tuple(tried), True)
    return EpsChoice(float(ladder[-1]), tuple(ladder), tuple(tried), False)


def possible(units: int, eps: float) -> bool:
    """Whether any vector of this many features can have one more than `eps` deviations above its mean (Samuelson)."""
    return units > 1 + eps**2

"""Confidence intervals: percentile bootstrap over samples, paired bootstrap, Wilson's for proportions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Elements of the resampled arrays held at a time; bounds the memory, does not change the result.
BATCH_ELEMENTS = 2_000_000

Statistic = Callable[..., NDArray[np.float64]]


@dataclass(frozen=True)
class Interval:
    """A statistic with its interval; NaN where the statistic is undefined on the whole sample.

    Attributes
    ----------
    estimate
        The statistic of the whole sample, any shape.
    low, high
        Ends of the interval, shape of `estimate`.
    undefined
        Share of the draws in which the statistic was undefined (NaN), shape of `estimate`. The interval rests on the
        other draws.
    """

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    undefined: NDArray[np.float64]


def bootstrap(
    statistic: Statistic, samples: Sequence[ArrayLike], draws: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Percentile bootstrap interval of a statistic (Efron 1979), samples drawn with replacement.

    Parameters
    ----------
    statistic
        Vectorised over draws: takes one array (draws, n, ...) for each array in `samples` and returns (draws, ...).
    samples
        Arrays with the samples on axis 0, all of length n; rows are drawn jointly.
    draws
        Number of bootstrap samples.
    seed
        Seed of the draws.
    level
        Coverage, between 0 and 1.

    Returns
    -------
    Interval
    """
    arrays, count = _samples(samples)
    estimate = np.asarray(statistic(*(array[None] for array in arrays)), dtype=np.float64)[0]
    replicates = np.concatenate(
        [
            np.asarray(statistic(*(array[rows] for array in arrays)), dtype=np.float64)
            for rows in _resamples(arrays, count, draws, seed)
        ]
    )
    return percentile_interval(estimate, replicates, level)


def paired_bootstrap(
    statistic: Statistic,
    first: Sequence[ArrayLike],
    second: Sequence[ArrayLike],
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile bootstrap interval of `statistic(*first) - statistic(*second)` on the same samples.

    Both sides see the same rows in every draw, so what varies between samples and is common to both cancels.

    Parameters
    ----------
    statistic
        As in `bootstrap`.
    first, second
        Arrays with the same n samples, in the same order, on axis 0.
    draws, seed, level
        As in `bootstrap`.
    """
    split = len(first)

    def difference(*arrays: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(statistic(*arrays[:split])) - np.asarray(statistic(*arrays[split:]))

    return bootstrap(difference, [*first, *second], draws, seed, level)


def percentile_interval(estimate: ArrayLike, replicates: ArrayLike, level: float = 0.95) -> Interval:
    """Interval between the quantiles of the replicates on axis 0, ignoring undefined (NaN) ones.

    Parameters
    ----------
    estimate
        The statistic of the whole sample, shape (...).
    replicates
        Its values in the draws, shape (draws, ...).
    level
        Coverage, between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}, expected a number between 0 and 1 such as 0.95")
    value = np.asarray(estimate, dtype=np.float64)
    draws = np.asarray(replicates, dtype=np.float64)
    missing = np.isnan(draws)
    undefined = missing.mean(axis=0)
    usable = ~(np.isnan(value) | missing.all(axis=0))
    # Columns without any value would make nanquantile warn; they become NaN below.
    filled = np.where(usable, draws, 0.0)
    tail = (1 - level) / 2
    quantile = np.nanquantile if missing.any() else np.quantile
    low, high = quantile(filled, [tail, 1 - tail], axis=0)
    return Interval(value, np.where(usable, low, np.nan), np.where(usable, high, np.nan), undefined)


def wilson(
    successes: ArrayLike, trials: ArrayLike, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wilson's score interval of a proportion (Wilson 1927), right also near 0 and 1; NaN without trials.

    Parameters
    ----------
    successes, trials
        Counts, broadcast against each other, 0 <= successes <= trials.
    level
        Coverage, between 0 and 1.

    Returns
    -------
    low, high
        Ends of the interval, within [0, 1].
    """
    count, total = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    if bool(np.any(count < 0)) or bool(np.any(count > total)):
        raise ValueError("successes must lie between 0 and the number of trials")
    z = normal_quantile(0.5 + level / 2)
    safe = np.where(total > 0, total, 1.0)
    share = count / safe
    centre = (share + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z / (1 + z**2 / safe) * np.sqrt(share * (1 - share) / safe + z**2 / (4 * safe**2))
    # The ends are exact at no and at all successes, where rounding would leave 1e-17.
    low = np.where(count == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(count == total, 1.0, np.minimum(centre + half, 1.0))
    return np.where(total > 0, low, np.nan), np.where(total > 0, high, np.nan)


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)


def student_quantile(probability: float, degrees: int) -> float:
    """Quantile of Student's t distribution with a whole number of degrees of freedom.

    The distribution function is the finite trigonometric series of Abramowitz and Stegun, 26.7.3-26.7.4; it is
    inverted by bisection to machine precision, so that no statistics package is needed.
    """
    if degrees < 1 or not 0 < probability < 1:
        raise ValueError(f"needs degrees >= 1 and 0 < probability < 1, got {degrees} and {probability}")
    if probability < 0.5:
        return -student_quantile(1 - probability, degrees)
    # Bisection in the angle theta = atan(t / sqrt(degrees)), which is bounded.
    low, high = 0.0, math.pi / 2
    for _ in range(80):
        middle = (low + high) / 2
        if 0.5 + _student_half(middle, degrees) / 2 < probability:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def student_p(values: ArrayLike, degrees: int) -> NDArray[np.float64]:
    """Two-sided p-values of Student's t with a whole number of degrees of freedom; infinite values give 0.

    Values beyond about 1e-15 come out as 0; NaN stays NaN.
    """
    if degrees < 1:
        raise ValueError(f"degrees is {degrees}, expected at least 1")
    theta = np.arctan(np.abs(np.asarray(values, dtype=np.float64)) / math.sqrt(degrees))
    p: NDArray[np.float64] = np.clip(1 - _student_half(theta, degrees), 0.0, 1.0)
    return p


def _student_half(theta: Any, degrees: int) -> Any:
    """P(|T| < sqrt(degrees) tan(theta)), for a number or an array."""
    sine, cosine = np.sin(theta), np.cos(theta)
    odd = degrees % 2 == 1
    term = cosine if odd else 1.0
    total = term if degrees > 1 or not odd else 0.0
    for step in range(2 if odd else 1, degrees - 2 if odd else degrees - 1):
        if (step % 2 == 0) == odd:
            # Not in place: for arrays the sum begins as its first term.
            term = term * (step / (step + 1) * cosine**2)
            total = total + term
    return 2 / math.pi * (theta + sine * total) if odd else sine * total


def _samples(samples: Sequence[ArrayLike]) -> tuple[list[NDArray[Any]], int]:
    arrays = [np.asarray(array) for array in samples]
    lengths = {len(array) if array.ndim else 0 for array in arrays}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"the arrays must hold the same samples on axis 0 and at least one, got lengths {lengths}")
    return arrays, lengths.pop()


def _resamples(arrays: list[NDArray[Any]], count: int, draws: int, seed: int) -> list[NDArray[np.intp]]:
    if draws < 1:
        raise ValueError(f"draws is {draws}, expected at least 1")
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, count, size=(draws, count))
    width = max(array.size for array in arrays)
    size = max(1, BATCH_ELEMENTS // max(width, 1))
    return [rows[start : start + size] for start in range(0, draws, size)]

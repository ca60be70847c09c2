"""Accuracy with its interval, and the difference of two accuracies measured on the same images."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.statistics.intervals import wilson


@dataclass(frozen=True)
class Accuracy:
    """Share of right predictions among `images`, with Wilson's score interval."""

    value: float
    low: float
    high: float
    images: int


@dataclass(frozen=True)
class PairedDifference:
    """Accuracy of one model minus that of another on the same images.

    Attributes
    ----------
    value, low, high
        The difference and its interval, in [-1, 1].
    p_value
        Of the hypothesis that both are right equally often; 1 where they are right on the same images.
    only_first, only_second
        Images that only one of them gets right; all evidence about the difference lies in these.
    images
        Number of images.
    """

    value: float
    low: float
    high: float
    p_value: float
    only_first: int
    only_second: int
    images: int


def accuracy(correct: ArrayLike, level: float = 0.95) -> Accuracy:
    """Accuracy and its Wilson interval.

    Parameters
    ----------
    correct
        Whether each prediction is right, (N,) bool.
    level
        Coverage of the interval.
    """
    right = _flags(correct)
    low, high = wilson(right.sum(), right.size, level)
    return Accuracy(float(right.mean()), float(low), float(high), right.size)


def paired_difference(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> PairedDifference:
    """Difference of two accuracies on the same images.

    The interval joins the two Wilson intervals with the correlation of the two outcomes (Newcombe 1998, Statistics
    in Medicine 17, 2635-2650, method 10); it stays within [-1, 1] and behaves with few discordant images. The p-value
    is McNemar's exact test with the mid-p correction (Fagerland et al. 2013).

    Parameters
    ----------
    first, second
        Whether each prediction is right, (N,) bool, in the same order of images.
    level
        Coverage of the interval.

    Raises
    ------
    ValueError
        If the two do not have the same length, or are empty.
    """
    a, b = _flags(first), _flags(second)
    if a.shape != b.shape:
        raise ValueError(f"the two models must be judged on the same images, got {a.size} and {b.size} outcomes")
    count = a.size
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_first, only_second = int((a & ~b).sum()), int((~a & b).sum())
    share_a, share_b = (both + only_first) / count, (both + only_second) / count
    low_a, high_a = (float(end) for end in wilson(both + only_first, count, level))
    low_b, high_b = (float(end) for end in wilson(both + only_second, count, level))
    correlation = _correlation(both, only_first, only_second, neither)

    def spread(x: float, y: float) -> float:
        return math.sqrt(max(x * x - 2 * correlation * x * y + y * y, 0.0))

    return PairedDifference(
        value=(only_first - only_second) / count,
        low=share_a - share_b - spread(share_a - low_a, high_b - share_b),
        high=share_a - share_b + spread(high_a - share_a, share_b - low_b),
        p_value=_mcnemar_mid_p(only_first, only_second),
        only_first=only_first,
        only_second=only_second,
        images=count,
    )


def _correlation(both: int, only_first: int, only_second: int, neither: int) -> float:
    """Phi coefficient of the 2x2 table with Newcombe's continuity correction of positive associations."""
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    association = float(both * neither - only_first * only_second)
    if association > 0:
        association = max(association - (both + only_first + only_second + neither) / 2, 0.0)
    return association / math.sqrt(margins)


def _mcnemar_mid_p(only_first: int, only_second: int) -> float:
    """Twice the binomial tail at the smaller count, the observed count itself taken half."""
    total, least = only_first + only_second, min(only_first, only_second)
    if only_first == only_second:
        return 1.0
    k = np.arange(least + 1)
    log_choose = math.lgamma(total + 1) - np.array([math.lgamma(i + 1) + math.lgamma(total - i + 1) for i in k])
    probability = np.exp(log_choose - total * math.log(2))
    return float(min(1.0, 2 * probability.sum() - probability[-1]))


def _flags(correct: ArrayLike) -> NDArray[np.bool_]:
    flags = np.asarray(correct)
    if flags.ndim != 1 or flags.size == 0:
        raise ValueError(f"expected one outcome per image, at least one, got an array of shape {flags.shape}")
    return flags.astype(np.bool_)

"""Delete-one-fold jackknife of any statistic that is a function of sums over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.statistics.intervals import student_quantile


@dataclass(frozen=True)
class Jackknife:
    """A statistic with its standard error and interval from leaving out one fold at a time.

    Attributes
    ----------
    estimate
        The statistic of all folds together, any shape.
    standard_error
        Shape of `estimate`; NaN where the statistic is undefined without some fold.
    low, high
        `estimate` minus and plus Student's quantile (folds - 1 degrees of freedom) times `standard_error`.
    replicates
        The statistic without each fold, (folds, ...), folds without images left out.
    """

    estimate: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    replicates: NDArray[np.float64]


def jackknife(
    statistic: Callable[..., ArrayLike],
    sums: Sequence[ArrayLike],
    sizes: ArrayLike | None = None,
    level: float = 0.95,
) -> Jackknife:
    """Delete-one-fold jackknife for folds of unequal size (Busing, Meijer and van der Leeden 1999).

    With equal sizes this is the classic delete-a-group jackknife.

    Parameters
    ----------
    statistic
        Takes one array for each of `sums`, summed over folds, and returns an array of any shape.
    sums
        Arrays (folds, ...): sums over the images of each fold.
    sizes
        Images in each fold, (folds,); equal sizes if omitted. Folds without images are dropped.
    level
        Coverage of the interval.

    Raises
    ------
    ValueError
        If fewer than two folds hold images: nothing can then be said about the error.
    """
    arrays = [np.asarray(array) for array in sums]
    folds = len(arrays[0])
    weights = np.ones(folds) if sizes is None else np.asarray(sizes, dtype=np.float64)
    if any(len(array) != folds for array in arrays) or weights.shape != (folds,):
        raise ValueError(f"sums and sizes must agree in the number of folds, the first array has {folds}")
    kept = np.flatnonzero(weights > 0)
    if len(kept) < 2:
        raise ValueError(f"the jackknife needs two folds with images, got {len(kept)}")
    totals = [array[kept].sum(axis=0) for array in arrays]
    estimate = np.asarray(statistic(*totals), dtype=np.float64)
    replicates = np.stack(
        [
            np.asarray(
                statistic(*(total - array[fold] for total, array in zip(totals, arrays, strict=True))),
                dtype=np.float64,
            )
            for fold in kept
        ]
    )
    return jackknife_interval(estimate, replicates, weights[kept], level)


def jackknife_interval(estimate: ArrayLike, replicates: ArrayLike, sizes: ArrayLike, level: float = 0.95) -> Jackknife:
    """The jackknife of a statistic whose values without each fold are at hand.

    Parameters
    ----------
    estimate
        The statistic of all folds together, shape (...).
    replicates
        The statistic without each fold, (folds, ...).
    sizes
        Images in each of these folds, (folds,), all positive.
    level
        Coverage of the interval.
    """
    value, left_out = np.asarray(estimate, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
    if len(left_out) < 2:
        raise ValueError(f"the jackknife needs two folds with images, got {len(left_out)}")
    error = standard_error(value, left_out, sizes)
    half = student_quantile(0.5 + level / 2, len(left_out) - 1) * error
    return Jackknife(value, error, value - half, value + half, left_out)


def standard_error(estimate: ArrayLike, replicates: ArrayLike, sizes: ArrayLike) -> NDArray[np.float64]:
    """Standard error from the delete-one-fold replicates, (folds, ...), of folds with `sizes` images each."""
    value = np.asarray(estimate, dtype=np.float64)
    left_out = np.asarray(replicates, dtype=np.float64)
    images: NDArray[Any] = np.asarray(sizes, dtype=np.float64).reshape((-1,) + (1,) * value.ndim)
    ratio = images.sum() / images
    # Differences to the estimate: with the values themselves a large statistic would cancel.
    pseudo = -(ratio - 1) * (left_out - value)
    bias = -((1 - 1 / ratio) * (left_out - value)).sum(axis=0)
    error: NDArray[np.float64] = np.sqrt(((pseudo - bias) ** 2 / (ratio - 1)).mean(axis=0))
    return error


@dataclass(frozen=True)
class Difference:
    """A statement about models in general: estimate and 95 % interval from leaving out one model at a time."""

    estimate: float
    low: float
    high: float


def jackknife_over_models(statistic: Callable[[NDArray[np.intp]], float], count: int) -> Difference:
    """A statistic of models with its interval from leaving out one model at a time.

    The pairs of M models are not independent, the models are.

    Parameters
    ----------
    statistic
        Takes positions of models and returns a number.
    count
        Number of models M.
    """
    everyone = np.arange(count)
    estimate = statistic(everyone)
    replicates = np.array([statistic(np.delete(everyone, left_out)) for left_out in everyone])
    half = student_quantile(0.975, count - 1) * float(standard_error(estimate, replicates, np.ones(count)))
    return Difference(estimate, estimate - half, estimate + half)

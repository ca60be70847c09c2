"""Permutation tests: the largest |r| over many correlations, and the Mantel test of two distance matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.statistics.correlation import Correlations, Method, as_columns, correlate, midranks, standardised
from intermodel.statistics.nulls import Alternative, p_value, permutations

# Permuted rows held at a time; bounds the memory, does not change the result.
BATCH_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class CorrelationTest:
    """Correlations of p predictors with q outcomes, tested together.

    Attributes
    ----------
    correlations
        The observed values.
    p
        Two-sided p-value of each correlation alone, (p, q), NaN where undefined.
    p_adjusted
        p-value adjusted for all cells through the largest |r| (Westfall and Young 1993), (p, q): the chance that any
        of the cells reaches this |r| when no predictor is related to any outcome.
    critical
        The |r| that a cell must exceed to survive at the level of the test.
    draws
        Permutations used; fewer than asked for when all were enumerated.
    """

    correlations: Correlations
    p: NDArray[np.float64]
    p_adjusted: NDArray[np.float64]
    critical: float
    draws: int


def max_correlation_test(
    x: ArrayLike,
    y: ArrayLike,
    method: Method = "pearson",
    covariate: ArrayLike | None = None,
    draws: int = 10_000,
    seed: int = 0,
    level: float = 0.05,
) -> CorrelationTest:
    """Test all correlations between the columns of `x` and `y` by permuting the rows of `x` jointly.

    Joint permutation keeps the dependence among predictors and among outcomes, so the test is less strict than
    Bonferroni's where the cells say the same thing. With few rows all permutations are enumerated.

    Parameters
    ----------
    x
        Predictors, (n, p), without NaN except in columns that are NaN throughout.
    y
        Outcomes, (n, q); NaN marks a missing value.
    method
        "pearson" or "spearman".
    covariate
        (n,) without NaN: tests partial correlations by permuting the residuals of the predictors and removing the
        covariate again (Freedman and Lane 1983, with the roles of predictor and outcome exchanged).
    draws
        Number of permutations.
    seed
        Seed of the permutations.
    level
        Level of `critical`.
    """
    left, right = as_columns(x), as_columns(y)
    observed = correlate(left, right, method, covariate)
    given = None if covariate is None else np.asarray(covariate, dtype=np.float64)
    if given is not None and bool(np.isnan(given).any()):
        raise ValueError("the covariate has missing values; leave those rows out first")
    shape = observed.r.shape
    usable = ~np.isnan(left).any(axis=0)
    if bool((~usable & ~np.isnan(left).all(axis=0)).any()):
        raise ValueError("a predictor is missing for some rows; leave those rows or that predictor out first")
    defined = ~np.isnan(observed.r)
    if not defined.any():
        return CorrelationTest(observed, np.full(shape, np.nan), np.full(shape, np.nan), np.nan, 0)

    order = permutations(len(left), draws, seed)
    outcomes = _outcomes(right, method, given)
    source = left[:, usable]
    if given is not None or method == "pearson":
        source = standardised(source, method, given)[0]
    reached = np.zeros(shape)
    largest = np.empty(len(order))
    size = max(1, BATCH_ELEMENTS // max(1, source.size + source.shape[1] * right.shape[1]))
    slack = 1e-10
    for start in range(0, len(order), size):
        shuffled = source[order[start : start + size]]
        null = np.zeros((len(shuffled), *shape))
        for rows, columns, target, direction in outcomes:
            block = _standardise_draws(shuffled[:, rows], method, direction)
            null[np.ix_(np.arange(len(shuffled)), np.flatnonzero(usable), columns)] = np.abs(
                np.einsum("dnp,nq->dpq", block, target, optimize=True)
            )
        null = np.where(defined, null, 0.0)
        reached += (null >= np.abs(np.where(defined, observed.r, 2.0)) - slack).sum(axis=0)
        largest[start : start + size] = null.reshape(len(null), -1).max(axis=1)
    p = np.where(defined, (1 + reached) / (1 + len(order)), np.nan)
    p_adjusted = p_value(np.abs(observed.r), largest)
    # The largest value that the test rejects nothing at: the observed arrangement counts as one of the draws.
    rank = int(np.ceil((1 - level) * (len(order) + 1) - 1e-9))
    critical = float(np.sort(largest)[rank - 1]) if rank <= len(order) else 1.0
    return CorrelationTest(observed, p, p_adjusted, critical, len(order))


@dataclass(frozen=True)
class Mantel:
    """Correlation of two distance matrices with its permutation p-value; NaN and a reason where undefined."""

    r: float
    p: float
    draws: int
    reason: str


def mantel(
    first: ArrayLike,
    second: ArrayLike,
    method: Method = "spearman",
    alternative: Alternative = "greater",
    draws: int = 10_000,
    seed: int = 0,
) -> Mantel:
    """Mantel test (1967): do two symmetric distance matrices of the same items order the pairs alike?

    The items of one matrix are permuted, rows and columns together, since the n(n-1)/2 pairs are not independent.

    Parameters
    ----------
    first, second
        (n, n), symmetric; the diagonal is ignored.
    method
        Correlation over the pairs.
    alternative
        "greater" by default: agreement.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 2 or a.shape != b.shape or a.shape[0] != a.shape[1]:
        raise ValueError(f"needs two square matrices of equal size, got {a.shape} and {b.shape}")
    if not (np.allclose(a, a.T, equal_nan=True) and np.allclose(b, b.T, equal_nan=True)):
        raise ValueError("the matrices must be symmetric")
    count = len(a)
    upper = np.triu_indices(count, 1)
    if count < 3:
        return Mantel(np.nan, np.nan, 0, f"only {count} items")
    if bool(np.isnan(a[upper]).any() or np.isnan(b[upper]).any()):
        return Mantel(np.nan, np.nan, 0, "a distance is missing")
    x, x_reason = standardised(a[upper][:, None], method, None)
    y, y_reason = standardised(b[upper][:, None], method, None)
    if x_reason[0] or y_reason[0]:
        return Mantel(np.nan, np.nan, 0, "all distances of a matrix are equal")
    r = float(np.clip(x[:, 0] @ y[:, 0], -1.0, 1.0))
    square = np.zeros((count, count))
    square[upper] = x[:, 0]
    square += square.T
    order = permutations(count, draws, seed)
    null = np.empty(len(order))
    size = max(1, BATCH_ELEMENTS // len(upper[0]))
    for start in range(0, len(order), size):
        block = order[start : start + size]
        null[start : start + size] = square[block[:, upper[0]], block[:, upper[1]]] @ y[:, 0]
    return Mantel(r, float(p_value(r, null, alternative)), len(order), "")


def _outcomes(
    right: NDArray[np.float64], method: Method, covariate: NDArray[np.float64] | None
) -> list[tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64], NDArray[np.float64] | None]]:
    """Outcomes grouped by the rows where they are known: rows, columns, standardised values, covariate direction."""
    known = ~np.isnan(right)
    patterns, group = np.unique(known, axis=1, return_inverse=True)
    result = []
    for number in range(patterns.shape[1]):
        rows, columns = np.flatnonzero(patterns[:, number]), np.flatnonzero(group.reshape(-1) == number)
        if len(rows) < (3 if covariate is None else 4):
            continue
        control = None if covariate is None else covariate[rows]
        target, _ = standardised(right[np.ix_(rows, columns)], method, control)
        direction = None if control is None else standardised(control[:, None], method, None)[0][:, 0]
        result.append((rows, columns, target, direction))
    return result


def _standardise_draws(
    values: NDArray[np.float64], method: Method, direction: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """As `standardised`, for draws (draws, n, p); columns without spread become zero."""
    # With a covariate the values are residuals of ranks already.
    columns = midranks(values, axis=1) if method == "spearman" and direction is None else values
    columns = columns - columns.mean(axis=1, keepdims=True)
    if direction is not None:
        columns = columns - direction[None, :, None] * np.einsum("n,dnp->dp", direction, columns)[:, None, :]
    spread = np.sqrt((columns**2).sum(axis=1, keepdims=True))
    size = np.abs(values).max(axis=1, keepdims=True)
    usable = spread > 1e-10 * size
    return np.where(usable, columns / np.where(usable, spread, 1.0), 0.0)

"""Correlation matrices between two sets of columns: Pearson, Spearman, partial; undefined ones carry a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Method = Literal["pearson", "spearman"]

# A column whose spread is below this share of its size is constant up to rounding.
CONSTANT = 1e-12


@dataclass(frozen=True)
class Correlations:
    """Correlations of p predictors with q outcomes.

    Attributes
    ----------
    r
        (p, q), NaN where undefined.
    count
        Rows that entered each, (p, q).
    reason
        Why it is undefined, (p, q) of str, empty where it is defined.
    """

    r: NDArray[np.float64]
    count: NDArray[np.int64]
    reason: NDArray[np.str_]


def midranks(values: ArrayLike, axis: int = 0) -> NDArray[np.float64]:
    """Ranks 1..n along `axis`, ties sharing the mean of their ranks. NaN is not allowed."""
    array = np.moveaxis(np.asarray(values, dtype=np.float64), axis, -1)
    if bool(np.isnan(array).any()):
        raise ValueError("values that are NaN have no rank; leave them out first")
    order = np.argsort(array, axis=-1, kind="stable")
    ordered = np.take_along_axis(array, order, axis=-1)
    length = array.shape[-1]
    positions = np.broadcast_to(np.arange(length), array.shape)
    starts = np.concatenate([np.ones_like(ordered[..., :1], bool), ordered[..., 1:] != ordered[..., :-1]], axis=-1)
    ends = np.concatenate([starts[..., 1:], np.ones_like(ordered[..., :1], bool)], axis=-1)
    first = np.maximum.accumulate(np.where(starts, positions, 0), axis=-1)
    last = np.flip(np.minimum.accumulate(np.flip(np.where(ends, positions, length), -1), axis=-1), -1)
    ranks = np.empty_like(array)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=-1)
    return np.moveaxis(ranks, -1, axis)


def correlate(
    x: ArrayLike, y: ArrayLike, method: Method = "pearson", covariate: ArrayLike | None = None
) -> Correlations:
    """Correlation of every column of `x` with every column of `y`, over the rows where both are known.

    Parameters
    ----------
    x, y
        (n, p) and (n, q); NaN marks a missing value.
    method
        "pearson", or "spearman" (Pearson's correlation of the mid-ranks).
    covariate
        (n,): the partial correlation given this variable (of its ranks for "spearman"). Rows where it is missing are
        left out.

    Returns
    -------
    Correlations
        NaN with a reason for constant columns, for fewer than 3 rows (4 with a covariate), and for columns that the
        covariate determines.
    """
    left, right = as_columns(x), as_columns(y)
    if len(left) != len(right):
        raise ValueError(f"x has {len(left)} rows and y has {len(right)}; they must describe the same models")
    given = None if covariate is None else np.asarray(covariate, dtype=np.float64)
    if given is not None and given.shape != (len(left),):
        raise ValueError(f"covariate has shape {given.shape}, expected ({len(left)},)")
    shape = (left.shape[1], right.shape[1])
    r, count = np.full(shape, np.nan), np.zeros(shape, np.int64)
    reason = np.full(shape, "", dtype="<U64")
    known = np.ones(len(left), bool) if given is None else ~np.isnan(given)
    known_left, known_right = ~np.isnan(left), ~np.isnan(right)
    # Columns with the same missing rows are one matrix product.
    for pattern, columns in _groups(known_left):
        for other_pattern, others in _groups(known_right):
            rows = pattern & other_pattern & known
            block = np.ix_(columns, others)
            count[block] = rows.sum()
            if rows.sum() < (3 if given is None else 4):
                reason[block] = f"only {rows.sum()} rows"
                continue
            control = None if given is None else given[rows]
            a, a_reason = standardised(left[np.ix_(rows, columns)], method, control)
            b, b_reason = standardised(right[np.ix_(rows, others)], method, control)
            r[block] = np.clip(a.T @ b, -1.0, 1.0)
            first = np.where(a_reason == "", "", np.char.add("predictor ", a_reason))
            second = np.where(b_reason == "", "", np.char.add("outcome ", b_reason))
            reason[block] = np.where(first[:, None] != "", first[:, None], second[None, :])
    r[reason != ""] = np.nan
    return Correlations(r, count, reason)


def partial_correlation(x: ArrayLike, y: ArrayLike, covariate: ArrayLike, method: Method = "pearson") -> Correlations:
    """Correlation of the columns of `x` and `y` with the linear effect of `covariate` removed from both."""
    return correlate(x, y, method, covariate)


def standardised(
    values: NDArray[np.float64], method: Method, covariate: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.str_]]:
    """Columns centred, freed of the covariate and scaled to length 1, and why a column has become zero.

    Parameters
    ----------
    values
        (n, p) without NaN.

    Returns
    -------
    columns
        (n, p); the product of two such matrices holds the correlations. Zero columns where undefined.
    reason
        (p,) of str.
    """
    columns = midranks(values, axis=0) if method == "spearman" else values
    # Scaling first keeps tiny and huge numbers (1e-200, 1e200) from under- or overflowing when squared.
    size = np.abs(columns).max(axis=0)
    columns = columns / np.where(size > 0, size, 1.0)
    columns = columns - columns.mean(axis=0)
    spread = np.linalg.norm(columns, axis=0)
    constant = spread <= CONSTANT * np.sqrt(len(columns))
    reason = np.where(constant, "is constant", "")
    if covariate is not None:
        direction, why = standardised(covariate[:, None], method, None)
        if why[0]:
            return np.zeros_like(columns), np.full(columns.shape[1], "cannot be adjusted: the covariate is constant")
        columns = columns - direction @ (direction.T @ columns)
        left = np.linalg.norm(columns, axis=0)
        # Compared with what was there: residuals of a determined column are pure rounding.
        determined = ~constant & (left <= 1e-10 * spread)
        reason = np.where(determined, "is determined by the covariate", reason)
        spread = left
    undefined = reason != ""
    return np.where(undefined, 0.0, columns / np.where(undefined, 1.0, spread)), reason


def as_columns(values: ArrayLike) -> NDArray[np.float64]:
    """A vector (n,) or matrix (n, p) as a float64 matrix (n, p); infinite values are refused."""
    array = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(f"expected (n,) or (n, p), got shape {array.shape}")
    if bool(np.isinf(array).any()):
        raise ValueError("correlation needs finite values; mark missing ones as NaN")
    return array


def _groups(known: NDArray[np.bool_]) -> list[tuple[NDArray[np.bool_], NDArray[np.intp]]]:
    patterns, group = np.unique(known, axis=1, return_inverse=True)
    group = group.reshape(-1)
    return [(patterns[:, k], np.flatnonzero(group == k)) for k in range(patterns.shape[1])]

"""Nulls by permutation: which permutations to draw, exact p-values, values corrected for chance."""

from __future__ import annotations

import math
from itertools import permutations as all_permutations
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Alternative = Literal["two-sided", "greater", "less"]

# A permuted statistic that equals the observed one up to rounding counts as reaching it.
TIE = 1e-10


def permutations(count: int, draws: int, seed: int = 0) -> NDArray[np.intp]:
    """Random permutations of `count` items, or all of them when there are no more than `draws`.

    The identity is left out of the complete list, since the observed value stands for it: the p-value
    (1 + #) / (1 + draws) is then the exact share among all permutations.

    Returns
    -------
    array
        (draws, count) or (count! - 1, count).
    """
    if count < 1 or draws < 1:
        raise ValueError(f"needs at least one item and one draw, got {count} items and {draws} draws")
    if count <= 10 and math.factorial(count) - 1 <= draws:
        return np.array(list(all_permutations(range(count))), dtype=np.intp)[1:].reshape(-1, count)
    generator = np.random.default_rng(seed)
    return generator.permuted(np.tile(np.arange(count, dtype=np.intp), (draws, 1)), axis=1)


def permutations_within(groups: ArrayLike, draws: int, seed: int = 0) -> NDArray[np.intp]:
    """Random permutations that exchange items only within their group (restricted permutation).

    Parameters
    ----------
    groups
        Group of each item, (n,), e.g. class labels: the null then keeps what the classes explain.

    Returns
    -------
    array
        (draws, n).
    """
    labels = np.asarray(groups)
    generator = np.random.default_rng(seed)
    result = np.tile(np.arange(len(labels), dtype=np.intp), (draws, 1))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        result[:, members] = generator.permuted(np.tile(members, (draws, 1)), axis=1)
    return result


def p_value(observed: ArrayLike, null: ArrayLike, alternative: Alternative = "greater") -> NDArray[np.float64]:
    """Exact permutation p-value (1 + #) / (1 + draws) (Phipson and Smyth 2010), never 0.

    Parameters
    ----------
    observed
        Observed statistic, shape (...).
    null
        The statistic under the permutations, (draws, ...), or (draws,) to compare all with one distribution.
    alternative
        Which values count as at least as extreme; "two-sided" compares absolute values.

    Returns
    -------
    array
        Shape of `observed`; NaN where it is NaN. NaN draws count as not extreme.
    """
    value = np.asarray(observed, dtype=np.float64)
    draws = np.asarray(null, dtype=np.float64)
    draws = draws.reshape(draws.shape + (1,) * (value.ndim + 1 - draws.ndim))
    if alternative == "two-sided":
        value, draws = np.abs(value), np.abs(draws)
    elif alternative == "less":
        value, draws = -value, -draws
    slack = TIE * np.maximum(np.abs(value), 1e-300)
    with np.errstate(invalid="ignore"):
        reached = (draws >= value - slack).sum(axis=0)
    return np.where(np.isnan(value), np.nan, (1 + reached) / (1 + len(draws)))


def chance_corrected(value: ArrayLike, null_mean: ArrayLike, maximum: float = 1.0) -> NDArray[np.float64]:
    """(value - null mean) / (maximum - null mean): 0 at chance, 1 at the maximum; NaN if chance is the maximum."""
    room = maximum - np.asarray(null_mean, dtype=np.float64)
    excess = np.asarray(value, dtype=np.float64) - np.asarray(null_mean, dtype=np.float64)
    corrected = np.full(np.broadcast(excess, room).shape, np.nan)
    np.divide(excess, room, out=corrected, where=room > 0)
    return corrected


def calibrated(observed: ArrayLike, null: ArrayLike, level: float = 0.05) -> NDArray[np.float64]:
    """Similarity above the null's critical value, rescaled to [0, 1] (Groeger et al. 2026, arXiv 2602.14486).

    The critical value tau is the order statistic ceil((1 - level)(draws + 1)) of the observed value and the draws.

    Parameters
    ----------
    observed
        Similarity with maximum 1, shape (...).
    null
        Its values under permutations, (draws, ...).
    """
    value = np.asarray(observed, dtype=np.float64)
    pooled = np.sort(np.concatenate([value[None], np.asarray(null, dtype=np.float64)]), axis=0)
    # The guard keeps (1 - 0.05) * 200 = 190.00000000000003 from becoming 191.
    rank = math.ceil((1 - level) * len(pooled) - 1e-9)
    return np.clip(chance_corrected(value, pooled[rank - 1]), 0.0, 1.0)

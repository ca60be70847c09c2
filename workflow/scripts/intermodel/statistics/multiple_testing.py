"""Many tests at once: the share of false claims among all, or the chance of even one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p-values of Benjamini and Hochberg (1995).

    Calling those at or below q discoveries bounds the expected share of false ones by q, for independent or
    positively dependent tests.

    Parameters
    ----------
    p_values
        Any shape; NaN marks a test that was not made, stays NaN and does not count.

    Returns
    -------
    array
        Shape of `p_values`, at least as large as each p-value, at most 1.
    """

    def adjust(rising: Floats) -> Floats:
        scaled = rising * len(rising) / np.arange(1, len(rising) + 1)
        return np.asarray(np.minimum.accumulate(scaled[::-1])[::-1])

    return _adjusted(p_values, adjust)


def holm(p_values: ArrayLike) -> Floats:
    """Adjusted p-values of Holm (1979), valid however the tests depend on one another.

    Calling those at or below q bounds the chance of even one false claim by q. Parameters and result as for
    `benjamini_hochberg`.
    """
    return _adjusted(p_values, lambda rising: np.asarray(np.maximum.accumulate(rising * np.arange(len(rising), 0, -1))))


def _adjusted(p_values: ArrayLike, adjust: Callable[[Floats], Floats]) -> Floats:
    """Adjust the p-values that there are, given in rising order."""
    p = np.asarray(p_values, dtype=np.float64)
    result = np.full(p.shape, np.nan)
    made = ~np.isnan(p)
    values = p[made]
    if values.size == 0:
        return result
    if values.min() < 0 or values.max() > 1:
        raise ValueError(f"p-values must lie in [0, 1], found {values.min()} to {values.max()}")
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(values.size)
    adjusted[order] = adjust(values[order])
    result[made] = np.minimum(adjusted, 1.0)
    return result

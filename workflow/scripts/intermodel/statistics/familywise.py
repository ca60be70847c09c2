"""Error rate over a family of tests: the chance of even one false claim."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Adjusted p-values of Holm (1979), valid however the tests depend on one another.

    Parameters
    ----------
    p_values
        Any shape; NaN marks a test that was not made, stays NaN and does not count.

    Returns
    -------
    array
        Shape of `p_values`, at least as large as each p-value, at most 1.
    """
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
    adjusted[order] = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    result[made] = np.minimum(adjusted, 1.0)
    return result

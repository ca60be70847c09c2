"""How much of one representation a linear map of the other explains."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def regression(product: Floats, singular_values: Floats) -> float:
    """Share of the variance of a that least squares on b explains (Kornblith et al. 2019, arXiv 1905.00414, table 1).

    ``||U_b^T Xc||_F^2 / ||Xc||_F^2``, over all units of a together and on the images it was fitted to.

    Parameters
    ----------
    product
        U_a^T U_b, (r_a, r_b); transpose it for the other direction.
    singular_values
        Of a, (r_a,).
    """
    variance = (singular_values / singular_values[0]) ** 2
    return float(variance @ (product**2).sum(axis=1) / variance.sum())

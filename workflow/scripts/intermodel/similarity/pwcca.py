"""Projection-weighted CCA: canonical correlations weighted by what they account for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def projection_weights(right: Floats, singular_values: Floats, directions: Floats) -> Floats:
    """Sum over units of the absolute inner products of each canonical variate with the centred activations.

    With ``Xc = U diag(s) V^T`` and variates ``h_i = U w_i`` this is ``|| V (s * w_i) ||_1``: no pass over the data.

    Parameters
    ----------
    right, singular_values
        V, (D, r), and s, (r,), of one side.
    directions
        Orthonormal w_i as columns, (r, c).

    Returns
    -------
    numpy.ndarray
        (c,) float64.
    """
    return np.asarray(np.abs(right @ (singular_values[:, None] * directions)).sum(axis=0))


def pwcca(correlations: Floats, weights: Floats) -> float:
    """Weighted mean of the canonical correlations (Morcos et al. 2018, arXiv 1806.05759, section 2.2).

    Which side the weights come from matters. They sum absolute values over units, so the value changes when a
    representation is rotated; where correlations tie below 1 it depends on the directions chosen within the tie.
    """
    return float(weights @ correlations / weights.sum())

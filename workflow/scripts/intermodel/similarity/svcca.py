"""Canonical correlations, on all directions (CCA) or on those that carry most variance (SVCCA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

Floats = NDArray[np.float64]


def components(singular_values: Floats, variance: float) -> int:
    """Smallest number k of leading directions with ``sum_{i<=k} s_i^2 >= variance * sum s_i^2``.

    The rule of Raghu et al. (2017, arXiv 1706.05806) speaks of variance, hence squares; sums of s itself, as in
    several programs, keep more directions.

    Parameters
    ----------
    singular_values
        Descending, (r,).
    variance
        Share in (0, 1]; 1 keeps all r.
    """
    if not 0.0 < variance <= 1.0:
        raise UserError(f"`variance` is {variance}, expected a share above 0 and at most 1, for example 0.99.")
    if len(singular_values) == 0 or variance == 1.0:
        return len(singular_values)
    explained = np.cumsum((singular_values / singular_values[0]) ** 2)
    return int(np.searchsorted(explained, variance * explained[-1]) + 1)


def canonical_correlations(product: NDArray[np.floating], tolerance: float = 1e-6) -> Floats:
    """Canonical correlations of two subspaces with orthonormal bases, descending.

    Parameters
    ----------
    product
        U_a^T U_b, (k_a, k_b).
    tolerance
        By how much a correlation may exceed 1 from rounding before it is taken for a defect.

    Returns
    -------
    numpy.ndarray
        (min(k_a, k_b),) float64 in [0, 1].
    """
    return clip(np.linalg.svd(np.asarray(product, dtype=np.float64), compute_uv=False), tolerance)


def clip(correlations: Floats, tolerance: float) -> Floats:
    """Cut correlations to [0, 1]; an excess beyond `tolerance` means that a basis is not orthonormal."""
    if correlations.max(initial=0.0) > 1.0 + tolerance:
        raise UserError(
            f"a canonical correlation of {correlations.max():.9g} was found, expected at most 1; a basis is not "
            "orthonormal: delete the basis files of this pair and run again."
        )
    return np.clip(correlations, 0.0, 1.0)


def mean_correlation(correlations: Floats) -> float:
    """Mean of all min(k_a, k_b) correlations: SVCCA of truncated bases, CCA of whole ones (Raghu et al. 2017)."""
    return float(correlations.mean())


def mean_square_correlation(correlations: Floats) -> float:
    """Mean of the squared correlations, R^2_CCA of Kornblith et al. (2019, arXiv 1905.00414, table 1)."""
    return float((correlations**2).mean())

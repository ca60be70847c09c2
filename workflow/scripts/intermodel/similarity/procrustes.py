"""Orthogonal Procrustes: the angle that is left after the best rotation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.similarity.svcca import clip

Floats = NDArray[np.float64]


def procrustes_cosine(
    product: Floats, singular_values_a: Floats, singular_values_b: Floats, tolerance: float = 1e-6
) -> float:
    """Nuclear norm of ``Xc^T Yc`` over ``||Xc||_F ||Yc||_F``, in [0, 1]; 1 - cosine is half the distance of Ding et al.

    Parameters
    ----------
    product
        U_a^T U_b, (r_a, r_b).
    singular_values_a, singular_values_b
        (r_a,) and (r_b,).
    tolerance
        By how much the cosine may exceed 1 from rounding.
    """
    scaled_a = singular_values_a / np.linalg.norm(singular_values_a)
    scaled_b = singular_values_b / np.linalg.norm(singular_values_b)
    nuclear = np.linalg.svd(scaled_a[:, None] * product * scaled_b, compute_uv=False).sum()
    return float(clip(np.atleast_1d(nuclear), tolerance)[0])


def procrustes_angle(cosine: float) -> float:
    """Angular Procrustes distance in radians, 0 to pi/2, a metric (Williams et al. 2021, arXiv 2110.14739, eq. 5).

    Angles below some 2e-8 cannot be told from 0, since the cosine is flat there.
    """
    return float(np.arccos(cosine))

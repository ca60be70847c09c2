"""Linear centred kernel alignment, biased and unbiased, without any N x N matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Share of the biased estimate below which the unbiased one is 0 up to rounding.
DEGENERATE = 1e-12


def cka(product: Floats, singular_values_a: Floats, singular_values_b: Floats) -> float:
    """Linear CKA ``||Xc^T Yc||_F^2 / (||Xc^T Xc||_F ||Yc^T Yc||_F)`` (Kornblith et al. 2019, arXiv 1905.00414, eq. 5).

    Parameters
    ----------
    product
        U_a^T U_b, (r_a, r_b).
    singular_values_a, singular_values_b
        (r_a,) and (r_b,).
    """
    variance_a, variance_b = _relative(singular_values_a), _relative(singular_values_b)
    cross = variance_a @ product**2 @ variance_b
    return float(cross / (np.linalg.norm(variance_a) * np.linalg.norm(variance_b)))


def cka_unbiased(
    product: Floats,
    singular_values_a: Floats,
    singular_values_b: Floats,
    row_square_norms_a: Floats,
    row_square_norms_b: Floats,
) -> float:
    """Linear CKA from the unbiased estimator of HSIC (Song et al. 2012, JMLR 13, eq. 5), centred near 0 by chance.

    The diagonals that the estimator removes are the row norms of globally centred features, so that
    ``N (N-3) HSIC = ||Xc^T Yc||_F^2 - N/(N-2) sum_n a_n b_n + (sum a)(sum b) / ((N-1)(N-2))``.

    Parameters
    ----------
    row_square_norms_a, row_square_norms_b
        a_n and b_n, (N,), N >= 4.

    Returns
    -------
    float
        At most 1, negative values possible; NaN where a side's estimate with itself is 0, which happens when all
        images are equally far apart (one unit for each image, say).
    """
    variance_a, variance_b = _relative(singular_values_a), _relative(singular_values_b)
    norms_a = row_square_norms_a / singular_values_a[0] ** 2
    norms_b = row_square_norms_b / singular_values_b[0] ** 2
    cross = _hsic(float(variance_a @ product**2 @ variance_b), norms_a, norms_b)
    own_a = _hsic(float(variance_a @ variance_a), norms_a, norms_a)
    own_b = _hsic(float(variance_b @ variance_b), norms_b, norms_b)
    if own_a <= DEGENERATE * (variance_a @ variance_a) or own_b <= DEGENERATE * (variance_b @ variance_b):
        return float("nan")
    return float(cross / np.sqrt(own_a * own_b))


def _hsic(square_norm: float, norms_a: Floats, norms_b: Floats) -> float:
    images = len(norms_a)
    return float(
        square_norm
        - images / (images - 2) * (norms_a @ norms_b)
        + norms_a.sum() * norms_b.sum() / ((images - 1) * (images - 2))
    )


def _relative(singular_values: Floats) -> Floats:
    # Scaled first, so that features of any magnitude neither overflow nor vanish when squared twice.
    return np.asarray((singular_values / singular_values[0]) ** 2)

"""What a measure gives when the rows of one side are shuffled: its mean by chance, in closed form where there is one.

The exact means hold for any two centred representations, over all permutations of the rows of one. They follow from
``E[M_ij^2] = 1/(N-1)``: a shuffled unit vector that sums to 0 has no preferred direction among those of its kind.
"""

from __future__ import annotations

import math

import numpy as np


def null_square_correlation(k_a: int, k_b: int, images: int) -> float:
    """Exact mean of R^2_CCA, ``max(k_a, k_b) / (N - 1)``."""
    return max(k_a, k_b) / (images - 1)


def null_cka(participation_ratio_a: float, participation_ratio_b: float, images: int) -> float:
    """Exact mean of biased linear CKA, ``sqrt(ED_a ED_b) / (N - 1)`` with the effective dimensions ED.

    The unbiased estimator has mean 0.
    """
    return math.sqrt(participation_ratio_a * participation_ratio_b) / (images - 1)


def null_regression(rank: int, images: int) -> float:
    """Exact mean of the explained share, ``r / (N - 1)`` with the rank r of the predicting side."""
    return rank / (images - 1)


def null_mutual_knn(neighbours: int, images: int) -> float:
    """Exact mean of the shared share of k neighbours, ``k / (N - 1)``."""
    return neighbours / (images - 1)


def null_mean_correlation(k_a: int, k_b: int, images: int, nodes: int = 512) -> float:
    """Mean canonical correlation of unrelated subspaces for large N (Wachter 1980, Ann. Statist. 8, 937-957).

    The limiting law of the squared correlations has a density between two edges and, where the dimensions do not
    fit beside each other (k_a + k_b > N - 1), an atom at 1. It is within 0.005 of the permutation mean from some 500
    images. With a single direction on one side, where the limit is poor, the mean multiple correlation of Gaussian
    data is taken instead (the square root of a beta variable).

    Parameters
    ----------
    k_a, k_b
        Dimensions of the subspaces, >= 1 and at most N - 1.
    nodes
        Points of the quadrature; the integrand is smooth and periodic in the angle, so few suffice.
    """
    small, large = sorted((k_a, k_b))
    if large >= images - 1:
        return 1.0
    if small == 1:
        logarithm = (
            math.lgamma((large + 1) / 2)
            + math.lgamma((images - 1) / 2)
            - math.lgamma(large / 2)
            - math.lgamma(images / 2)
        )
        return math.exp(logarithm)
    a, b = small / (images - 1), large / (images - 1)
    low = (math.sqrt(a * (1 - b)) - math.sqrt(b * (1 - a))) ** 2
    high = (math.sqrt(a * (1 - b)) + math.sqrt(b * (1 - a))) ** 2
    angle = (np.arange(nodes) + 0.5) * math.pi / nodes
    square = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
    density = ((high - low) / 2 * np.sin(angle)) ** 2 / (2 * math.pi * a * square * (1 - square))
    return float((np.sqrt(square) * density).mean() * math.pi + max(0.0, (a + b - 1) / a))

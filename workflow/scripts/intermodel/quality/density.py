"""A density baseline: log-likelihood of an image's features under a mixture of Gaussians of the training images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Principal directions kept at most; more make the mixture's likelihood a sum of noise.
DIRECTIONS = 32
# Added to every variance of the whitened features (total variance 1 each).
FLOOR = 1e-3


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians with diagonal covariances.

    Attributes
    ----------
    weights, means, variances
        Of the components: (M,), (M, D), (M, D).
    iterations
        Steps of expectation maximisation taken.
    """

    weights: FloatArray
    means: FloatArray
    variances: FloatArray
    iterations: int

    def log_density(self, points: FloatArray) -> FloatArray:
        """Log-density of points (N, D), (N,)."""
        return _log_sum_exp(_joint(points, self.weights, self.means, self.variances))


def log_density(
    reference: NDArray[np.floating], queries: NDArray[np.floating], components: int = 20, seed: int = 0
) -> FloatArray:
    """Log-density of the queries' features under a mixture fitted to the reference images, (Q,).

    The features are turned onto the principal directions of the reference (at most 32, those with spread), whitened,
    and described by a mixture with diagonal covariances. NaN when the reference images do not differ.

    Parameters
    ----------
    reference, queries
        Features, (R, C) and (Q, C).
    components
        Gaussians, at most one per ten reference images.
    seed
        Of the starting points.
    """
    points = np.asarray(reference, dtype=np.float64)
    mean = points.mean(axis=0)
    _, singular, axes = np.linalg.svd(points - mean, full_matrices=False)
    kept = int((singular[:DIRECTIONS] > 1e-6 * singular[0]).sum()) if singular[0] > 0 else 0
    if kept == 0 or (points == points[0]).all():
        return np.full(len(queries), np.nan)
    turn = axes[:kept].T * (np.sqrt(len(points)) / singular[:kept])
    mixture = fit_mixture((points - mean) @ turn, max(1, min(components, len(points) // 10)), seed)
    return mixture.log_density((np.asarray(queries, dtype=np.float64) - mean) @ turn)


def fit_mixture(
    points: FloatArray, components: int, seed: int = 0, iterations: int = 100, tolerance: float = 1e-3
) -> Mixture:
    """Fit a mixture by expectation maximisation from k-means++ seeds.

    Parameters
    ----------
    points
        (N, D), N >= components.
    components
        M >= 1.
    iterations, tolerance
        Stop when the mean log-density rises by less than `tolerance`, or after so many steps.
    """
    generator = np.random.default_rng(seed)
    means = _spread_out(points, components, generator)
    weights = np.full(components, 1.0 / components)
    variances = np.tile(points.var(axis=0) + FLOOR, (components, 1))
    squares, last, step = np.square(points), -np.inf, 0
    for step in range(1, iterations + 1):  # noqa: B007
        joint = _joint(points, weights, means, variances)
        density = _log_sum_exp(joint)
        share = np.exp(joint - density[:, None])
        mass = share.sum(axis=0) + 1e-10
        means = share.T @ points / mass[:, None]
        variances = np.maximum(share.T @ squares / mass[:, None] - means**2, 0.0) + FLOOR
        weights = mass / mass.sum()
        if density.mean() - last < tolerance:
            break
        last = float(density.mean())
    return Mixture(weights, means, variances, step)


def _joint(points: FloatArray, weights: FloatArray, means: FloatArray, variances: FloatArray) -> FloatArray:
    """log of weight times density of every point under every component, (N, M)."""
    precision = 1.0 / variances
    # sum_d (x - m)^2 / v, expanded into products of matrices.
    distance = np.square(points) @ precision.T - 2 * points @ (means * precision).T + (means**2 * precision).sum(axis=1)
    constant = np.log(weights) - 0.5 * (np.log(variances).sum(axis=1) + means.shape[1] * np.log(2 * np.pi))
    result: FloatArray = constant - 0.5 * distance
    return result


def _log_sum_exp(values: FloatArray) -> FloatArray:
    largest = values.max(axis=1)
    result: FloatArray = largest + np.log(np.exp(values - largest[:, None]).sum(axis=1))
    return result


def _spread_out(points: FloatArray, count: int, generator: np.random.Generator) -> FloatArray:
    """Starting points far from one another (k-means++, Arthur and Vassilvitskii 2007)."""
    chosen = [int(generator.integers(len(points)))]
    distance = np.square(points - points[chosen[0]]).sum(axis=1)
    while len(chosen) < count:
        total = distance.sum()
        share = distance / total if total > 0 else None
        chosen.append(int(generator.choice(len(points), p=share)))
        distance = np.minimum(distance, np.square(points - points[chosen[-1]]).sum(axis=1))
    return points[chosen].copy()

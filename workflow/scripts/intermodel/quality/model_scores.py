"""Label-free scores of a whole representation: one number per feature matrix, never to be mixed with those per image.

Every function takes features Z (N, K), finite, and returns NaN where its formula is 0 / 0 (no spread, too few ranks).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.quality.row_scores import unit_rows

FloatArray = NDArray[np.float64]

# Ranks between which the spectrum's power law is fitted (Agrawal et al. 2022).
FIRST_RANK, LAST_RANK = 11, 100
# Smaller shares of the largest singular value are rounding.
RANK_TOLERANCE = 1e-12
# Images compared with all others at a time.
BLOCK = 512
# Added to every share before its logarithm, as RankMe does.
ENTROPY_EPS = 1e-7


def rankme(features: ArrayLike) -> float:
    """Effective number of directions: exp of the entropy of the normalised singular values of uncentred Z.

    Garrido et al. 2023, arXiv 2210.02885, equation 1 with its 1e-7; in [1, min(N, K)]. It depends on the mean vector
    and, when N is not several times K, on N.
    """
    return _entropy_rank(_singular_values(features))


def effective_rank(features: ArrayLike) -> float:
    """exp of the entropy of the normalised eigenvalues of the covariance, with RankMe's 1e-7.

    Some public code calls this RankMe; centring and squaring make it a different, usually much smaller number.
    """
    return _entropy_rank(_covariance_spectrum(features))


def alpha_req(features: ArrayLike, first: int = FIRST_RANK, last: int = LAST_RANK) -> float:
    """Decay exponent alpha of the covariance spectrum, lambda_k ~ k^-alpha; near 1 is said to generalise best.

    Agrawal et al. 2022 (alpha-ReQ): least squares of log lambda_k on -log k over ranks `first` to `last`, weights
    1 / k. NaN with fewer than three positive eigenvalues in that range.
    """
    return _decay(_covariance_spectrum(features), first, last)


def nesum(features: ArrayLike) -> float:
    """Sum of the covariance eigenvalues over the largest (He and Ozay 2022)."""
    return _over_first(_covariance_spectrum(features))


def stable_rank(features: ArrayLike) -> float:
    """Squared Frobenius norm over squared spectral norm of uncentred Z."""
    values = _singular_values(features)
    return _over_first(np.square(values / (values[0] or 1.0)))


def condition(features: ArrayLike) -> float:
    """Smallest over largest singular value of uncentred Z (Tsitsulin et al. 2023, arXiv 2305.16562)."""
    return _last_over_first(_singular_values(features))


def coherence(features: ArrayLike) -> float:
    """Largest leverage of an image times N / K (Tsitsulin et al. 2023); rank / K when all weigh the same."""
    values = np.asarray(features, dtype=np.float64)
    left, singular, _ = np.linalg.svd(values, full_matrices=False)
    kept = singular > RANK_TOLERANCE * max(values.shape) * singular[0]
    if not singular[0] > 0:
        return float("nan")
    return float(np.square(left[:, kept]).sum(axis=1).max() * len(values) / values.shape[1])


def self_cluster(features: ArrayLike) -> float:
    """How much the directions of the images cluster: 0 as random ones, 1 all the same (Tsitsulin et al. 2023)."""
    unit = unit_rows(np.asarray(features))
    if not unit.any():
        return float("nan")
    count, width = unit.shape
    # |U U^T| and |U^T U| have the same Frobenius norm; take the smaller product.
    gram = unit.T @ unit if width <= count else unit @ unit.T
    expected = count + count * (count - 1) / width
    return (
        float((np.square(gram).sum() - expected) / (count**2 - expected)) if count > 1 and width > 1 else float("nan")
    )


def uniformity(features: ArrayLike) -> float:
    """log of the mean of exp(-2 |u - u'|^2) over pairs of images (Wang and Isola 2020); smaller is more uniform."""
    unit = unit_rows(np.asarray(features))
    count = len(unit)
    if count < 2 or not unit.any():
        return float("nan")
    total = 0.0
    for start in range(0, count, BLOCK):
        # Pairs with the block itself, seen twice and with the images themselves, and pairs with later blocks.
        own, later = unit[start : start + BLOCK], unit[start + BLOCK :]
        total += (np.exp(-2 * _squared_distances(own, own)).sum() - len(own)) / 2
        total += np.exp(-2 * _squared_distances(own, later)).sum()
    return float(np.log(2 * total / (count * (count - 1))))


def twonn(features: ArrayLike) -> float:
    """Intrinsic dimension from the ratio of the two nearest distances (Facco et al. 2017), by maximum likelihood.

    Of equal images one is kept. NaN with fewer than three different images.
    """
    points = np.unique(np.asarray(features, dtype=np.float64), axis=0)
    if len(points) < 3:
        return float("nan")
    # Centring keeps the expansion |a|^2 - 2 ab + |b|^2 from cancelling.
    points = points - points.mean(axis=0)
    log_ratio = 0.0
    for start in range(0, len(points), BLOCK):
        own = points[start : start + BLOCK]
        apart = _squared_distances(own, points)
        apart[np.arange(len(own)), start + np.arange(len(own))] = np.inf
        pair = np.argpartition(apart, 1, axis=1)[:, :2]
        near = np.sort(np.linalg.norm(points[pair] - own[:, None], axis=2), axis=1)
        log_ratio += float(np.log(near[:, 1] / near[:, 0]).sum())
    return len(points) / log_ratio if log_ratio > 0 else float("nan")


def lidar(views: ArrayLike, delta: float = 1e-4, eps: float = 1e-8) -> float:
    """Effective rank of the linear discriminant of images against their views (Thilak et al. 2024, arXiv 2312.04000).

    Parameters
    ----------
    views
        q augmented views of each of n images, (n, q, d), n >= 2, q >= 2.
    delta, eps
        Added to the within-image covariance and to the eigenvalues.

    Returns
    -------
    float
        1 for a collapsed encoder: its eigenvalues are all 0, which the formula would call full rank.
    """
    values = np.asarray(views, dtype=np.float64)
    if values.ndim != 3 or values.shape[0] < 2 or values.shape[1] < 2:
        raise ValueError(
            f"views have shape {values.shape}, expected (images, views, features), at least 2 of the first two"
        )
    images, count, width = values.shape
    means = values.mean(axis=1)
    centred = means - means.mean(axis=0)
    between = centred.T @ centred / (images - 1)
    residual = (values - means[:, None]).reshape(-1, width)
    within = residual.T @ residual / (images * (count - 1)) + delta * np.eye(width)
    scale, axes = np.linalg.eigh(within)
    whitening = axes / np.sqrt(scale)
    spectrum = np.maximum(np.linalg.eigvalsh(whitening.T @ between @ whitening), 0.0)
    if np.trace(between) <= 1e-12 * np.trace(within):
        return 1.0
    share = (spectrum + eps) / (spectrum + eps).sum()
    return float(np.exp(-(share * np.log(share)).sum()))


# The scores that `model_scores` gives, in the order of the tables.
MODEL_SCORES = (
    "rankme",
    "effective_rank",
    "alpha_req",
    "nesum",
    "stable_rank",
    "condition",
    "coherence",
    "self_cluster",
    "uniformity",
    "twonn",
)


@dataclass(frozen=True)
class ModelScore:
    """A score of a representation and, where it is NaN, why."""

    value: float
    note: str = ""


def model_scores(features: ArrayLike) -> dict[str, ModelScore]:
    """All scores that need no second set of views, by the names of the functions above; each spectrum computed once."""
    values = np.asarray(features, dtype=np.float64)
    singular, spectrum = _singular_values(values), _covariance_spectrum(values)
    scores = {
        "rankme": _entropy_rank(singular),
        "effective_rank": _entropy_rank(spectrum),
        "alpha_req": _decay(spectrum, FIRST_RANK, LAST_RANK),
        "nesum": _over_first(spectrum),
        "stable_rank": _over_first(np.square(singular / (singular[0] or 1.0))),
        "condition": _last_over_first(singular),
        "coherence": coherence(values),
        "self_cluster": self_cluster(values),
        "uniformity": uniformity(values),
        "twonn": twonn(values),
    }
    if not singular[0] > 0:
        reason = "all features are zero"
    elif not spectrum[0] > 0:
        reason = "all images have the same features"
    else:
        reason = "too few images or directions"
    return {name: ModelScore(value, reason if np.isnan(value) else "") for name, value in scores.items()}


def _singular_values(features: ArrayLike) -> FloatArray:
    return np.linalg.svd(np.asarray(features, dtype=np.float64), compute_uv=False)


def _covariance_spectrum(features: ArrayLike) -> FloatArray:
    """Eigenvalues of the covariance, falling; exact zeros when all images are the same."""
    values = np.asarray(features, dtype=np.float64)
    if (values == values[0]).all():
        return np.zeros(values.shape[1])
    spectrum = np.zeros(values.shape[1])
    singular = _singular_values(values - values.mean(axis=0))
    spectrum[: len(singular)] = np.square(singular) / (len(values) - 1)
    return spectrum


def _entropy_rank(values: FloatArray) -> float:
    if not values.sum() > 0:
        return float("nan")
    share = values / values.sum() + ENTROPY_EPS
    return float(np.exp(-(share * np.log(share)).sum()))


def _over_first(values: FloatArray) -> float:
    return float(values.sum() / values[0]) if values[0] > 0 else float("nan")


def _last_over_first(values: FloatArray) -> float:
    return float(values[-1] / values[0]) if values[0] > 0 else float("nan")


def _decay(spectrum: FloatArray, first: int, last: int) -> float:
    """Weighted least-squares slope of log eigenvalue on -log rank."""
    ranks = np.arange(1, len(spectrum) + 1)
    used = (ranks >= first) & (ranks <= last) & (spectrum > RANK_TOLERANCE * spectrum[0])
    if used.sum() < 3:
        return float("nan")
    weight = 1.0 / ranks[used]
    x, y = -np.log(ranks[used]), np.log(spectrum[used])
    x = x - np.average(x, weights=weight)
    return float((weight * x * y).sum() / (weight * x * x).sum())


def _squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared Euclidean distances of the rows of a to those of b, never negative."""
    result: FloatArray = a @ b.T
    result *= -2
    result += np.square(a).sum(axis=1)[:, None]
    result += np.square(b).sum(axis=1)
    return np.maximum(result, 0.0, out=result)

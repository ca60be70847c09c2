"""How well each word fits each unit: the scores of CLIP-Dissect (Oikarinen and Weng 2023).

Throughout, P (D, C) are cosines of D images and C words in CLIP's space, q (D, U) the pooled activations of U units on
the same images. For WPMI and soft-WPMI the score of a unit and a word is

    ell_uc - factor (logsumexp_u' ell_u'c - log U)

where the second term tells how well the word fits units in general. It runs over the units that are compared: over
those of all models together where labels of several models are to be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Score = Literal["soft_wpmi", "wpmi", "cubed_cosine", "cosine", "rank_reorder"]

# Terms of ell that are multiplied before the logarithm is taken: 0.002^64 is far from the smallest float64.
FACTORS = 64
# Added to every probability of a word, as in the authors' program.
FLOOR = 1e-7
# Norms below this count as this in the cubed cosine.
SMALLEST_NORM = 1e-3
# Rank reorder: power of the errors, share of the images, power of the mean cosine, and the least such mean.
POWER, TOP_SHARE, MEAN_POWER, SMALLEST_MEAN = 3, 0.05, 0.5, 1e-6
# Cosines of images and words that are sorted at a time; bounds the memory.
BLOCK_VALUES = 2_000_000


@dataclass(frozen=True)
class Wpmi:
    """Defaults of a score of the WPMI kind.

    Attributes
    ----------
    sharpness
        Factor of the cosines in the softmax over words.
    top_images
        Images with the highest activation that count.
    first, last
        Weight of the first of them and, one step beyond, of the last; falling evenly in between.
    factor
        Of the second term.
    """

    sharpness: float
    top_images: int
    first: float
    last: float
    factor: float


WPMI = {"soft_wpmi": Wpmi(10.0, 100, 0.998, 0.97, 1.0), "wpmi": Wpmi(2.0, 28, 1.0, 1.0, 0.6)}


def top_images(activation: NDArray[np.floating], count: int) -> NDArray[np.intp]:
    """For each unit the images with the highest activation, highest first, of equals the first in the data set.

    Parameters
    ----------
    activation
        (D, U).
    count
        Number of images, at most D.

    Returns
    -------
    numpy.ndarray
        (U, count).
    """
    order = np.argsort(-np.asarray(activation), axis=0, kind="stable")
    return np.asarray(order[:count].T)


def word_probabilities(similarity: NDArray[np.floating], sharpness: float) -> Floats:
    """Softmax over words of each image's cosines times `sharpness`, (D, C)."""
    scaled = sharpness * np.asarray(similarity, dtype=np.float64)
    scaled -= scaled.max(axis=1, keepdims=True)
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def log_evidence(probability: Floats, images: NDArray[np.integer], weights: Floats) -> Floats:
    """ell_uc, the sum over the top images j of log(1 + w_j (p_jc - 1) + 1e-7), (U, C).

    Parameters
    ----------
    probability
        (D, C), see `word_probabilities`.
    images
        (U, k) images of each unit, strongest first.
    weights
        (k,).
    """
    result = np.zeros((len(images), probability.shape[1]))
    offset = (1.0 - weights + FLOOR)[:, None]
    for unit, rows in enumerate(images):
        for start in range(0, len(rows), FACTORS):
            part = slice(start, start + FACTORS)
            terms = weights[part, None] * probability[rows[part]] + offset[part]
            result[unit] += np.log(terms.prod(axis=0))
    return result


def image_weights(settings: Wpmi, count: int) -> Floats:
    """Weights of the `count` strongest images, (count,)."""
    return settings.first - np.arange(count) / count * (settings.first - settings.last)


def log_sum(evidence: Floats) -> Floats:
    """logsumexp over units of ell, (C,)."""
    largest = evidence.max(axis=0)
    return np.asarray(largest + np.log(np.exp(evidence - largest).sum(axis=0)))


def normalised(evidence: NDArray[np.floating], log_total: Floats, units: int, factor: float) -> Floats:
    """Scores (U, C) from ell (U, C) and the logsumexp, (C,), over all `units` units that are compared."""
    return np.asarray(evidence - factor * (log_total - np.log(units)))


def cosine(similarity: NDArray[np.floating], activation: NDArray[np.floating]) -> Floats:
    """Cosine over images of each unit's activations with each word's similarities, (U, C)."""
    p, q = (np.asarray(values, dtype=np.float64) for values in (similarity, activation))
    return _unit_columns(q, 0.0).T @ _unit_columns(p, 0.0)


def cubed_cosine(similarity: NDArray[np.floating], activation: NDArray[np.floating]) -> Floats:
    """The same of centred values, cubed so that the strongest images count most, (U, C)."""
    p, q = (np.asarray(values, dtype=np.float64) for values in (similarity, activation))
    p, q = (p - p.mean(axis=0)) ** 3, (q - q.mean(axis=0)) ** 3
    return _unit_columns(q, SMALLEST_NORM).T @ _unit_columns(p, SMALLEST_NORM)


def rank_reorder(
    similarity: NDArray[np.floating], activation: NDArray[np.floating], share: float = TOP_SHARE
) -> Floats:
    """How badly a unit's strongest images would be ordered by each word's similarities, (U, C), negative; 0 is best.

    The activations of the strongest images are given to the same images anew in the order of their cosines with a word.
    The mean cubed error, as a share of what a random order would give, is divided by the root of the mean cosine of
    these images. The authors offer this score as a baseline and estimate the error of a random order from five
    shuffles; here it is the mean over all orders, so that nothing is drawn. A mean cosine of 0 or less counts as 1e-6.

    Parameters
    ----------
    similarity, activation
        P (D, C) and q (D, U); units must vary.
    share
        Share of the images that count.
    """
    p, q = (np.asarray(values, dtype=np.float64) for values in (similarity, activation))
    count = int(len(q) * share)
    strongest = top_images(q, count)
    result = np.empty((q.shape[1], p.shape[1]))
    for unit, rows in enumerate(strongest):
        result[unit] = reorder_scores(p[rows], q[rows, unit])
    return result


def reorder_scores(similarity: Floats, activation: Floats) -> Floats:
    """`rank_reorder` of one unit from its strongest images: cosines (n, C), activations (n,) falling; (C,)."""
    rising = activation[::-1]
    chance = shuffled_error(activation)
    words = similarity.shape[1]
    error = np.empty(words)
    size = max(1, BLOCK_VALUES // max(1, len(activation)))
    for start in range(0, words, size):
        block = slice(start, start + size)
        # The image at each place of the order by cosines gets the activation of that place.
        order = np.argsort(similarity[:, block], axis=0, kind="stable")
        given = np.empty(order.shape)
        np.put_along_axis(given, order, np.broadcast_to(rising[:, None], order.shape), axis=0)
        error[block] = (np.abs(activation[:, None] - given) ** POWER).mean(axis=0)
    mean = np.maximum(similarity.mean(axis=0), SMALLEST_MEAN)
    # Images that are equally active have no order to get wrong.
    return np.asarray(-(error / chance if chance > 0 else error) / mean**MEAN_POWER)


def shuffled_error(values: Floats) -> float:
    """Mean over all orders of the mean cubed difference of values (n,) and the same in another order.

    In a random order every value meets every value equally often, so this is the mean over all pairs.
    """
    rising = np.sort(values) - values.mean()
    lower = [np.concatenate([[0.0], np.cumsum(rising**power)[:-1]]) for power in range(4)]
    terms = rising**3 * lower[0] - 3 * rising**2 * lower[1] + 3 * rising * lower[2] - lower[3]
    return max(float(2 * terms.sum() / len(values) ** 2), 0.0)


def _unit_columns(values: Floats, smallest: float) -> Floats:
    norm = np.maximum(np.linalg.norm(values, axis=0), smallest)
    return np.asarray(values / np.where(norm > 0, norm, 1.0))

"""From correlations to matches: nearest units, mutual nearest units, and what of them chance would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.statistics.jackknife import jackknife_interval
from intermodel.statistics.multiple_testing import benjamini_hochberg
from intermodel.statistics.nulls import chance_corrected, p_value
from intermodel.unit_matching.correlation import Accumulated, Floats, by_position, correlations

Integers = NDArray[np.intp]

# Share of false discoveries among the matches of two layers that are called beyond chance.
FALSE_DISCOVERIES = 0.05


@dataclass(frozen=True)
class Nearest:
    """For each unit of one layer its nearest unit of the other, -1 where it is constant; and the correlation (NaN)."""

    unit: Integers
    correlation: Floats


@dataclass(frozen=True)
class Matching:
    """Two layers matched unit by unit.

    Attributes
    ----------
    nearest_a, nearest_b
        Of the units of a among those of b, and the reverse.
    mutual
        (K, 2) units of a and b that are each other's nearest, with a positive correlation.
    correlation
        (K,) their correlations.
    position
        (K,) correlation that position alone brings: the exact mean over all pairings of images.
    p
        (K,) p-values: the share of units, over both layers and all wrong pairings of the images, whose largest excess
        over position reaches that of the match.
    beyond_chance
        (K,) whether the match is kept when at most 5 % of those kept may be false (Benjamini and Hochberg).
    similarity_a, similarity_b
        Mean best correlation, at least 0, of the units of a among those of b, and the reverse.
    similarity, low, high
        Mean of both, with its 95 % interval over images (NaN where folds are too few).
    null_similarity, null_mutual_fraction
        The same and the mutual fraction among wrong pairings.
    """

    nearest_a: Nearest
    nearest_b: Nearest
    mutual: Integers
    correlation: Floats
    position: Floats
    p: Floats
    beyond_chance: NDArray[np.bool_]
    similarity_a: float
    similarity_b: float
    low: float
    high: float
    null_similarity: float
    null_mutual_fraction: float

    @property
    def similarity(self) -> float:
        """Mean of `similarity_a` and `similarity_b`: both models count alike, however many units they have."""
        return (self.similarity_a + self.similarity_b) / 2

    @property
    def adjusted(self) -> float:
        """Similarity above that of wrong pairings: 0 at chance, 1 at the maximum."""
        return float(chance_corrected(self.similarity, self.null_similarity))

    @property
    def live(self) -> tuple[int, int]:
        """Units of each layer that are not constant."""
        return int((self.nearest_a.unit >= 0).sum()), int((self.nearest_b.unit >= 0).sum())

    @property
    def mutual_fraction(self) -> float:
        """Mutual pairs as a share of the most that there could be; NaN if a layer has no unit that varies."""
        return _share(len(self.mutual), min(self.live))


def nearest(correlation: Floats) -> Nearest:
    """Nearest column of each row of (A, B); the lowest of equals. Rows without a number get -1 and NaN."""
    known = ~np.isnan(correlation)
    unit = np.where(known, correlation, -np.inf).argmax(axis=1)
    dead = ~known.any(axis=1)
    best = correlation[np.arange(len(correlation)), unit]
    return Nearest(np.where(dead, -1, unit), np.where(dead, np.nan, best))


def mutual_pairs(nearest_a: Nearest, nearest_b: Nearest) -> Integers:
    """(K, 2) units of a and b that are each other's nearest, with a positive correlation, in the order of a."""
    units = np.flatnonzero((nearest_a.unit >= 0) & (nearest_a.correlation > 0))
    partners = nearest_a.unit[units]
    kept = nearest_b.unit[partners] == units
    return np.stack([units[kept], partners[kept]], axis=1)


def directed_similarity(found: Nearest) -> float:
    """Mean best correlation of the units that vary, each at least 0; NaN if there is none."""
    known = found.correlation[found.unit >= 0]
    return float(np.maximum(known, 0.0).mean()) if len(known) else float("nan")


def similarity_of(correlation: Floats) -> float:
    """Mean best correlation in both directions, each model counting alike."""
    return (directed_similarity(nearest(correlation)) + directed_similarity(nearest(correlation.T))) / 2


def match(found: Accumulated) -> Matching:
    """Match two layers.

    Parameters
    ----------
    found
        Sums over the images, with at least one wrong pairing.
    """
    total = found.folds.total()
    observed = correlations(total, found.shift_a, found.shift_b)
    nearest_a, nearest_b = nearest(observed), nearest(observed.T)
    pairs = mutual_pairs(nearest_a, nearest_b)
    a, b = pairs.T
    expected = by_position(found)

    excess, null_similarity, null_fraction = [], [], []
    for products in found.shuffled:
        wrong = correlations(total, found.shift_a, found.shift_b, products)
        excess += [nearest(wrong - expected).correlation, nearest((wrong - expected).T).correlation]
        null_similarity.append(similarity_of(wrong))
        first, second = nearest(wrong), nearest(wrong.T)
        fewer = min((first.unit >= 0).sum(), (second.unit >= 0).sum())
        null_fraction.append(_share(len(mutual_pairs(first, second)), int(fewer)))
    largest = np.concatenate(excess)
    p = p_value(observed[a, b] - expected[a, b], largest[~np.isnan(largest)])
    low, high = _interval(found, similarity_of(observed))
    return Matching(
        nearest_a,
        nearest_b,
        pairs,
        observed[a, b],
        expected[a, b],
        p,
        benjamini_hochberg(p) <= FALSE_DISCOVERIES,
        directed_similarity(nearest_a),
        directed_similarity(nearest_b),
        low,
        high,
        float(np.mean(null_similarity)),
        float(np.mean(null_fraction)),
    )


def _interval(found: Accumulated, estimate: float) -> tuple[float, float]:
    """95 % interval of the similarity from leaving out one fold of images at a time, within [0, 1]."""
    kept = np.flatnonzero(found.fold_images)
    if len(kept) < 2 or np.isnan(estimate):
        return float("nan"), float("nan")
    replicates = [
        similarity_of(correlations(found.folds.total(without=fold), found.shift_a, found.shift_b))
        for fold in kept.tolist()
    ]
    found_interval = jackknife_interval(estimate, replicates, found.fold_images[kept])
    return float(np.maximum(found_interval.low, 0.0)), float(np.minimum(found_interval.high, 1.0))


def _share(count: int, of: int) -> float:
    return count / of if of else float("nan")

"""How well a unit's mean activation tells images with a concept from images without: AUROC of all units and concepts.

It needs no threshold, does not depend on how frequent a concept is or how much of an image it fills, and so speaks of
the concepts that IoU cannot reach (see `reachability`). It knows nothing of where in the image a unit is active: what
often occurs together cannot be told apart. The idea to score units so is that of INVERT (Bykov et al. 2023).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.areas import presence
from intermodel.concepts.files import open_patterns, visible_boxes
from intermodel.concepts.patterns import Patterns
from intermodel.concepts.scores import Scores, best_concepts, write_layer
from intermodel.engine.errors import UserError
from intermodel.statistics.correlation import midranks
from intermodel.statistics.multiple_testing import benjamini_hochberg
from intermodel.store import PathLike, Pooled, align, create, read_pooled

# Values of images and units that are ranked at a time; bounds the memory.
BLOCK_VALUES = 4_000_000


@dataclass(frozen=True)
class Auroc:
    """Scores of U units and L concepts.

    Attributes
    ----------
    auroc
        (U, L) share of the pairs of an image with and one without the concept in which the unit is more active on the
        former, ties counting half; NaN for concepts that no image or every image holds.
    p_value
        (U, L) two-sided, normal approximation of Mann and Whitney's statistic with correction for ties; 1 for units
        that are equally active on all images.
    positives
        (L,) images that hold the concept.
    """

    auroc: NDArray[np.float64]
    p_value: NDArray[np.float64]
    positives: NDArray[np.int64]


def auroc(values: NDArray[np.floating], labels: NDArray[np.bool_]) -> Auroc:
    """AUROC of every unit with every concept: mid-ranks, O(U N log N), and one matrix product of ranks and labels.

    Parameters
    ----------
    values
        (N, U) activations of the units on the images.
    labels
        (N, L) whether each image holds each concept.
    """
    images, units = values.shape
    member = labels.astype(np.float64)
    positives = labels.sum(axis=0).astype(np.int64)
    with_, without = positives.astype(np.float64), images - positives.astype(np.float64)
    defined = (positives > 0) & (positives < images)
    pairs = np.where(defined, with_ * without, np.nan)
    score, p_value = np.empty((2, units, labels.shape[1]))
    size = max(1, BLOCK_VALUES // max(1, images))
    for start in range(0, units, size):
        block = slice(start, start + size)
        ranks = midranks(values[:, block], axis=0)
        score[block] = (ranks.T @ member - with_ * (with_ + 1) / 2) / pairs
        # Sum of t^3 - t over groups of t equal values, from what ties take away from the sum of squared ranks.
        ties = 12 * (images * (images + 1) * (2 * images + 1) / 6 - (ranks**2).sum(axis=0))
        spread = (images + 1 - ties / max(images * (images - 1), 1))[:, None] / (12 * pairs)
        deviation = np.abs(score[block] - 0.5)
        z = np.where(spread > 0, deviation / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)
        p_value[block] = np.where(defined, _two_sided(z), np.nan)
    return Auroc(score, p_value, positives)


def _two_sided(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of a normal variable at least as far from 0 as z >= 0.

    By the standard library: importing scipy's takes longer than scoring most layers.
    """
    return np.fromiter(map(math.erfc, (z / math.sqrt(2)).flat), np.float64, z.size).reshape(z.shape)


def auroc_interval(values: NDArray[np.floating], labels: NDArray[np.bool_], level: float = 0.95) -> tuple[float, float]:
    """Interval of one AUROC by the variance of DeLong et al. (1988) on the logit scale.

    Parameters
    ----------
    values, labels
        (N,) activations of a unit, and whether each image holds the concept.
    level
        Coverage.

    Returns
    -------
    tuple of float
        NaN with fewer than two images of either kind, or if the two kinds do not overlap.
    """
    with_, without = int(labels.sum()), int((~labels).sum())
    if min(with_, without) < 2:
        return np.nan, np.nan
    ranks = midranks(values)
    # For every image the share of images of the other kind that lie below it (above it, for those without).
    above = (ranks[labels] - midranks(values[labels])) / without
    below = 1 - (ranks[~labels] - midranks(values[~labels])) / with_
    estimate = float(above.mean())
    if not 0 < estimate < 1:
        return np.nan, np.nan
    error = np.sqrt(above.var(ddof=1) / with_ + below.var(ddof=1) / without)
    half = NormalDist().inv_cdf(0.5 + level / 2) * error / (estimate * (1 - estimate))
    low, high = np.log(estimate / (1 - estimate)) + np.array([-half, half])
    return float(1 / (1 + np.exp(-low))), float(1 / (1 + np.exp(-high)))


def read_layer(features: PathLike, patterns: PathLike, about: Mapping[str, Any]) -> Pooled:
    """Read pooled features, which must be of the data set that `about`, the attributes of its patterns, speaks of.

    Raises
    ------
    UserError
        If features and patterns were made from different states of the data set.
    """
    pooled = read_pooled(features)
    if pooled.attributes.get("dataset_fingerprint") != about["dataset_fingerprint"]:
        raise UserError(
            f"{features} and {patterns} were made from different states of the data set; delete both and run again."
        )
    return pooled


def images_holding(pooled: Pooled, known: Patterns, about: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Whether each image of the patterns, (N, L), holds each label in the part that the network saw."""
    seen = json.loads(pooled.attributes["preprocessing"])
    return presence(known, visible_boxes(seen, about["width"], about["height"], known.size))


def score_layers(features: Mapping[str, PathLike], patterns: PathLike, path: PathLike) -> None:
    """Score all units of a model's layers by their pooled features, see `scores` for the file.

    Parameters
    ----------
    features
        Feature file of each layer, whose `pooled` features are means over the positions of its maps.
    patterns
        Label maps of the data set; an image holds a label if any pixel does that counts and that the network saw.
    path
        The HDF5 file to write.

    Raises
    ------
    UserError
        If features and patterns were made from different states of the data set.
    """
    with open_patterns(patterns) as (known, about), create(path, **known.vocabulary.attributes()) as file:
        held: NDArray[np.bool_] | None = None
        for layer, source in features.items():
            pooled = read_layer(source, patterns, about)
            if held is None:
                held = images_holding(pooled, known, about)
                file["positives"] = held.sum(axis=0)
            labels = held[align(pooled.ids, known.ids, str(patterns))]
            found = auroc(pooled.values, labels)
            adjusted = benjamini_hochberg(found.p_value)
            concept = best_concepts(found.auroc, adjusted, found.positives, len(labels))
            value = np.where(concept >= 0, found.auroc[np.arange(len(concept)), concept], np.nan)
            interval = np.full((len(concept), 2), np.nan)
            for unit in np.flatnonzero(concept >= 0):
                interval[unit] = auroc_interval(pooled.values[:, unit], labels[:, concept[unit]])
            scores = Scores(found.auroc, concept, value, interval[:, 0], interval[:, 1])
            write_layer(file, layer, found.p_value, adjusted, scores)

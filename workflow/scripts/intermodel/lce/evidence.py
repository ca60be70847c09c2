"""What a model detects when images are drawn again: detectors under any weighting of the folds, all draws at once.

Of the units x labels pairs of a tally only few can ever make a detector. For fold sums I_g (intersection) and J_g
(union) and weights w_g >= 0, sum(w I) / sum(w J) lies at or below the largest I_g / J_g, so a pair that stays at or
below the threshold in every fold does so under every weighting. Leaving such pairs out is exact, and turns hundreds of
draws over millions of pairs into one product of two small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.concepts.iou import iou

Denominator = Literal["category", "all"]

# Elements of one block of units, (folds, units, labels).
BLOCK_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class Evidence:
    """Fold sums of the pairs of one model that can make a detector, ordered by unit, then label.

    Attributes
    ----------
    units, labels
        Number of units of the layer, of labels in the label set.
    unit, label
        Unit and label of each pair, (pairs,).
    intersection, unit_area, label_area
        Sums over the images of each fold in pixels, (folds, pairs); `unit_area` over the images that count for the
        label.
    iou_threshold
        A unit is a detector of its best label when their IoU exceeds this.
    """

    units: int
    labels: int
    unit: NDArray[np.int64]
    label: NDArray[np.int64]
    intersection: NDArray[np.float64]
    unit_area: NDArray[np.float64]
    label_area: NDArray[np.float64]
    iou_threshold: float


def gather(
    intersection: ArrayLike,
    unit_area: ArrayLike,
    label_area: ArrayLike,
    label_category: ArrayLike,
    iou_threshold: float,
) -> Evidence:
    """Find the pairs that can make a detector under some weighting of the folds.

    Parameters
    ----------
    intersection
        Pixels with unit and label, (folds, units, labels).
    unit_area
        Active pixels, (folds, units, categories) on the images with each category, or (folds, units, 1) on all images.
    label_area
        Pixels with the label, (folds, labels).
    label_category
        Category of each label, (labels,).
    iou_threshold
        See `Evidence`.
    """
    both = np.asarray(intersection)
    folds, units, labels = both.shape
    active, present = np.asarray(unit_area), np.asarray(label_area)
    column = np.asarray(label_category) if active.shape[2] > 1 else np.zeros(labels, np.int64)
    size = max(1, BLOCK_ELEMENTS // max(1, folds * labels))
    found = []
    for start in range(0, units, size):
        block = both[:, start : start + size]
        union = active[:, start : start + size][:, :, column] + present[:, None, :] - block
        # A hair below the threshold is kept: rounding must not decide here.
        possible = (block > iou_threshold * (1 - 1e-9) * union).any(axis=0)
        unit, label = np.nonzero(possible)
        found.append(np.stack([unit + start, label]))
    pairs = np.concatenate(found, axis=1) if found else np.zeros((2, 0), np.int64)
    unit, label = pairs
    return Evidence(
        units,
        labels,
        unit,
        label,
        both[:, unit, label].astype(np.float64),
        active[:, unit, column[label]].astype(np.float64),
        present[:, label].astype(np.float64),
        float(iou_threshold),
    )


def detectors(evidence: Evidence, weights: ArrayLike) -> NDArray[np.int64]:
    """Detectors per label under weightings of the folds.

    A unit counts for the label of its highest IoU, the first in label order among equals, if that IoU exceeds the
    threshold.

    Parameters
    ----------
    weights
        How often each fold counts, (..., folds), e.g. all ones for the whole data set.

    Returns
    -------
    array
        (..., labels) int64.
    """
    times = np.asarray(weights, dtype=np.float64)
    flat = times.reshape(-1, times.shape[-1])
    result = np.zeros((len(flat), evidence.labels), np.int64)
    if evidence.unit.size:
        # Sums of integers below 2^53: exact in any order.
        score = iou(flat @ evidence.intersection, flat @ evidence.unit_area, flat @ evidence.label_area)
        score = np.where(np.isnan(score), 0.0, score)
        starts = np.flatnonzero(np.diff(evidence.unit, prepend=-1))
        best = np.maximum.reduceat(score, starts, axis=1)
        lengths = np.diff(starts, append=len(evidence.unit))
        reaching = (score == np.repeat(best, lengths, axis=1)) & (score > evidence.iou_threshold)
        # Pairs of a unit are in label order: the first that reaches the best wins.
        position = np.where(reaching, np.arange(len(evidence.unit)), len(evidence.unit))
        first = np.minimum.reduceat(position, starts, axis=1)
        draw, group = np.nonzero(first < len(evidence.unit))
        np.add.at(result, (draw, evidence.label[first[draw, group]]), 1)
    return result.reshape(*times.shape[:-1], evidence.labels)


def best_iou(
    intersection: ArrayLike, unit_area: ArrayLike, label_area: ArrayLike, label_category: ArrayLike, weights: ArrayLike
) -> NDArray[np.float64]:
    """Highest IoU that any unit reaches with each label under weightings of the folds, without a threshold.

    Parameters are those of `gather` and `detectors`; every pair is evaluated.

    Returns
    -------
    array
        (..., labels), NaN where a label has no pixel under the weighting.
    """
    both = np.asarray(intersection)
    folds, units, labels = both.shape
    active, times = np.asarray(unit_area, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    column = np.asarray(label_category) if active.shape[2] > 1 else np.zeros(labels, np.int64)
    flat = times.reshape(-1, folds)
    present = flat @ np.asarray(label_area, dtype=np.float64)
    result = np.zeros((len(flat), labels))
    size = max(1, BLOCK_ELEMENTS // max(1, len(flat) * labels))
    for start in range(0, units, size):
        block = np.tensordot(flat, both[:, start : start + size].astype(np.float64), axes=1)
        area = np.tensordot(flat, active[:, start : start + size], axes=1)[:, :, column]
        score = iou(block, area, present[:, None, :])
        result = np.maximum(result, np.where(np.isnan(score), 0.0, score).max(axis=1))
    return np.where(present > 0, result, np.nan).reshape(*times.shape[:-1], labels)

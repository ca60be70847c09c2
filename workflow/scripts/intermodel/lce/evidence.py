"""What a model detects when images are drawn again: detectors under any weighting of the folds, all draws at once.

Of the units x labels pairs of a tally only few can ever make a detector. For fold sums I_g (intersection) and J_g
(union) and weights w_g >= 0, sum(w I) / sum(w J) lies at or below the largest I_g / J_g, so a pair that stays at or
below the threshold in every fold does so under every weighting. Leaving such pairs out is exact, and turns hundreds of
draws over millions of pairs into one product of two small matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.concepts.iou import Denominator, iou
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary

# Elements of one block, (folds, units, labels) or (weightings, pairs); bounds the memory.
BLOCK_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class Evidence:
    """Fold sums of the pairs of one model that can make a detector, ordered by unit, category, label.

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
    folds: Sums, vocabulary: Vocabulary, iou_threshold: float, denominator: Denominator = "category"
) -> Evidence:
    """Find the pairs that can make a detector under some weighting of the folds.

    Parameters
    ----------
    folds
        Sums with the folds on the leading axis.
    vocabulary
        The labels.
    iou_threshold
        See `Evidence`.
    denominator
        Which of a unit's area counts against a label (see `intermodel.concepts.iou.counted_area`).
    """
    # Categories first: between equal IoUs the first category wins, within it the first label.
    order = np.lexsort((np.arange(len(vocabulary)), vocabulary.category))
    active, column = _counted(folds, vocabulary, denominator)
    groups, units, labels = folds.intersection.shape
    size = max(1, BLOCK_ELEMENTS // max(1, groups * labels))
    found = [np.zeros((2, 0), np.int64)]
    for start in range(0, units, size):
        block = folds.intersection[:, start : start + size][:, :, order]
        union = active[:, start : start + size][:, :, column[order]] + folds.label_area[:, None, order] - block
        # A hair below the threshold is kept: rounding must not decide here.
        unit, place = np.nonzero((block > iou_threshold * (1 - 1e-9) * union).any(axis=0))
        found.append(np.stack([unit + start, order[place]]))
    unit, label = np.concatenate(found, axis=1)
    return Evidence(
        units,
        labels,
        unit,
        label,
        folds.intersection[:, unit, label].astype(np.float64),
        active[:, unit, column[label]].astype(np.float64),
        folds.label_area[:, label].astype(np.float64),
        float(iou_threshold),
    )


def detectors(evidence: Evidence, weights: ArrayLike) -> NDArray[np.int64]:
    """Detectors per label under weightings of the folds.

    A unit counts for the label of its highest IoU if that exceeds the threshold; among equals as in
    `intermodel.concepts.labels.assign_labels`.

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
    size = max(1, BLOCK_ELEMENTS // max(1, len(evidence.unit)))
    for start in range(0, len(flat) if evidence.unit.size else 0, size):
        part = flat[start : start + size]
        # Sums of integers below 2^53: exact in any order.
        score = iou(part @ evidence.intersection, part @ evidence.unit_area, part @ evidence.label_area)
        score = np.where(np.isnan(score), 0.0, score)
        starts = np.flatnonzero(np.diff(evidence.unit, prepend=-1))
        best = np.maximum.reduceat(score, starts, axis=1)
        lengths = np.diff(starts, append=len(evidence.unit))
        reaching = (score == np.repeat(best, lengths, axis=1)) & (score > evidence.iou_threshold)
        # The first pair of a unit that reaches its best wins.
        position = np.where(reaching, np.arange(len(evidence.unit)), len(evidence.unit))
        first = np.minimum.reduceat(position, starts, axis=1)
        draw, group = np.nonzero(first < len(evidence.unit))
        np.add.at(result, (start + draw, evidence.label[first[draw, group]]), 1)
    return result.reshape(*times.shape[:-1], evidence.labels)


def best_iou(
    folds: Sums, vocabulary: Vocabulary, weights: ArrayLike, denominator: Denominator = "category"
) -> NDArray[np.float64]:
    """Highest IoU that any unit reaches with each label under weightings of the folds, without a threshold.

    Every pair is evaluated; parameters are those of `gather` and `detectors`.

    Returns
    -------
    array
        (..., labels), NaN where a label has no pixel under the weighting.
    """
    times = np.asarray(weights, dtype=np.float64)
    active, column = _counted(folds, vocabulary, denominator)
    groups, units, labels = folds.intersection.shape
    flat = times.reshape(-1, groups)
    present = flat @ folds.label_area
    result = np.zeros((len(flat), labels))
    size = max(1, BLOCK_ELEMENTS // max(1, len(flat) * labels))
    for start in range(0, units, size):
        # Sums of integers below 2^53: exact in any order.
        both = np.tensordot(flat, folds.intersection[:, start : start + size].astype(np.float64), axes=1)
        area = np.tensordot(flat, active[:, start : start + size].astype(np.float64), axes=1)[:, :, column]
        score = iou(both, area, present[:, None, :])
        result = np.maximum(result, np.where(np.isnan(score), 0.0, score).max(axis=1))
    return np.where(present > 0, result, np.nan).reshape(*times.shape[:-1], labels)


def _counted(
    folds: Sums, vocabulary: Vocabulary, denominator: Denominator
) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """The unit areas that count, (folds, units, columns), and the column that belongs to each label.

    `intermodel.concepts.iou.counted_area` holds the same with one column per label, too large for all units at once.
    """
    if denominator == "all":
        return folds.unit_area[..., None], np.zeros(len(vocabulary), np.intp)
    return folds.unit_area_category, vocabulary.category

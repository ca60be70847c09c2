"""Intersection over union of units and concepts, and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.statistics.intervals import student_quantile
from intermodel.statistics.jackknife import Jackknife, jackknife, standard_error

Denominator = Literal["category", "all"]

# Elements of one block of units, (folds, units, labels); bounds the memory, does not change the result.
BLOCK_ELEMENTS = 4_000_000


@dataclass(frozen=True)
class IouIntervals:
    """IoU of every unit with every label, (U, L), its jackknife standard error, and the ends of its interval."""

    estimate: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def iou(intersection: ArrayLike, unit_area: ArrayLike, label_area: ArrayLike) -> NDArray[np.float64]:
    """Pixels shared over pixels covered by either, elementwise.

    Parameters
    ----------
    intersection, unit_area, label_area
        Numbers of pixels; shapes that broadcast.

    Returns
    -------
    array
        float64 in [0, 1]; NaN where the label covers no pixel: then nothing can be said about it.
    """
    both = np.asarray(intersection, dtype=np.float64)
    label = np.asarray(label_area, dtype=np.float64)
    union = np.asarray(unit_area, dtype=np.float64) + label - both
    return np.where(label > 0, both / np.where(union > 0, union, 1.0), np.nan)


def counted_area(sums: Sums, vocabulary: Vocabulary, denominator: Denominator = "category") -> NDArray[np.int64]:
    """The unit's area that counts against each label, (..., U, L), or (..., U, 1) where it is the same for all.

    Parameters
    ----------
    sums
        Sums with or without a leading axis.
    vocabulary
        The labels.
    denominator
        ``"category"``: only images that contain a label of the same primary category count, because the others may
        lack the annotation (Bau et al. 2017, for Broden); ``"all"``: all images (Bau et al. 2020).
    """
    if denominator == "all":
        return sums.unit_area[..., None]
    return sums.unit_area_category[..., vocabulary.category]


def iou_matrix(sums: Sums, vocabulary: Vocabulary, denominator: Denominator = "category") -> NDArray[np.float64]:
    """IoU of every unit with every label, (..., U, L) float64; NaN for labels that no pixel carries."""
    return iou(sums.intersection, counted_area(sums, vocabulary, denominator), sums.label_area[..., None, :])


def iou_intervals(
    folds: Sums,
    vocabulary: Vocabulary,
    units: NDArray[np.integer],
    labels: NDArray[np.integer],
    denominator: Denominator = "category",
    level: float = 0.95,
) -> Jackknife:
    """Jackknife over folds of images for the IoU of chosen pairs; thresholds and pairs are held fixed.

    The interval says how the IoU would vary with other images of the same kind. It does not undo the choice of the best
    of many labels, which favours high values; the wrong pairings show how far that goes.

    Parameters
    ----------
    folds
        Sums with the folds on the leading axis.
    vocabulary
        The labels.
    units, labels
        Pairs, shapes that broadcast to (...); label -1 gives NaN.
    denominator
        As for `counted_area`.
    level
        Coverage.

    Returns
    -------
    Jackknife
        Of shape (...); the bounds are cut to [0, 1]. NaN with fewer than two folds that hold images.
    """
    unit, column = np.broadcast_arrays(np.asarray(units, dtype=np.intp), np.asarray(labels, dtype=np.intp))
    if denominator == "all":
        area = folds.unit_area[:, unit]
    else:
        area = folds.unit_area_category[:, unit, vocabulary.category[column]]
    both, label = folds.intersection[:, unit, column], folds.label_area[:, column] * (column >= 0)
    if np.count_nonzero(folds.images) < 2:
        estimate = iou(both.sum(axis=0), area.sum(axis=0), label.sum(axis=0))
        nothing = np.full(estimate.shape, np.nan)
        return Jackknife(estimate, nothing, nothing, nothing, nothing[None])
    result = jackknife(iou, [both, area, label], folds.images, level)
    low, high = np.maximum(result.low, 0.0), np.minimum(result.high, 1.0)
    return Jackknife(result.estimate, result.standard_error, low, high, result.replicates)


def all_iou_intervals(
    folds: Sums, vocabulary: Vocabulary, denominator: Denominator = "category", level: float = 0.95
) -> IouIntervals:
    """`iou_intervals` of every unit with every label, block by block of units.

    Replicates are not kept: besides the four results (U·L·8 bytes each) some `BLOCK_ELEMENTS` numbers are held.

    Parameters
    ----------
    folds
        Sums with the folds on the leading axis.
    vocabulary, denominator, level
        As for `iou_intervals`.

    Returns
    -------
    IouIntervals
        NaN for labels that no pixel carries, or all of whose images are in one fold; all but the estimate NaN with
        fewer than two folds that hold images.
    """
    held = np.flatnonzero(folds.images)
    _, units, labels = folds.intersection.shape
    value = iou_matrix(folds.total(), vocabulary, denominator)
    error = np.full(value.shape, np.nan)
    if len(held) < 2:
        return IouIntervals(value, error, error, error)
    label_left = (folds.label_area.sum(axis=0) - folds.label_area[held])[:, None]
    counted = counted_area(folds, vocabulary, denominator) if denominator == "all" else folds.unit_area_category
    columns = slice(None) if denominator == "all" else vocabulary.category
    size = max(1, BLOCK_ELEMENTS // max(1, len(held) * labels))
    for start in range(0, units, size):
        block = slice(start, start + size)
        both, area = folds.intersection[:, block], counted[:, block]
        area_left = (area.sum(axis=0) - area[held])[:, :, columns]
        left_out = iou(both.sum(axis=0) - both[held], area_left, label_left)
        error[block] = standard_error(value[block], left_out, folds.images[held])
    half = student_quantile(0.5 + level / 2, len(held) - 1) * error
    return IouIntervals(value, error, np.maximum(value - half, 0.0), np.minimum(value + half, 1.0))

"""Which concept each unit detects, under the two conventions in use.

*single*: the label with the highest IoU of all. *category*: in every category its best label, so that one unit may
detect up to one concept of each category; the counts of the 2017 paper's comparison of networks follow this one. In
both a unit is a detector if that IoU exceeds the threshold, strictly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.vocabulary import Vocabulary

Convention = Literal["single", "category"]
CONVENTIONS: tuple[Convention, Convention] = ("single", "category")


@dataclass(frozen=True)
class Labels:
    """Best labels of U units; labels are positions in the vocabulary, -1 for none.

    Attributes
    ----------
    label, iou, tie
        (U,) best label of all, its IoU (0 for none), and whether another label reaches the same IoU.
    category_label, category_iou, category_tie
        (U, K) the same within each category; the IoU is NaN where the category has no labelled pixel.
    """

    label: NDArray[np.intp]
    iou: NDArray[np.float64]
    tie: NDArray[np.bool_]
    category_label: NDArray[np.intp]
    category_iou: NDArray[np.float64]
    category_tie: NDArray[np.bool_]


def assign_labels(iou: NDArray[np.float64], vocabulary: Vocabulary) -> Labels:
    """Give each unit its best labels.

    Labels with an IoU of NaN (never present) take no part. A unit that shares no pixel with any label, a dead one for
    example, gets none. Ties go to the smallest label number within a category and to the first category between
    categories.

    Parameters
    ----------
    iou
        (U, L), as from `iou_matrix`.
    vocabulary
        The labels.
    """
    units, categories = len(iou), len(vocabulary.categories)
    score = np.where(np.isnan(iou), -1.0, iou)
    best_label = np.full((units, categories), -1, dtype=np.intp)
    best = np.full((units, categories), np.nan)
    several = np.zeros((units, categories), dtype=np.bool_)
    for k in range(categories):
        columns = np.flatnonzero(vocabulary.category == k)
        if len(columns) == 0:
            continue
        part = score[:, columns]
        top = part.max(axis=1)
        # argmax takes the first, and columns are in the order of the label numbers.
        best_label[:, k] = np.where(top > 0, columns[part.argmax(axis=1)], -1)
        best[:, k] = np.where(top < 0, np.nan, top)
        several[:, k] = (top > 0) & ((part == top[:, None]).sum(axis=1) > 1)
    order = np.where(np.isnan(best), -1.0, best)
    category = order.argmax(axis=1)
    every = np.arange(units)
    highest = np.maximum(order[every, category], 0.0)
    tie = (highest > 0) & ((score == highest[:, None]).sum(axis=1) > 1)
    return Labels(best_label[every, category], highest, tie, best_label, best, several)


def detectors(labels: Labels, iou_threshold: float, convention: Convention = "single") -> NDArray[np.bool_]:
    """Which units are detectors: (U,) of their one label, or (U, K) of each category's label."""
    best = labels.iou if convention == "single" else np.nan_to_num(labels.category_iou)
    return np.asarray(best > iou_threshold)


def units_per_concept(
    labels: Labels, vocabulary: Vocabulary, iou_threshold: float, convention: Convention = "single"
) -> NDArray[np.int64]:
    """Number of detectors of each label, (L,)."""
    chosen = labels.label if convention == "single" else labels.category_label
    detected = chosen[detectors(labels, iou_threshold, convention)]
    return np.bincount(detected, minlength=len(vocabulary)).astype(np.int64)


def units_per_category(
    labels: Labels, vocabulary: Vocabulary, iou_threshold: float, convention: Convention = "single"
) -> NDArray[np.int64]:
    """Number of detectors in each category, (K,)."""
    return units_per_concept(labels, vocabulary, iou_threshold, convention) @ vocabulary.membership.astype(np.int64)


def concepts_per_category(
    labels: Labels, vocabulary: Vocabulary, iou_threshold: float, convention: Convention = "single"
) -> NDArray[np.int64]:
    """Number of different concepts that have a detector in each category, (K,)."""
    found = units_per_concept(labels, vocabulary, iou_threshold, convention) > 0
    return found.astype(np.int64) @ vocabulary.membership.astype(np.int64)

"""From the concepts that a model's units detect to the vector that stands for the model.

Vectors run over all labels of the label set, also those that nobody detects, so that a model added later changes no
entry of the others.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

Variant = Literal["count", "fraction", "share", "hellinger", "binary", "soft", "soft_auroc"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
# Variants that hold the score of the best unit rather than a number of detectors.
SOFT: tuple[Variant, ...] = ("soft", "soft_auroc")


def count_detectors(labels: ArrayLike, label_count: int) -> NDArray[np.int64]:
    """Number of units that detect each label.

    Parameters
    ----------
    labels
        Index of the label that each unit detects, (units,), -1 for none.
    label_count
        Number of labels in the label set.

    Returns
    -------
    array
        (labels,) int64.
    """
    detected = np.asarray(labels)
    if detected.size and (detected.min() < -1 or detected.max() >= label_count):
        raise ValueError(f"label indices must lie in -1..{label_count - 1}, found {detected.min()}..{detected.max()}")
    return np.bincount(detected[detected >= 0], minlength=label_count).astype(np.int64)


def concept_vectors(
    count: ArrayLike, units: ArrayLike, variant: Variant = "count", best: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Vectors of models in concept space.

    Parameters
    ----------
    count
        Detectors per label, (..., models, labels).
    units
        Units of each model's layer, (models,).
    variant
        "count"; "fraction" (per unit of the layer, for layers of different width); "share" (per detector: what the
        detectors are about, however many there are); "hellinger" (root of the share, whose Euclidean distance is
        sqrt(2) times Hellinger's); "binary" (whether any unit detects the label); "soft" and "soft_auroc" (`best`, no
        threshold). A model without detectors has share 0 throughout.
    best
        Highest IoU, or AUROC, that any unit reaches with each label, (..., models, labels), NaN (undefined) counting as
        0; needed for "soft" and "soft_auroc".

    Returns
    -------
    array
        (..., models, labels) float64.
    """
    counts = np.asarray(count, dtype=np.float64)
    if variant == "count":
        return counts
    if variant == "fraction":
        return counts / np.asarray(units, dtype=np.float64)[:, None]
    if variant == "binary":
        return (counts > 0).astype(np.float64)
    if variant in SOFT:
        if best is None:
            raise ValueError(f"the variant {variant!r} needs best")
        return np.nan_to_num(np.asarray(best, dtype=np.float64), nan=0.0)
    if variant in ("share", "hellinger"):
        detectors = counts.sum(axis=-1, keepdims=True)
        share = counts / np.where(detectors > 0, detectors, 1.0)
        return share if variant == "share" else np.sqrt(share)
    raise ValueError(f"variant is {variant!r}, expected one of {', '.join(VARIANTS)}")


def by_category(
    count: ArrayLike, label_category: ArrayLike, category_count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Detectors and unique concepts per category.

    Parameters
    ----------
    count
        Detectors per label, (..., labels).
    label_category
        Index of each label's primary category, (labels,).
    category_count
        Number of categories.

    Returns
    -------
    detectors, unique
        (..., categories) int64.
    """
    counts = np.asarray(count)
    member = np.asarray(label_category)[:, None] == np.arange(category_count)
    return (counts @ member).astype(np.int64), ((counts > 0).astype(np.int64) @ member).astype(np.int64)

"""Which concepts a layer could detect at all, given how much of the images its units and the concepts cover.

The IoU of areas a and t is at most min(a, t) / max(a, t). Units that are active on a share a of the pixels can
therefore pass a threshold h only for concepts that cover between h a and a / h of them: with a tail of 0.005 and a
threshold of 0.04 between 0.02 % and 12.5 %. A frequent colour or a scene that fills its images can be out of reach for
every network, and a count of concepts must be read against the number of those within reach.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.iou import Denominator, counted_area
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary


def reachable_range(active: float, iou_threshold: float) -> tuple[float, float]:
    """Lowest and highest share of the pixels at which a concept is within reach of units active on a share `active`."""
    return iou_threshold * active, min(active / iou_threshold, 1.0)


def highest_iou(sums: Sums, vocabulary: Vocabulary, denominator: Denominator = "category") -> NDArray[np.float64]:
    """The IoU with each label that the best placed unit could reach, from the areas alone.

    Parameters
    ----------
    sums
        Sums without a leading axis.
    vocabulary
        The labels.
    denominator
        As for `counted_area`.

    Returns
    -------
    array
        (L,) float64; NaN for labels that no pixel carries, 0 where no unit is ever active.
    """
    label = sums.label_area.astype(np.float64)
    result = np.zeros(len(label))
    # One pass per category: areas of units are equal for all labels of a category.
    for k in range(len(vocabulary.categories)):
        columns = np.flatnonzero(vocabulary.category == k)
        if len(columns) == 0 or len(sums.unit_area) == 0:
            continue
        area = counted_area(sums, vocabulary, denominator)[:, columns[0] if denominator == "category" else 0]
        active, covered = area[:, None].astype(np.float64), label[columns]
        ratio = np.minimum(active, covered) / np.maximum(np.maximum(active, covered), 1.0)
        result[columns] = ratio.max(axis=0)
    return np.where(label > 0, result, np.nan)


def reachable(
    sums: Sums, vocabulary: Vocabulary, iou_threshold: float, denominator: Denominator = "category"
) -> NDArray[np.bool_]:
    """Which labels some unit of the layer could detect, (L,) bool."""
    return np.asarray(np.nan_to_num(highest_iou(sums, vocabulary, denominator)) > iou_threshold)

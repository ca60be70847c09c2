"""How often a unit would get the same label from other images: the folds are drawn again, with replacement.

A label is the best of many, so it can change hands although its IoU hardly moves. Of the U x L pairs few can ever take
a label away: under weights w >= 0 the IoU sum(w I) / sum(w J) of a pair lies at or below its largest I / J of any
fold, so a pair whose largest stays below the least IoU of the unit's own label in all draws never wins. Leaving it out
is exact, and hundreds of draws become a product of two small matrices.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.iou import BLOCK_ELEMENTS, Denominator
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary

DRAWS = 200
# Pairs of units and labels at a time; (draws, pairs) should stay in the cache.
BLOCK_PAIRS = 2048


def label_stability(
    folds: Sums,
    vocabulary: Vocabulary,
    labels: NDArray[np.intp],
    denominator: Denominator = "category",
    draws: int = DRAWS,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Share of bootstrap draws of folds in which each unit keeps its label.

    Parameters
    ----------
    folds
        Sums with the folds on the leading axis.
    vocabulary
        The labels.
    labels
        (U,) label of each unit from all images, -1 for none (see `labels.assign_labels`).
    denominator
        As for `iou.counted_area`.
    draws, seed
        Number of draws and their seed; layers on the same images get the same draws.

    Returns
    -------
    array
        (U,) in [0, 1]; NaN for units without a label, and with fewer than two folds that hold images.
    """
    held = np.flatnonzero(folds.images)
    result = np.full(len(labels), np.nan)
    labelled = np.flatnonzero(labels >= 0)
    if len(held) < 2 or len(labelled) == 0:
        return result
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(len(held), np.full(len(held), 1 / len(held)), size=draws).astype(np.float64)
    size = max(1, BLOCK_ELEMENTS // (len(held) * len(vocabulary)))
    for start in range(0, len(labelled), size):
        units = labelled[start : start + size]
        both = folds.intersection[np.ix_(held, units)].astype(np.float64)
        if denominator == "all":
            area = np.broadcast_to(folds.unit_area[np.ix_(held, units)][..., None], both.shape)
        else:
            area = folds.unit_area_category[np.ix_(held, units)][..., vocabulary.category]
        result[units] = _kept(both, area, folds.label_area[held], labels[units], vocabulary, weights)
    return result


def _kept(
    both: NDArray[np.float64],
    area: NDArray[np.int64],
    label_area: NDArray[np.int64],
    labels: NDArray[np.intp],
    vocabulary: Vocabulary,
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Share of the weightings, (draws, folds), in which no other label beats each unit's own; arrays of a block."""
    every = np.arange(len(labels))
    union = area + label_area[:, None] - both
    # Sums of whole numbers below 2^53 are exact in any order.
    own_both, own_union = weights @ both[:, every, labels], weights @ union[:, every, labels]
    least = (own_both / np.maximum(own_union, 1)).min(axis=0)
    largest = (both / np.maximum(union, 1)).max(axis=0)
    largest[every, labels] = -1.0
    unit, label = np.nonzero(largest >= least[:, None])
    # Among equals the first category wins, in it the smallest number.
    rank = vocabulary.category * len(vocabulary) + np.arange(len(vocabulary))
    first = rank[label] < rank[labels[unit]]
    kept = own_both > 0
    for start in range(0, len(unit), BLOCK_PAIRS):
        part = slice(start, start + BLOCK_PAIRS)
        u, c = unit[part], label[part]
        # a / b > c / d without the divisions.
        lead = (weights @ both[:, u, c]) * own_union[:, u] - own_both[:, u] * (weights @ union[:, u, c])
        beaten = (lead > 0) | ((lead == 0) & first[part])
        begin = np.flatnonzero(np.diff(u, prepend=-1))
        kept[:, u[begin]] &= ~np.logical_or.reduceat(beaten, begin, axis=1)
    return np.asarray(kept.mean(axis=0))

"""What wrong pairings of images and label maps detect: how many detectors to expect of units that know nothing.

Every image is paired with the label map of another. What a unit and a label still share then comes from how much of
the images each covers and from where in the image they tend to be (sky is at the top of most photographs), not from
what is seen. The number of detectors that are left is the number to expect by chance at a given threshold; with large
concepts and a large tail it can be most of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import Labels, assign_labels
from intermodel.concepts.tally import Tally


@dataclass(frozen=True)
class Chance:
    """Best IoU of each unit under wrong pairings, and what follows for the right one.

    Attributes
    ----------
    best
        (R, U) best IoU under each wrong pairing.
    detectors
        (R,) units whose best IoU exceeds the threshold under each wrong pairing.
    false_discovery
        (U,) see `false_discovery`.
    """

    best: NDArray[np.float64]
    detectors: NDArray[np.int64]
    false_discovery: NDArray[np.float64]


def chance(tally: Tally, labels: Labels, iou_threshold: float, denominator: Denominator = "category") -> Chance | None:
    """Compare the labels of a layer with those under wrong pairings; None if the tally holds no wrong pairing."""
    rounds = len(tally.shuffled)
    if rounds == 0:
        return None
    best = np.stack(
        [
            assign_labels(iou_matrix(tally.shuffled.of(row), tally.vocabulary, denominator), tally.vocabulary).iou
            for row in range(rounds)
        ]
    )
    found = (best > iou_threshold).sum(axis=1).astype(np.int64)
    return Chance(best, found, false_discovery(labels.iou, best))


def false_discovery(observed: ArrayLike, null: ArrayLike) -> NDArray[np.float64]:
    """Share of false discoveries to expect among the units that score at least as high as each unit.

    The expected number of units that reach a score by chance, over the number that do, made monotone: the estimate of
    Tusher, Tibshirani and Chu (2001), which needs no independence of the units.

    Parameters
    ----------
    observed
        (U,) scores.
    null
        (R, U) scores by chance.

    Returns
    -------
    array
        (U,) in [0, 1].
    """
    score, draws = np.asarray(observed, dtype=np.float64), np.asarray(null, dtype=np.float64)
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    reached = draws.size - np.searchsorted(np.sort(draws, axis=None), ranked, side="left")
    discovered = np.searchsorted(-ranked, -ranked, side="right")
    share = np.minimum(reached / len(draws) / discovered, 1.0)
    result = np.empty(len(score))
    # A unit need not be judged worse than those below it.
    result[order] = np.minimum.accumulate(share[::-1])[::-1]
    return result

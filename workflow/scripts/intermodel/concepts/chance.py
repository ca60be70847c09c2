"""What wrong pairings of images and label maps detect: how many detectors to expect of units that know nothing.

Every image is paired with the label map of another. What a unit and a label still share then comes from how much of
the images each covers and from where in the image they tend to be (sky is at the top of most photographs), not from
what is seen. The number of detectors that are left is the number to expect by chance at a given threshold; with large
concepts and a large tail it can be most of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import Labels, assign_labels
from intermodel.concepts.tally import Tally
from intermodel.statistics.fdr import benjamini_hochberg
from intermodel.statistics.nulls import p_value


@dataclass(frozen=True)
class Chance:
    """Best IoU of each unit under wrong pairings, and how unusual the right one is.

    Attributes
    ----------
    best
        (R, U) best IoU under each wrong pairing.
    detectors
        (R,) units whose best IoU exceeds the threshold under each wrong pairing.
    q_value
        (U,) share of false discoveries to expect when this unit and all that are at least as unusual are called
        detectors: p-values against the best IoU of all the layer's units under wrong pairings, adjusted after
        Benjamini and Hochberg (1995). NaN for units that are never active.
    """

    best: NDArray[np.float64]
    detectors: NDArray[np.int64]
    q_value: NDArray[np.float64]


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
    alive = tally.folds.unit_area.sum(axis=0) > 0
    p = np.full(tally.units, np.nan)
    if alive.any():
        p[alive] = p_value(labels.iou[alive], best[:, alive].reshape(-1))
    return Chance(best, (best > iou_threshold).sum(axis=1).astype(np.int64), benjamini_hochberg(p))

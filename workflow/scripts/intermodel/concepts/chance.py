"""What wrong pairings of images and label maps detect: how many detectors to expect of units that know nothing.

Every image is paired with the label map of another. What a unit and a label still share then comes from how much of
the images each covers and from where in the image they tend to be (sky is at the top of most photographs), not from
what is seen. The number of detectors that are left is the number to expect by chance at a given threshold; with large
concepts and a large tail it can be most of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import Labels, assign_labels
from intermodel.concepts.result import Tally
from intermodel.engine.errors import UserError

# A fixed IoU, or the one at which wrong pairings promise a share of false discoveries.
Detection = Literal["threshold", "fdr"]


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
    if len(tally.shuffled) == 0:
        return None
    best = best_by_chance(tally, denominator)
    found = (best > iou_threshold).sum(axis=1).astype(np.int64)
    return Chance(best, found, false_discovery(labels.iou, best))


def best_by_chance(tally: Tally, denominator: Denominator = "category") -> NDArray[np.float64]:
    """Best IoU of each unit under each wrong pairing, (R, U)."""
    vocabulary = tally.vocabulary
    best = np.zeros((len(tally.shuffled), tally.units))
    for row, line in enumerate(best):
        line[:] = assign_labels(iou_matrix(tally.shuffled.of(row), vocabulary, denominator), vocabulary).iou
    return best


def detection_threshold(
    tally: Tally,
    detection: Detection = "threshold",
    iou_threshold: float = 0.04,
    fdr: float = 0.05,
    denominator: Denominator = "category",
) -> float:
    """The IoU that a unit of a layer must exceed to be a detector.

    Parameters
    ----------
    tally
        The layer's tally.
    detection
        ``"threshold"``: `iou_threshold`, the same for all layers. ``"fdr"``: see `iou_at`, for each layer its own,
        since what is reached by chance depends on how large and how steady in position its active areas are.
    iou_threshold, fdr
        The one or the other rule's number.
    denominator
        As for `iou.counted_area`.

    Raises
    ------
    UserError
        If detection is by false discoveries and the tally holds no wrong pairing.
    """
    if detection == "threshold":
        return iou_threshold
    if len(tally.shuffled) == 0:
        raise UserError(
            "The tally holds no wrong pairing of images and label maps, which detection: fdr compares with; set "
            "shuffles to at least 1."
        )
    observed = assign_labels(iou_matrix(tally.folds.total(), tally.vocabulary, denominator), tally.vocabulary).iou
    return iou_at(fdr, observed, best_by_chance(tally, denominator))


def iou_at(level: float, observed: NDArray[np.float64], null: NDArray[np.float64]) -> float:
    """The lowest IoU above which the share of false discoveries to expect is at most `level`.

    It lies just below the lowest IoU of the units whose `false_discovery` is at most `level`, so that exactly these
    exceed it, and no more wrong pairings than were counted for them; without such a unit it is the highest IoU.

    Parameters
    ----------
    level
        Share of false discoveries.
    observed
        (U,) best IoU of each unit.
    null
        (R, U) the same under wrong pairings.
    """
    found = observed[false_discovery(observed, null) <= level]
    return float(np.nextafter(found.min(), -1.0) if len(found) else observed.max(initial=0.0))


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

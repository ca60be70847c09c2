"""What a layer still detects when its units are mixed by a random rotation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import assign_labels, detectors
from intermodel.concepts.result import Tally


@dataclass(frozen=True)
class Survival:
    """Detectors and different concepts of rotated units, (rotations,) int64 each."""

    detectors: NDArray[np.int64]
    concepts: NDArray[np.int64]


def survival(tally: Tally, iou_threshold: float, denominator: Denominator = "category") -> Survival | None:
    """Count what the rotated units of a tally detect, as its own units are counted; None without rotations.

    Parameters
    ----------
    tally
        With `rotated` sums.
    iou_threshold
        The IoU above which the layer's own units are detectors.
    denominator
        On which images a unit's area counts, see `iou.counted_area`.
    """
    if not len(tally.rotated):
        return None
    found = []
    for number in range(len(tally.rotated)):
        labels = assign_labels(iou_matrix(tally.rotated.of(number), tally.vocabulary, denominator), tally.vocabulary)
        chosen = detectors(labels, iou_threshold)
        found.append((int(chosen.sum()), len(np.unique(labels.label[chosen]))))
    counts = np.array(found, dtype=np.int64)
    return Survival(counts[:, 0], counts[:, 1])

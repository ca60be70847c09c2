"""What all models detect, from their tallies, under all weightings of the folds; tallies must belong together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.chance import Detection, detection_threshold
from intermodel.concepts.files import read_tally
from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import assign_labels
from intermodel.concepts.result import Tally
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.seeds import derive_seed
from intermodel.lce.evidence import best_iou, detectors, gather
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import Resampling, resampling
from intermodel.store import read_attributes

# Attributes of a tally that must agree, and what they are called.
COMPARED = {
    "dataset_fingerprint": "probe images",
    "segmentation_fingerprint": "label maps",
    "images": "number of probe images",
    "tail": "tail",
    "thresholds": "rule for thresholds",
    "masks": "kind of masks",
    "size": "size of the label maps",
}


@dataclass(frozen=True)
class Knowledge:
    """All models under all weightings of the folds.

    Attributes
    ----------
    count
        Detectors, (weightings, models, labels).
    best
        Best IoU, (weightings, models, labels), or None where it is not needed.
    category_iou
        Mean over the units of the best IoU in each category, all images, (models, categories).
    units
        (models,).
    weights
        The weightings.
    first
        The first model's tally.
    warnings
        What a reader must know.
    """

    count: NDArray[np.int64]
    best: NDArray[np.float64] | None
    category_iou: NDArray[np.float64]
    units: NDArray[np.int64]
    weights: Resampling
    first: Tally
    warnings: tuple[str, ...]


def learn(
    tallies: Sequence[str | Path],
    names: Sequence[str],
    settings: Settings,
    iou_threshold: float,
    denominator: Denominator,
    detection: Detection = "threshold",
    fdr: float = 0.05,
) -> Knowledge:
    """Read the tallies one after the other and count detectors under all weightings of the folds.

    What makes a detector is that of `intermodel.concepts.chance.detection_threshold`, held fixed when folds are drawn.
    """
    first: Tally | None = None
    counts, bests, means, units, cuts = [], [], [], [], []
    warnings: list[str] = []
    for path, name in progress(list(zip(tallies, names, strict=True)), unit="model", label="embedding"):
        tally = read_tally(path)
        if first is None:
            first, weights = tally, _weights(tally, path, settings)
            stacked = weights.stacked()
        else:
            require_comparable(tallies[0], path, first, tally, names[0], name)
            if not np.array_equal(tally.folds.pixels, first.folds.pixels):
                warnings.append(
                    f"{names[0]} and {name} see different parts of the images (their preprocessing crops differently)."
                )
        cuts.append(detection_threshold(tally, detection, iou_threshold, fdr, denominator))
        evidence = gather(tally.folds, tally.vocabulary, cuts[-1], denominator)
        counts.append(detectors(evidence, stacked))
        if settings.variant == "soft":
            bests.append(best_iou(tally.folds, tally.vocabulary, stacked, denominator))
        labels = assign_labels(iou_matrix(tally.folds.total(), tally.vocabulary, denominator), tally.vocabulary)
        means.append(labels.category_iou.mean(axis=0))
        units.append(tally.units)
    if first is None:
        raise UserError("The embedding needs at least one model; name models in the study.")
    if min(cuts) < max(cuts):
        warnings.append(
            f"Detectors begin at an IoU of {min(cuts):.3f} to {max(cuts):.3f}, as the false discovery rate sets it for "
            "each model: their counts are comparable in the share that is false, not in how well a concept is matched."
        )
    return Knowledge(
        np.stack(counts, axis=1),
        np.stack(bests, axis=1) if bests else None,
        np.stack(means),
        np.array(units),
        weights,
        first,
        tuple(warnings),
    )


def require_comparable(
    path: str | Path, other_path: str | Path, first: Tally, other: Tally, name: str, other_name: str
) -> None:
    """Refuse tallies of different probe sets, label sets, tails or masks.

    Raises
    ------
    UserError
        One sentence with what differs.
    """
    attributes, others = read_attributes(path), read_attributes(other_path)
    advice = f"delete {other_path} and {path} and run again, so that both are tallied alike."
    for key, words in COMPARED.items():
        if attributes.get(key) != others.get(key):
            raise UserError(
                f"{other_name} and {name} cannot be compared: they differ in the {words} "
                f"({key} is {others.get(key)!r} and {attributes.get(key)!r}); {advice}"
            )
    one, two = first.vocabulary, other.vocabulary
    if (one.names, one.categories) != (two.names, two.categories) or not (
        np.array_equal(one.numbers, two.numbers) and np.array_equal(one.category, two.category)
    ):
        raise UserError(f"{other_name} and {name} cannot be compared: they differ in the label set; {advice}")
    if not np.array_equal(first.folds.images, other.folds.images):
        raise UserError(f"{other_name} and {name} cannot be compared: they differ in the folds of images; {advice}")


def _weights(tally: Tally, path: str | Path, settings: Settings) -> Resampling:
    filled = int((tally.folds.images > 0).sum())
    if filled < 4:
        raise UserError(
            f"{path} holds {int(tally.folds.images.sum())} images in {filled} folds, expected at least 4 folds with "
            "images for intervals; use more images or more folds (analyses.concepts.folds)."
        )
    return resampling(tally.folds.images, settings.bootstrap, settings.splits, derive_seed(settings.seed, "lce"))

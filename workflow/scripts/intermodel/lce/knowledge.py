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
from intermodel.concepts.scores import read_scores
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.lce.auroc import read_resampled
from intermodel.lce.evidence import best_iou, detectors, gather
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import Resampling, drawn
from intermodel.lce.vectors import Variant, count_detectors
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

# Concepts told by name in a warning.
NAMED = 5


@dataclass(frozen=True)
class Rotated:
    """Detectors and best IoU of randomly rotated units, all images, (rotations, models, labels) each."""

    count: NDArray[np.int64]
    best: NDArray[np.float64]


@dataclass(frozen=True)
class Knowledge:
    """All models under all weightings of the folds.

    Attributes
    ----------
    count
        Detectors, (weightings, models, labels).
    best
        Best IoU or AUROC, (weightings, models, labels), or None where the variant needs neither.
    soft
        Best IoU ("soft") and, where known, best AUROC ("soft_auroc") of any unit, all images, (models, labels).
    rotated
        What randomly rotated units detect, None without rotations.
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
    soft: dict[Variant, NDArray[np.float64]]
    rotated: Rotated | None
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
    scores: Sequence[str | Path] = (),
    layers: Sequence[str] = (),
    resampled: Sequence[str | Path] = (),
) -> Knowledge:
    """Read the tallies one after the other and count detectors under all weightings of the folds.

    What makes a detector is that of `intermodel.concepts.chance.detection_threshold`, held fixed when folds are drawn.

    Parameters
    ----------
    tallies, names
        Tally file and name of each model.
    settings
        Variant, draws, splits, seed.
    iou_threshold, denominator, detection, fdr
        As for the concepts.
    scores, layers
        File of AUROC and dissected layer of each model, to compare variants; none: without "soft_auroc".
    resampled
        Best AUROC of each model under all weightings (`intermodel.lce.auroc`), which the variant "soft_auroc" needs.
    """
    if settings.variant == "soft_auroc" and len(resampled) != len(tallies):
        raise ValueError(
            f"the variant 'soft_auroc' needs {len(tallies)} files of resampled AUROC, got {len(resampled)}"
        )
    first: Tally | None = None
    counts, bests, means, units, cuts, softs, turned = [], [], [], [], [], [], []
    warnings: list[str] = []
    for path, name in progress(list(zip(tallies, names, strict=True)), unit="model", label="embedding"):
        tally = read_tally(path)
        if first is None:
            first, weights = tally, drawn(tally.folds.images, settings, path)
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
        iou = iou_matrix(tally.folds.total(), tally.vocabulary, denominator)
        softs.append(_highest(iou))
        means.append(assign_labels(iou, tally.vocabulary).category_iou.mean(axis=0))
        turned.append(_turned(tally, cuts[-1], denominator))
        units.append(tally.units)
    if first is None:
        raise UserError("The embedding needs at least one model; name models in the study.")
    if min(cuts) < max(cuts):
        warnings.append(
            f"Detectors begin at an IoU of {min(cuts):.3f} to {max(cuts):.3f}, as the false discovery rate sets it for "
            "each model: their counts are comparable in the share that is false, not in how well a concept is matched."
        )
    best = np.stack(bests, axis=1) if bests else None
    soft: dict[Variant, NDArray[np.float64]] = {"soft": np.stack(softs)}
    if scores:
        found = [_highest(read_scores(path, layer).matrix) for path, layer in zip(scores, layers, strict=True)]
        soft["soft_auroc"] = _known_to_all(np.stack(found))
    if settings.variant == "soft_auroc":
        files = [read_resampled(path, first.folds.images, settings) for path in resampled]
        best = _known_to_all(np.stack(files, axis=1))
        soft["soft_auroc"] = best[0]
        warnings += _left_out(best, first)
    return Knowledge(
        np.stack(counts, axis=1),
        best,
        soft,
        _all_turned(turned, tallies, names),
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


def _highest(score: NDArray[np.floating]) -> NDArray[np.float64]:
    """The highest score of any unit with each label, (labels,), NaN where it is undefined."""
    values = np.asarray(score, dtype=np.float64)
    return np.where(np.isnan(values).all(axis=0), np.nan, np.where(np.isnan(values), -np.inf, values).max(axis=0))


def _known_to_all(best: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same with NaN for labels that are NaN anywhere, so that all models are compared by the same labels."""
    unknown = np.isnan(best).reshape(-1, best.shape[-1]).any(axis=0)
    return np.where(unknown, np.nan, best)


def _left_out(best: NDArray[np.float64], first: Tally) -> list[str]:
    """A sentence on the labels whose AUROC is undefined under some weighting, none where there are none."""
    unknown = np.flatnonzero(np.isnan(best).reshape(-1, best.shape[-1]).any(axis=0))
    if not unknown.size:
        return []
    names = ", ".join(first.vocabulary.names[label] for label in unknown[:NAMED].tolist())
    more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
    return [
        f"{len(unknown)} of {best.shape[-1]} concepts are left out of all vectors ({names}{more}): in some half of a "
        "draw of the images no image holds them, or every image does, and they have no AUROC."
    ]


def _turned(tally: Tally, cut: float, denominator: Denominator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Detectors and best IoU of the rotated units of a tally, (rotations, labels) each."""
    words, counts, bests = tally.vocabulary, [], []
    for number in range(len(tally.rotated)):
        iou = iou_matrix(tally.rotated.of(number), words, denominator)
        labels = assign_labels(iou, words)
        counts.append(count_detectors(np.where(labels.iou > cut, labels.label, -1), len(words)))
        bests.append(_highest(iou))
    shape = (len(counts), len(words))
    return np.array(counts, dtype=np.int64).reshape(shape), np.array(bests, dtype=np.float64).reshape(shape)


def _all_turned(
    turned: Sequence[tuple[NDArray[np.int64], NDArray[np.float64]]],
    tallies: Sequence[str | Path],
    names: Sequence[str],
) -> Rotated | None:
    rotations = [len(count) for count, _ in turned]
    for row, number in enumerate(rotations):
        if number != rotations[0]:
            raise UserError(
                f"{names[row]} and {names[0]} cannot be compared: {tallies[row]} holds {number} rotations and "
                f"{tallies[0]} {rotations[0]}; delete both and run again, so that both are tallied alike."
            )
    if not rotations[0]:
        return None
    return Rotated(np.stack([count for count, _ in turned], axis=1), np.stack([best for _, best in turned], axis=1))

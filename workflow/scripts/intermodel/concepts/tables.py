"""The tables of a data set: units, concepts, and one line per layer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.composition_files import Compositions
from intermodel.concepts.scores import Scores
from intermodel.concepts.summary import LayerConcepts
from intermodel.engine.errors import UserError

NONE = "none"

Row = dict[str, Any]


@dataclass(frozen=True)
class Layer:
    """A layer and what it detects.

    Attributes
    ----------
    model, title, family
        Name of the model, its name in figures, and what kind of model it is.
    control
        Whether the model is an untrained control.
    layer
        Name of the layer.
    main
        Whether it is the model's last layer, which stands for the model.
    concepts
        What it detects.
    attributes
        Attributes of the tally.
    scores
        How well mean activations tell images with each concept; None if that was left out.
    compositions
        The formula of labels that fits each unit best; None for layers that were not explained so.
    """

    model: str
    title: str
    family: str
    control: bool
    layer: str
    main: bool
    concepts: LayerConcepts
    attributes: Mapping[str, Any]
    scores: Scores | None = None
    compositions: Compositions | None = None

    @property
    def warnings(self) -> list[str]:
        """What a reader must know before believing the numbers."""
        found = list(json.loads(self.attributes.get("warnings", "[]")))
        result = self.concepts
        silent = zero_threshold_share(result.threshold)
        if silent >= 0.5:
            found.append(
                f"{silent:.0%} of the units have a threshold of 0: they are active on less than the tail, and their "
                "masks are wherever they are active at all."
            )
        dead = result.dead.mean() if len(result.dead) else 0.0
        if dead >= 0.1:
            found.append(f"{dead:.0%} of the units are active in no pixel.")
        if result.chance is not None and result.detector.any():
            expected = result.chance.detectors.mean() / result.detector.sum()
            if expected >= 0.2:
                found.append(
                    f"Wrong pairings of images and label maps give {expected:.0%} as many detectors: an IoU above "
                    f"{result.iou_threshold:g} means little at this tail; raise iou_threshold, set detection: fdr, or "
                    "lower the tail."
                )
        return found


def check_alike(layers: Sequence[Layer]) -> None:
    """Raise `UserError` unless all tallies are of the same images, labels, tail and kind of masks."""
    for name in ("dataset_fingerprint", "segmentation_fingerprint", "tail", "masks", "thresholds", "labels"):
        first = layers[0]
        for other in layers[1:]:
            if other.attributes.get(name) != first.attributes.get(name):
                raise UserError(
                    f"The tallies of {first.model}/{first.layer} and {other.model}/{other.layer} differ in {name}; "
                    "delete the older one and run again."
                )


def unit_rows(layers: Sequence[Layer]) -> list[Row]:
    """One row per unit: its label with interval, the best label of each category, and how far to trust them."""
    composed = any(layer.compositions is not None for layer in layers)
    return [row for layer in layers for row in _units(layer, composed)]


def concept_rows(layers: Sequence[Layer]) -> list[Row]:
    """One row per layer and concept: detectors, best unit, and whether the concept is within reach."""
    return [row for layer in layers for row in _concepts(layer)]


def composition_rows(layers: Sequence[Layer]) -> list[Row]:
    """One row per unit of the layers that were explained by formulas of labels."""
    return [
        {
            "model": layer.model,
            "layer": layer.layer,
            "unit": unit,
            "formula": str(found.formula[unit]) or NONE,
            "length": int(found.length[unit]),
            "iou": float(found.iou[unit]),
            "single": str(found.single[unit]) or NONE,
            "single_iou": float(found.single_iou[unit]),
            "gain": float(found.gain[unit]),
            "held_out_gain": float(found.held_out_gain[unit]),
            "held_out_error": float(found.held_out_error[unit]),
            "holds": bool(found.holds[unit]),
        }
        for layer in layers
        if (found := layer.compositions) is not None
        for unit in range(len(found.iou))
    ]


def summary_rows(layers: Sequence[Layer]) -> list[Row]:
    """One row per layer."""
    composed = any(layer.compositions is not None for layer in layers)
    return [_summary(layer, composed) for layer in layers]


def zero_threshold_share(threshold: NDArray[np.float64]) -> float:
    """Share of units whose threshold is exactly 0."""
    return float((threshold == 0).mean()) if len(threshold) else 0.0


def _units(layer: Layer, any_composed: bool) -> list[Row]:
    result, labels = layer.concepts, layer.concepts.labels
    names = np.array([*result.vocabulary.names, NONE])
    categories = np.array(result.vocabulary.categories)
    own = np.array([*categories[result.vocabulary.category], NONE])
    pixels = max(int(result.total.pixels), 1)
    unknown = np.full(len(labels.label), np.nan)
    columns: dict[str, Any] = {
        "unit": np.arange(len(labels.label)),
        "concept": names[labels.label],
        "category": own[labels.label],
        "iou": labels.iou,
        "iou_low": result.interval.low,
        "iou_high": result.interval.high,
        "detector": result.detector,
        "sure": result.sure,
        "tie": labels.tie,
        "halves_agree": result.halves_agree,
        "label_stability": result.stability,
        "chance_iou": unknown if result.chance is None else result.chance.best.mean(axis=0),
        "false_discovery": unknown if result.chance is None else result.chance.false_discovery,
        "threshold": result.threshold,
        "active_share": result.total.unit_area / pixels,
        "dead": result.dead,
    }
    if layer.scores is not None:
        scores, every = layer.scores, np.arange(len(labels.label))
        columns |= {
            "auroc": np.where(labels.label >= 0, scores.matrix[every, labels.label], np.nan),
            "auroc_concept": names[scores.concept],
            "auroc_category": own[scores.concept],
            "best_auroc": scores.auroc,
            "best_auroc_low": scores.low,
            "best_auroc_high": scores.high,
        }
    if any_composed:
        columns |= _composed(layer)
    for k, category in enumerate(categories):
        columns[f"{category}_concept"] = names[labels.category_label[:, k]]
        columns[f"{category}_iou"] = labels.category_iou[:, k]
        columns[f"{category}_iou_low"] = result.category_interval.low[:, k]
        columns[f"{category}_iou_high"] = result.category_interval.high[:, k]
        columns[f"{category}_tie"] = labels.category_tie[:, k]
    lines = zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True)
    return [{"model": layer.model, "layer": layer.layer, **dict(zip(columns, line, strict=True))} for line in lines]


def _composed(layer: Layer) -> dict[str, Any]:
    """Columns of the compositional explanations, empty in layers that have none."""
    found, units = layer.compositions, len(layer.concepts.dead)
    if found is None:
        empty = np.full(units, np.nan)
        return {"composition": np.full(units, ""), "composition_iou": empty, "composition_held_out_gain": empty}
    return {
        "composition": np.where(found.length > 0, found.formula, NONE),
        "composition_iou": found.iou,
        "composition_held_out_gain": found.held_out_gain,
    }


def _concepts(layer: Layer) -> list[Row]:
    result, vocabulary = layer.concepts, layer.concepts.vocabulary
    share = result.total.label_area / max(int(result.total.pixels), 1)
    return [
        {
            "model": layer.model,
            "layer": layer.layer,
            "concept": vocabulary.names[c],
            "category": vocabulary.categories[vocabulary.category[c]],
            "number": int(vocabulary.numbers[c]),
            "images": int(result.total.label_images[c]),
            "pixel_share": float(share[c]),
            "reachable": bool(result.reachable[c]),
            "highest_iou": float(result.highest[c]),
            "units": int(result.units[0, c]),
            "units_category": int(result.units[1, c]),
            "best_unit": int(result.best_unit[c]) if result.best.estimate[c] > 0 else None,
            "best_iou": float(result.best.estimate[c]),
            "best_iou_low": float(result.best.low[c]),
            "best_iou_high": float(result.best.high[c]),
        }
        for c in range(len(vocabulary))
    ]


def _summary(layer: Layer, any_composed: bool) -> Row:
    result, vocabulary = layer.concepts, layer.concepts.vocabulary
    units = len(result.dead)
    pixels = max(int(result.total.pixels), 1)
    detectors, concepts = result.counts("detectors"), result.counts("concepts")
    several, various = result.counts("detectors", "category"), result.counts("concepts", "category")
    by_chance = None if result.chance is None else float(result.chance.detectors.mean())
    row: Row = {
        "model": layer.model,
        "title": layer.title,
        "family": layer.family,
        "control": layer.control,
        "layer": layer.layer,
        "main": layer.main,
        "units": units,
        "dead": int(result.dead.sum()),
        "zero_threshold_share": zero_threshold_share(result.threshold),
        "tail": float(layer.attributes["tail"]),
        "active_share": float(result.total.unit_area.mean() / pixels) if units else None,
        "iou_threshold": result.iou_threshold,
        "detectors": int(detectors.estimate[0]),
        "detectors_low": float(np.clip(detectors.low[0], 0, units)),
        "detectors_high": float(np.clip(detectors.high[0], 0, units)),
        "detectors_sure": int(result.sure.sum()),
        "detectors_by_chance": by_chance,
        "detectors_at_fdr": None if by_chance is None else int((result.labels.iou > result.iou_at_fdr).sum()),
        "iou_at_fdr": result.iou_at_fdr,
        "halves_agree_share": float(result.halves_agree[result.detector].mean()) if result.detector.any() else None,
        "ties": int((result.labels.tie & result.detector).sum()),
        "concepts": int(concepts.estimate[0]),
        "concepts_low": float(np.maximum(concepts.low[0], 0)),
        "concepts_high": float(np.minimum(concepts.high[0], len(vocabulary))),
        "detectors_category": int(several.estimate[0]),
        "concepts_category": int(various.estimate[0]),
        "present": int(result.present.sum()),
        "reachable": int(result.reachable.sum()),
        "mean_iou": float(result.labels.iou.mean()) if units else None,
        "max_iou": float(result.labels.iou.max(initial=0.0)),
    }
    if result.rotated is not None:
        for what, most in (("detectors", units), ("concepts", len(vocabulary))):
            rotated, beyond = result.rotated.rotated(what), result.beyond_rotated(what)
            row |= {
                f"{what}_rotated": rotated.estimate,
                f"{what}_rotated_low": float(np.clip(rotated.low, 0, most)),
                f"{what}_rotated_high": float(np.clip(rotated.high, 0, most)),
                f"{what}_beyond_rotated": beyond.estimate,
                f"{what}_beyond_rotated_low": beyond.low,
                f"{what}_beyond_rotated_high": beyond.high,
            }
    if layer.scores is not None:
        row |= {
            "auroc_units": int((layer.scores.concept >= 0).sum()),
            "auroc_units_clear": int(layer.scores.clear.sum()),
        }
    if any_composed:
        found = layer.compositions
        row |= {
            "composition_iou": None if found is None else float(np.median(found.iou)),
            "composition_single_iou": None if found is None else float(np.median(found.single_iou)),
            "composition_holds": None if found is None else int(found.holds.sum()),
        }
    reach = result.reachable.astype(np.int64) @ vocabulary.membership
    for k, category in enumerate(vocabulary.categories):
        row |= {
            f"{category}_detectors": int(detectors.estimate[1 + k]),
            f"{category}_concepts": int(concepts.estimate[1 + k]),
            f"{category}_concepts_low": float(np.maximum(concepts.low[1 + k], 0)),
            f"{category}_concepts_high": float(concepts.high[1 + k]),
            f"{category}_detectors_category": int(several.estimate[1 + k]),
            f"{category}_concepts_category": int(various.estimate[1 + k]),
            f"{category}_reachable": int(reach[k]),
        }
    row["warnings"] = " ".join(layer.warnings)
    return row

"""What the scores say, in sentences that carry their intervals and nulls and claim no more than these support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from intermodel.probe.models import Model

Row = Mapping[str, Any]

# Scores that use no label and no other model, besides Q-Score itself; forms of Q-Score are not its rivals.
FORMS = ("qscore", "qscore_no_D", "q_v1", "zmax")
LEVEL = 0.05


def findings(
    layers: Sequence[Row],
    scores: Sequence[Row],
    representations: Sequence[Row],
    agreement: Sequence[Row],
    models: Sequence[Model],
) -> list[str]:
    """Sentences on Q-Score against chance, against random masks, against its rivals, and on scores of whole models.

    Parameters
    ----------
    layers, scores, representations, agreement
        Rows of the tables of `summary`.
    models
        The models of the study.
    """
    main = [row for row in scores if row["main"]]
    return [
        *_chance(main, models),
        *_random_masks([row for row in layers if row["main"]], models),
        *_label_free(main, models),
        *_with_labels(main),
        *_model_level(agreement, [row["units"] for row in representations if row["main"]]),
    ]


def warnings(layers: Sequence[Row]) -> list[str]:
    """What a reader must know about single layers before believing their numbers."""
    return [f"{row['model']}, {row['layer']}: {row['notes']}." for row in layers if row["notes"]]


def _chance(main: Sequence[Row], models: Sequence[Model]) -> list[str]:
    rows = _defined(main, "qscore")
    absent = [model.title for model in models if model.name not in {row["model"] for row in rows}]
    excuse = (
        f" It does not apply to {_list(absent)} (signed features or a probe without both outcomes)." if absent else ""
    )
    if not rows:
        return [f"Q-Score ranks no model's images.{excuse}"]
    above = [row for row in rows if row["auroc_low"] > 0.5]
    below = [row for row in rows if row["auroc_high"] < 0.5]
    values = [row["auroc"] for row in rows]
    text = (
        f"Without labels, **Q-Score** tells right from wrong predictions of the probe better than chance in "
        f"{len(above)} of {len(rows)} models (95 % interval of the AUROC above 0.5; AUROC {min(values):.2f} to "
        f"{max(values):.2f})."
    )
    if below:
        text += f" In {_list(_titles(below, models))} it is worse than chance: higher scores go with more errors."
    return [text + excuse]


def _random_masks(layers: Sequence[Row], models: Sequence[Model]) -> list[str]:
    rows = [row for row in layers if np.isfinite(row["random_masks_difference"])]
    if not rows:
        return []
    better = [row for row in rows if row["random_masks_difference_low"] > 0]
    worse = [row for row in rows if row["random_masks_difference_high"] < 0]
    text = (
        f"Choosing the discriminative units beats choosing as many units at random in {len(better)} of {len(rows)} "
        "models (95 % interval over images and masks)"
    )
    if better:
        text += f": {_list(_titles(better, models))}"
    text += "."
    if worse:
        text += f" It does worse than random units in {_list(_titles(worse, models))}."
    if 2 * len(better) < len(rows):
        text += " So these data do not support that the band of discriminative units is what makes the score work."
    return [text]


def _label_free(main: Sequence[Row], models: Sequence[Model]) -> list[str]:
    reference = {row["model"]: row["auroc"] for row in _defined(main, "qscore")}
    rivals = {row["score"] for row in main if row["needs"] != "labels"} - set(FORMS)
    complete = {}
    for name in sorted(rivals):
        rows = {row["model"]: row for row in _defined(main, name)}
        if reference and set(reference) <= set(rows):
            complete[name] = [rows[model] for model in reference]
    if not complete:
        return []
    mean = {name: float(np.mean([row["auroc"] for row in rows])) for name, rows in complete.items()}
    best = max(mean, key=lambda name: mean[name])
    above = sum(row["auroc_minus_qscore_low"] > 0 for row in complete[best])
    below = sum(row["auroc_minus_qscore_high"] < 0 for row in complete[best])
    own = float(np.mean(list(reference.values())))
    return [
        f"Of {len(complete)} other scores that need no labels, `{best}` has the highest mean AUROC, {mean[best]:.2f}, "
        f"against {own:.2f} of Q-Score over {_count(len(reference), 'model')} (picked after the fact, so by its good "
        f"luck too); it is above Q-Score in {above} and below it in {below} of them (paired 95 % intervals)."
    ]


def _with_labels(main: Sequence[Row]) -> list[str]:
    rows = _defined(main, "msp")
    if not rows:
        return []
    compared = [row for row in rows if np.isfinite(row["auroc_minus_qscore"])]
    text = (
        f"Where labels have paid for a probe, its own confidence (`msp`) reaches a mean AUROC of "
        f"{np.mean([row['auroc'] for row in rows]):.2f}"
    )
    if compared:
        above = sum(row["auroc_minus_qscore_low"] > 0 for row in compared)
        text += f" and beats Q-Score in {above} of {len(compared)} models (paired 95 % intervals)"
    return [text + "."]


def _model_level(agreement: Sequence[Row], units: Sequence[float]) -> list[str]:
    tested = [row for row in agreement if np.isfinite(row["p_adjusted"])]
    if not tested:
        return []
    count = tested[0]["models"]
    # A rank cannot exceed the number of units, so a wider layer may look better for its width alone.
    caution = ""
    if min(units) < max(units):
        caution = f" The layers have {min(units):.0f} to {max(units):.0f} units, which most of these scores depend on."
    found = [row for row in tested if row["p_adjusted"] <= LEVEL]
    if found:
        names = [f"`{row['score']}` (Spearman {row['spearman']:+.2f}, p = {row['p_adjusted']:.3f})" for row in found]
        return [
            f"Over {count} models, these label-free scores of a whole representation go with the probe's accuracy "
            f"(p adjusted for {len(tested)} scores): {_list(names)}.{caution}"
        ]
    best = max(tested, key=lambda row: abs(row["spearman"]))
    return [
        f"No label-free score of a whole representation ranks the {count} models as the probe does beyond chance; the "
        f"closest is `{best['score']}` (Spearman {best['spearman']:+.2f}, p = {best['p_adjusted']:.2f} adjusted for "
        f"{len(tested)} scores).{caution}"
    ]


def _defined(rows: Sequence[Row], score: str) -> list[Row]:
    return [row for row in rows if row["score"] == score and np.isfinite(row["auroc"])]


def _titles(rows: Sequence[Row], models: Sequence[Model]) -> list[str]:
    chosen = {row["model"] for row in rows}
    return [model.title for model in models if model.name in chosen]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

"""Everything that is said about one layer of one model: arrays in, arrays and tables out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.quality.density import log_density
from intermodel.quality.events import Events
from intermodel.quality.logits import logit_scores
from intermodel.quality.model_scores import ModelScore, model_scores
from intermodel.quality.neighbours import Neighbours, closeness, nearest
from intermodel.quality.qscore import (
    EpsChoice,
    Mask,
    activation_rate,
    choose_eps,
    discriminative_mask,
    possible,
    qscore,
)
from intermodel.quality.table import RandomMasks, SampleScore, accuracy_by_score, quality_table, random_mask_null

FloatArray = NDArray[np.float64]

SIGNED = "n/a: signed features"
# Below this share of images with a score above 0, ties pull every metric towards chance.
LOW_COVERAGE = 0.9
# With fewer right or wrong predictions the bootstrap of a ranking says little.
FEW = 10
# Scores that are shown as accuracy by decile.
CALIBRATED = ("qscore", "knn", "msp")


@dataclass(frozen=True)
class Representation:
    """What is needed of a layer: events and scores of all images, features of some.

    Attributes
    ----------
    events
        Highly active features of the N images used.
    row_scores
        Scores of `row_scores.block_scores` by name, (N,) each.
    smallest
        Smallest feature value; below 0 the layer is signed.
    train, test
        Rows of the training and the test images, (T,) and (M,).
    reference, queries
        Features of reference images drawn from the training images, (R, C), and of the test images, (M, C).
    """

    events: Events
    row_scores: Mapping[str, FloatArray]
    smallest: float
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    reference: NDArray[np.float32]
    queries: NDArray[np.float32]

    @property
    def signed(self) -> bool:
        """Whether some feature is negative, so that the one-sided rule of Q-Score does not apply."""
        return self.smallest < 0


@dataclass(frozen=True)
class QScores:
    """Q-Score of a layer; arrays over all N images.

    Attributes
    ----------
    choice
        The threshold and how it was found.
    rate
        Activation rates on the training images, percent, (C,).
    mask
        Discriminative units.
    score, used
        Q-Score and the number of features behind it.
    score_all, used_all
        The same without selecting units.
    """

    choice: EpsChoice
    rate: FloatArray
    mask: Mask
    score: FloatArray
    used: NDArray[np.int64]
    score_all: FloatArray
    used_all: NDArray[np.int64]


@dataclass(frozen=True)
class LayerQuality:
    """All results of one layer; `qscores` and `null` are None for signed features."""

    qscores: QScores | None
    null: RandomMasks | None
    scores: dict[str, SampleScore]
    table: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    models: dict[str, ModelScore]
    neighbours: Neighbours
    notes: tuple[str, ...]


def judge_layer(
    data: Representation,
    logits: NDArray[np.floating],
    correct: NDArray[np.bool_],
    settings: Mapping[str, Any],
    seed: int,
    draw_seed: int,
) -> LayerQuality:
    """Score the test images of a layer and hold every score against the errors of the probe.

    Parameters
    ----------
    data
        The layer.
    logits, correct
        Of the linear probe on the test images, (M, K) and (M,).
    settings
        eps, eps_ladder, eps_coverage, percentiles, nonzero_only, random_masks, bootstrap, neighbours,
        consistency_neighbours, components.
    seed
        Of the mixture and the random masks.
    draw_seed
        Of the resampled images, the same for all layers that are to be compared.
    """
    found = None if data.signed else qscores(data.events, data.train, settings)
    scores = _qscore_rows(found, data)
    for name, values in data.row_scores.items():
        scores[name] = SampleScore(values[data.test], "features")
    wanted = max(settings["neighbours"], settings["consistency_neighbours"])
    neighbours = nearest(data.reference, data.queries, wanted)
    scores["knn"] = SampleScore(closeness(neighbours, settings["neighbours"]), "reference")
    if settings["components"]:
        density = log_density(data.reference, data.queries, settings["components"], seed)
        note = "" if np.isfinite(density).all() else "n/a: all reference images have the same features"
        scores["loglik"] = SampleScore(density, "reference", note=note)
    scores |= {name: SampleScore(values, "labels") for name, values in logit_scores(logits).items()}
    null = None
    if found is not None:
        null = random_mask_null(
            data.events,
            found.mask.units,
            found.choice.eps,
            data.test,
            correct,
            settings["random_masks"],
            settings["bootstrap"],
            draw_seed,
        )
    calibration = [
        {"score": name} | row for name in CALIBRATED for row in accuracy_by_score(scores[name].values, correct)
    ]
    return LayerQuality(
        qscores=found,
        null=null,
        scores=scores,
        table=quality_table(scores, correct, settings["bootstrap"], draw_seed),
        calibration=calibration,
        models=model_scores(data.reference),
        neighbours=neighbours,
        notes=tuple(_notes(data, found, correct, settings)),
    )


def qscores(events: Events, train: NDArray[np.intp], settings: Mapping[str, Any]) -> QScores:
    """Q-Score of all images with the band and threshold found on the training images."""
    low, high = settings["percentiles"]
    ladder: Sequence[float] = settings["eps_ladder"] if settings["eps"] == "auto" else [settings["eps"]]
    choice = choose_eps(events, train, ladder, settings["eps_coverage"], low, high, settings["nonzero_only"])
    rate = activation_rate(events, choice.eps, train)
    mask = discriminative_mask(rate, low, high, settings["nonzero_only"])
    score, used = qscore(events, mask.units, choice.eps)
    score_all, used_all = qscore(events, np.ones(events.units, dtype=np.bool_), choice.eps)
    return QScores(choice, rate, mask, score, used, score_all, used_all)


def _qscore_rows(found: QScores | None, data: Representation) -> dict[str, SampleScore]:
    if found is None:
        undefined = np.full(len(data.test), np.nan)
        return {name: SampleScore(undefined, "features", float("nan"), SIGNED) for name in ("qscore", "qscore_no_D")}
    return {
        "qscore": SampleScore(found.score[data.test], "features", float(np.mean(found.used[data.test] > 0))),
        "qscore_no_D": SampleScore(
            found.score_all[data.test], "features", float(np.mean(found.used_all[data.test] > 0))
        ),
    }


def _notes(
    data: Representation, found: QScores | None, correct: NDArray[np.bool_], settings: Mapping[str, Any]
) -> list[str]:
    notes = []
    if found is None:
        notes.append(f"{SIGNED}: the smallest value is {data.smallest:.3g}, so Q-Score's one-sided rule does not apply")
    else:
        eps, units = found.choice.eps, data.events.units
        coverage = float(np.mean(found.used[data.test] > 0))
        if not possible(units, eps):
            notes.append(f"with {units} features none can exceed eps = {eps:g}; every Q-Score is 0")
        elif settings["eps"] == "auto" and not found.choice.reached:
            notes.append(
                f"no eps of the ladder reaches a coverage of {settings['eps_coverage']:g}; the smallest, {eps:g}, "
                f"reaches {found.choice.coverage[-1]:.3f} of the training images"
            )
        if coverage < LOW_COVERAGE:
            notes.append(f"Q-Score is 0 for {1 - coverage:.0%} of the test images, which tie; it ranks only the others")
        if found.mask.low == 0:
            notes.append(
                f"{found.mask.silent} of {units} units are silent and the band starts at 0, so they count as "
                "discriminative; nonzero_only: true leaves them out"
            )
        if not found.mask.units.any():
            notes.append("no unit is discriminative")
        if coverage > 0 and np.ptp(found.score[data.test]) == 0:
            notes.append("all test images have the same Q-Score")
    wrong = int((~correct).sum())
    if min(wrong, len(correct) - wrong) < FEW:
        notes.append(f"the probe is wrong on {wrong} of {len(correct)} test images: too one-sided to judge a ranking")
    return notes

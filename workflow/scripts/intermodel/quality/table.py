"""One table of all scores of a layer: how well each ranks right above wrong predictions, and how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.quality.events import Events
from intermodel.quality.qscore import qscore
from intermodel.quality.ranking import METRICS, Ranking, bootstrap_draws, rank, rank_draws
from intermodel.statistics.intervals import percentile_interval, wilson
from intermodel.statistics.nulls import p_value

FloatArray = NDArray[np.float64]

# Metrics that get a bootstrap interval; the others are fixed by these and the accuracy, or are given as they are.
WITH_INTERVAL = ("auroc", "ap_right", "ap_right_normalised", "ap_error", "ap_error_normalised", "aurc", "eaurc")


@dataclass(frozen=True)
class SampleScore:
    """A score per image, larger = thought more likely right.

    Attributes
    ----------
    values
        (N,); any NaN says that the score is undefined for this layer.
    needs
        What it is computed from: "features" (the image's own), "reference" (training images), "models" (other
        models), "labels" (a trained probe).
    coverage
        Share of images with evidence of their own; the others tie.
    note
        Why it is undefined, or what to mind.
    """

    values: FloatArray
    needs: str
    coverage: float = 1.0
    note: str = ""


def quality_table(
    scores: Mapping[str, SampleScore],
    correct: ArrayLike,
    bootstrap: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    against: str = "qscore",
) -> list[dict[str, Any]]:
    """Metrics of every score with percentile bootstrap intervals over images.

    All scores see the same resampled images, so that the difference of AUROC to the score `against` is paired.

    Parameters
    ----------
    scores
        By name, each for the same N images.
    correct
        Whether the probe is right on each image, (N,).
    bootstrap
        Draws.
    seed
        Of the draws.
    level
        Coverage of the intervals.
    against
        The score that the others are compared with; left out when it is not in `scores` or undefined.

    Returns
    -------
    list of dict
        One row per score, in their order; NaN with a `note` where undefined.
    """
    right = np.asarray(correct).astype(np.bool_)
    draws = bootstrap_draws(len(right), bootstrap, seed)
    known: dict[bytes, tuple[Ranking, Ranking]] = {}
    ranked: dict[str, tuple[Ranking, Ranking]] = {}
    for name, score in scores.items():
        if np.isfinite(score.values).all():
            # Scores that order the images alike have the same metrics (e.g. l1 norm and Hoyer sparsity).
            key = _order_key(score.values)
            if key not in known:
                known[key] = rank(score.values, right), rank_draws(score.values, right, draws)
            ranked[name] = known[key]
    reference = ranked.get(against)
    return [
        {"score": name} | _row(score, right, ranked.get(name), None if name == against else reference, level)
        for name, score in scores.items()
    ]


def _row(
    score: SampleScore,
    right: NDArray[np.bool_],
    ranked: tuple[Ranking, Ranking] | None,
    reference: tuple[Ranking, Ranking] | None,
    level: float,
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "needs": score.needs,
        "images": len(right),
        "accuracy": float(right.mean()),
        "coverage": score.coverage,
    }
    for name in METRICS[1:]:
        whole = float("nan") if ranked is None else float(getattr(ranked[0], name))
        row[name] = whole
        if name in WITH_INTERVAL:
            interval = (whole, whole) if ranked is None else _ends(whole, getattr(ranked[1], name), level)
            row[f"{name}_low"], row[f"{name}_high"] = interval
    difference = low = high = float("nan")
    if ranked is not None and reference is not None:
        difference = float(ranked[0].auroc - reference[0].auroc)
        low, high = _ends(difference, ranked[1].auroc - reference[1].auroc, level)
    row |= {"auroc_minus_qscore": difference, "auroc_minus_qscore_low": low, "auroc_minus_qscore_high": high}
    row["note"] = "; ".join(filter(None, [score.note, _degenerate(score, right)]))
    return row


def _ends(estimate: float, draws: FloatArray, level: float) -> tuple[float, float]:
    interval = percentile_interval(estimate, draws, level)
    return float(interval.low), float(interval.high)


def _degenerate(score: SampleScore, right: NDArray[np.bool_]) -> str:
    if right.all():
        return "undefined: all predictions are right"
    if not right.any():
        return "undefined: all predictions are wrong"
    if np.isfinite(score.values).all() and (score.values == score.values[0]).all():
        return "degenerate: all images have the same score"
    return ""


def _order_key(values: FloatArray) -> bytes:
    return np.unique(values, return_inverse=True)[1].astype(np.int32).tobytes()


@dataclass(frozen=True)
class RandomMasks:
    """AUROC of Q-Score with random masks of the same size, and of the discriminative mask against them.

    Attributes
    ----------
    auroc
        With each random mask, (masks,).
    mean, low, high
        Their mean and the interval between their percentiles.
    difference, difference_low, difference_high
        AUROC with the discriminative mask minus the mean of the random ones; its bootstrap interval draws images and
        masks together, so it holds for one random mask on new images.
    p_value
        Share of masks, the discriminative one included, that reach its AUROC; never below 1 / (masks + 1).
    note
        Why the values are NaN.
    """

    auroc: FloatArray
    mean: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    p_value: float
    note: str = ""


def random_mask_null(
    events: Events,
    units: NDArray[np.bool_],
    eps: float,
    rows: NDArray[np.integer],
    correct: ArrayLike,
    masks: int = 20,
    bootstrap: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> RandomMasks:
    """Does it matter which units are called discriminative? Q-Score with random sets of as many units.

    Parameters
    ----------
    events
        Table of highly active features.
    units
        The discriminative mask, (C,).
    eps
        Threshold.
    rows
        Rows of the events that are judged, (N,).
    correct
        Whether the probe is right on them, (N,).
    masks
        Number of random masks.
    bootstrap, seed, level
        As in `quality_table`; with the same seed the images are resampled alike.
    """
    right = np.asarray(correct).astype(np.bool_)
    size = int(units.sum())
    nan = float("nan")
    if right.all() or not right.any() or size in (0, len(units)):
        alike = right.all() or not right.any()
        note = "all predictions are alike" if alike else "the mask holds no unit or all of them"
        return RandomMasks(np.full(masks, nan), nan, nan, nan, nan, nan, nan, nan, note)
    generator = np.random.default_rng([seed, 1])
    observed = qscore(events, units, eps)[0][rows]
    draws = bootstrap_draws(len(right), bootstrap, seed)
    whole = float(rank(observed, right).auroc)
    differences = rank_draws(observed, right, draws).auroc
    auroc = np.empty(masks)
    for i in range(masks):
        random = np.zeros(len(units), dtype=np.bool_)
        random[generator.choice(len(units), size=size, replace=False)] = True
        score = qscore(events, random, eps)[0][rows]
        auroc[i] = float(rank(score, right).auroc)
        # Draw i, i + masks, ... resample the images for this mask: images and masks vary together.
        differences[i::masks] -= rank_draws(score, right, draws[i::masks]).auroc
    difference = whole - float(auroc.mean())
    low, high = (float(end) for end in np.quantile(auroc, [(1 - level) / 2, (1 + level) / 2]))
    difference_low, difference_high = _ends(difference, differences, level)
    p = float(p_value(whole, auroc))
    return RandomMasks(auroc, float(auroc.mean()), low, high, difference, difference_low, difference_high, p)


def accuracy_by_score(
    score: FloatArray, correct: ArrayLike, bins: int = 10, level: float = 0.95
) -> list[dict[str, Any]]:
    """Accuracy of the probe in groups of images with similar scores, from low to high.

    Groups are cut at quantiles of the score; equal scores stay together, so there may be fewer groups than asked for.

    Returns
    -------
    list of dict
        bin, images, score_low, score_high, accuracy and its Wilson interval accuracy_low, accuracy_high.
    """
    right = np.asarray(correct).astype(np.bool_)
    values = np.asarray(score, dtype=np.float64)
    if not np.isfinite(values).all():
        return []
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
    group = np.searchsorted(edges, values, side="left")
    rows: list[dict[str, Any]] = []
    for number in np.unique(group):
        members = group == number
        low, high = wilson(right[members].sum(), members.sum(), level)
        rows.append(
            {
                "bin": len(rows) + 1,
                "images": int(members.sum()),
                "score_low": float(values[members].min()),
                "score_high": float(values[members].max()),
                "accuracy": float(right[members].mean()),
                "accuracy_low": float(low),
                "accuracy_high": float(high),
            }
        )
    return rows


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows with equal keys as columns."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else {})}

"""How well a score ranks right above wrong predictions: AUROC, average precision for both classes, risk-coverage area.

All metrics share ties out evenly and are vectorised over weights, so that a bootstrap is one call.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

# Weighted samples held at a time: small enough for the processor's cache (larger blocks took twice as long).
BATCH_ELEMENTS = 1 << 14


@dataclass(frozen=True)
class Ranking:
    """Metrics of a score against right (positive) and wrong predictions; each a number or an array over draws.

    NaN where a metric is undefined: `auroc`, `augrc`, `fpr95` and the normalised ones need right and wrong images,
    `ap_right` a right one, `ap_error` a wrong one.

    Attributes
    ----------
    accuracy
        Share of right predictions; the chance level of `ap_right`, and 1 minus it that of `ap_error`.
    auroc
        Probability that a right image scores above a wrong one, ties half.
    ap_right
        Average precision (step-wise, as scikit-learn's) with right predictions as positives.
    ap_error
        Average precision of the negated score with wrong predictions as positives.
    ap_right_normalised, ap_error_normalised
        (AP - chance) / (1 - chance): 0 at chance, 1 for a perfect ranking.
    aurc
        Area under the risk-coverage curve: the error rate among the k best images, averaged over k = 1..N.
    eaurc
        `aurc` minus that of a perfect ranking with the same errors.
    augrc
        Area under the generalised risk-coverage curve (Traub et al. 2024).
    fpr95
        Smallest share of wrong images accepted by a threshold that accepts at least 95 % of the right ones.
    """

    accuracy: FloatArray
    auroc: FloatArray
    ap_right: FloatArray
    ap_error: FloatArray
    ap_right_normalised: FloatArray
    ap_error_normalised: FloatArray
    aurc: FloatArray
    eaurc: FloatArray
    augrc: FloatArray
    fpr95: FloatArray


METRICS = tuple(field.name for field in fields(Ranking))


def rank(score: ArrayLike, correct: ArrayLike) -> Ranking:
    """Metrics of a score, each a 0-d array.

    Parameters
    ----------
    score
        (N,), finite, larger = thought more likely right.
    correct
        Whether each prediction is right, (N,).
    """
    values = np.asarray(score)
    result = rank_draws(values, correct, np.ones((1, len(values)), dtype=np.int32))
    return Ranking(*(getattr(result, name)[0] for name in METRICS))


def rank_draws(score: ArrayLike, correct: ArrayLike, draws: NDArray[np.integer]) -> Ranking:
    """Metrics of a score under many resamplings at once, each an array (D,).

    Parameters
    ----------
    score, correct
        As in `rank`.
    draws
        How often each image occurs in each draw, (D, N), non-negative integers.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no image, or a score is not finite.
    """
    values, right = np.asarray(score, dtype=np.float64), np.asarray(correct).astype(np.bool_)
    if values.ndim != 1 or values.shape != right.shape or draws.shape[1:] != values.shape or values.size == 0:
        raise ValueError(
            f"needs one score, one outcome and one weight per image, got {values.shape}, {right.shape}, {draws.shape}"
        )
    if not np.isfinite(values).all():
        raise ValueError("scores must be finite; leave a score that is undefined for some images out of the table")
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(values) - 1)
    wrong = (~right[order]).astype(np.int32)
    count = int(draws.sum(axis=1).max())
    # harmonic[k] = 1 + 1/2 + ... + 1/k, for sums of E / k over a block of tied images.
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, max(count, 1) + 1))])
    size = max(1, BATCH_ELEMENTS // len(values))
    batches = [
        _rank_block(draws[start : start + size].astype(np.int32, copy=False)[:, order], wrong, ends, harmonic)
        for start in range(0, len(draws), size)
    ]
    return Ranking(*(np.concatenate(columns) for columns in zip(*batches, strict=True)))


def bootstrap_draws(images: int, draws: int, seed: int) -> NDArray[np.int32]:
    """How often each image occurs in each bootstrap sample, (draws, images)."""
    generator = np.random.default_rng(seed)
    result = np.empty((draws, images), dtype=np.int32)
    for i in range(draws):
        result[i] = np.bincount(generator.integers(0, images, size=images), minlength=images)
    return result


def _rank_block(
    weights: NDArray[np.int32], wrong: NDArray[np.int32], ends: NDArray[np.intp], harmonic: FloatArray
) -> tuple[FloatArray, ...]:
    """Metrics from weights in the order of falling score; groups of ties end at `ends`."""
    # Images and errors at or above the end of each group of ties, after a column for none: (D, G + 1).
    shape = (len(weights), len(ends) + 1)
    reached, errors = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=np.int32)
    tied = len(ends) < weights.shape[1]
    for counts, factor in ((reached, 1), (errors, wrong)):
        sums = np.cumsum(weights * factor, axis=1, dtype=np.int32)
        counts[:, 1:] = sums[:, ends] if tied else sums
    total, all_errors = reached[:, -1], errors[:, -1]
    all_right = total - all_errors
    in_group, errors_in = np.diff(reached, axis=1), np.diff(errors, axis=1)
    right_in = in_group - errors_in
    before, errors_before = reached[:, :-1], errors[:, :-1]

    with np.errstate(divide="ignore", invalid="ignore"):
        accuracy = all_right / total
        # Twice the wrong images below the group, plus those in it.
        below = 2 * all_errors[:, None] - errors[:, 1:] - errors_before
        auroc = _dot(right_in, below) / (2.0 * all_right * all_errors)
        # Of no image reached the precision is 0, and its weight as well.
        right_reached = reached[:, 1:] - errors[:, 1:]
        ap_right = _dot(right_in, right_reached / np.maximum(reached[:, 1:], 1)) / all_right
        # From the lowest score upwards, errors being the positives.
        rest, errors_rest = total[:, None] - before, all_errors[:, None] - errors_before
        ap_error = _dot(errors_in, errors_rest / np.maximum(rest, 1)) / all_errors
        # The t-th of m tied images brings e t / m errors on average: sum over t of (E + e t / m) / (K + t).
        span = np.diff(harmonic[reached], axis=1)
        slope = errors_in / np.maximum(in_group, 1)
        aurc = (_dot(errors_before - slope * before, span) + all_errors) / total
        # A perfect ranking meets its first error after all right images.
        gap = harmonic[total] - harmonic[all_right]
        eaurc = aurc - (all_errors - all_right * gap) / total
        # Groups from the top until 95 % of the right images are in; the slack keeps 0.95 N from being missed by a bit.
        first = (right_reached >= 0.95 * all_right[:, None] - 1e-9).argmax(axis=1)
        fpr95 = errors[np.arange(len(errors)), first + 1] / all_errors
        mixed = (all_right > 0) & (all_errors > 0)
        right_normalised = (ap_right - accuracy) / (1 - accuracy)
        error_normalised = (ap_error - (1 - accuracy)) / accuracy
        augrc = (1 - auroc) * accuracy * (1 - accuracy) + (1 - accuracy) ** 2 / 2
    undefined = np.nan
    return (
        accuracy,
        np.where(mixed, auroc, undefined),
        np.where(all_right > 0, ap_right, undefined),
        np.where(all_errors > 0, ap_error, undefined),
        np.where(mixed, right_normalised, undefined),
        np.where(mixed, error_normalised, undefined),
        aurc,
        eaurc,
        np.where(mixed, augrc, undefined),
        np.where(mixed, fpr95, undefined),
    )


def _dot(a: NDArray[Any], b: NDArray[Any]) -> FloatArray:
    """Row-wise dot products in float64."""
    result: FloatArray = np.einsum("ij,ij->i", a, b, dtype=np.float64)
    return result

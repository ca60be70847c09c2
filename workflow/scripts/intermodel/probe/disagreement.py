"""Where equally accurate models disagree: pairs of probes on the same test images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from intermodel.probe.accuracy import paired_difference
from intermodel.probe.files import ProbeOutcome
from intermodel.statistics.intervals import wilson
from intermodel.store import align


@dataclass(frozen=True)
class Disagreement:
    """How often two probes name different classes, beside what chance and their errors would give.

    Attributes
    ----------
    share, low, high
        Share of images with different predictions and its Wilson interval.
    independent
        Exact mean of the share when the predictions of one model are permuted among the images of each class: two
        models of these accuracies whose errors have nothing to do with each other.
    largest
        The most that two models of these accuracies can disagree: the sum of their error rates, at most 1.
    both_wrong
        Share of images that both get wrong.
    """

    share: float
    low: float
    high: float
    independent: float
    largest: float
    both_wrong: float


def disagreement(first: ArrayLike, second: ArrayLike, labels: ArrayLike, level: float = 0.95) -> Disagreement:
    """Compare the predicted classes of two models.

    Parameters
    ----------
    first, second
        Predicted class numbers, (N,) int, for the same images.
    labels
        True class numbers, (N,) int.
    level
        Coverage of the interval.

    Raises
    ------
    ValueError
        If the lengths differ or are zero.
    """
    a, b, truth = (np.asarray(values) for values in (first, second, labels))
    if not a.shape == b.shape == truth.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"expected three vectors of one length, got shapes {a.shape}, {b.shape} and {truth.shape}")
    differ = a != b
    low, high = wilson(differ.sum(), differ.size, level)
    agreeing = 0.0
    for label in np.unique(truth):
        members = truth == label
        names, inverse = np.unique(np.concatenate([a[members], b[members]]), return_inverse=True)
        count = int(members.sum())
        counts_a = np.bincount(inverse[:count], minlength=len(names))
        counts_b = np.bincount(inverse[count:], minlength=len(names))
        agreeing += float(counts_a @ counts_b) / count
    errors = float((a != truth).mean()), float((b != truth).mean())
    return Disagreement(
        share=float(differ.mean()),
        low=float(low),
        high=float(high),
        independent=1.0 - agreeing / truth.size,
        largest=min(1.0, sum(errors)),
        both_wrong=float(((a != truth) & (b != truth)).mean()),
    )


COLUMNS = (
    "model_a",
    "model_b",
    "accuracy_a",
    "accuracy_b",
    "difference",
    "difference_low",
    "difference_high",
    "equal",
    "disagreement",
    "disagreement_low",
    "disagreement_high",
    "independent_errors",
    "largest_possible",
    "both_wrong",
    "images",
)


def disagreement_rows(outcomes: Mapping[str, ProbeOutcome], controls: Sequence[str] = ()) -> list[dict[str, object]]:
    """One row for every pair of models: accuracies, their paired difference, and how often the probes disagree.

    `equal` says whether the 95 % interval of the difference in accuracy contains 0, so that accuracy gives no reason
    to prefer one; pairs with a control among `controls` are left out, since a control is no competitor.

    Parameters
    ----------
    outcomes
        What the probe of each model said about the test images; rows are joined by image id.
    controls
        Names of untrained controls.
    """
    names = [name for name in outcomes if name not in controls]
    predicted, correct = {}, {}
    reference = outcomes[names[0]].ids if names else np.empty(0, dtype=np.str_)
    labels = outcomes[names[0]].labels if names else np.empty(0, dtype=np.int32)
    for name in names:
        outcome = outcomes[name]
        order = align(reference, outcome.ids, f"the probe of {name}")
        predicted[name] = outcome.class_numbers[outcome.logits[order].argmax(axis=1)]
        correct[name] = outcome.correct[order]
    rows: list[dict[str, object]] = []
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            found = disagreement(predicted[first], predicted[second], labels)
            difference = paired_difference(correct[first], correct[second])
            rows.append(
                {
                    "model_a": first,
                    "model_b": second,
                    "accuracy_a": float(correct[first].mean()),
                    "accuracy_b": float(correct[second].mean()),
                    "difference": difference.value,
                    "difference_low": difference.low,
                    "difference_high": difference.high,
                    "equal": difference.low <= 0.0 <= difference.high,
                    "disagreement": found.share,
                    "disagreement_low": found.low,
                    "disagreement_high": found.high,
                    "independent_errors": found.independent,
                    "largest_possible": found.largest,
                    "both_wrong": found.both_wrong,
                    "images": int(labels.size),
                }
            )
    return rows

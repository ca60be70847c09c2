"""What two models know together: concepts shared, concepts only one has, what an ensemble gains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Overlap:
    """Set relations between the concepts of all models, each (..., models, models) int64.

    Attributes
    ----------
    only
        |C_m without C_m'|: concepts of the row's model that the column's lacks. It is also what the column's model
        gains when the row's joins it.
    shared
        |C_m and C_m'|; the diagonal holds each model's number of concepts.
    union
        |C_m or C_m'|: what both know together.
    """

    only: NDArray[np.int64]
    shared: NDArray[np.int64]
    union: NDArray[np.int64]


def overlap(known: ArrayLike) -> Overlap:
    """Set relations from `known`, (..., models, labels), positive where a model has at least one detector."""
    member = (np.asarray(known) > 0).astype(np.int64)
    shared = member @ np.swapaxes(member, -1, -2)
    size = member.sum(axis=-1)
    only = size[..., :, None] - shared
    return Overlap(only, shared, only + size[..., None, :])


def exclusive(known: ArrayLike) -> NDArray[np.bool_]:
    """Concepts that one model alone knows, (models, labels) of bool."""
    member = np.asarray(known) > 0
    alone: NDArray[np.bool_] = member & (member.sum(axis=0) == 1)
    return alone


def greedy_order(known: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order in which to add models to an ensemble, each time the one that adds most concepts (first among equals).

    Returns
    -------
    order
        Models, (models,).
    covered
        Concepts that the ensemble knows after each step, (models,).
    """
    member = np.asarray(known) > 0
    order, covered = [], []
    have = np.zeros(member.shape[1], bool)
    left = list(range(len(member)))
    while left:
        best = max(left, key=lambda model: int((member[model] & ~have).sum()))
        left.remove(best)
        have |= member[best]
        order.append(best)
        covered.append(int(have.sum()))
    return np.array(order, np.int64), np.array(covered, np.int64)

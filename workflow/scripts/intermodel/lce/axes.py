"""What the axes of a layer add to its space: the vectors of the units minus those of randomly rotated units.

Rotated units span the same space, so what they detect is owed to the space, and the rest to the choice of axes that
training made. Models are then compared by that rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.lce.distances import euclidean
from intermodel.lce.knowledge import Rotated
from intermodel.lce.projection import pca, scaling
from intermodel.lce.settings import Settings
from intermodel.lce.vectors import concept_vectors
from intermodel.statistics.correlation import correlate


@dataclass(frozen=True)
class Axes:
    """What axes add.

    Attributes
    ----------
    count
        Detectors of the rotated units, (rotations, models, labels).
    extra
        Vector of the units minus the mean vector of the rotated units, (models, labels).
    length
        Length of `extra`, (models,), and against each rotation alone, (rotations, models).
    distance
        Euclidean distances of `extra`, and against each rotation alone, (models, models) and
        (rotations, models, models).
    rotated_distance
        Euclidean distances of the mean vectors of the rotated units, (models, models).
    floor
        Distance that images and rotations alone can make, (models, models); NaN with one rotation.
    scores, explained
        Principal components of `extra`, (models, 2), and their share of the variance, (2,).
    """

    count: NDArray[np.int64]
    extra: NDArray[np.float64]
    length: tuple[NDArray[np.float64], NDArray[np.float64]]
    distance: tuple[NDArray[np.float64], NDArray[np.float64]]
    rotated_distance: NDArray[np.float64]
    floor: NDArray[np.float64]
    scores: NDArray[np.float64]
    explained: NDArray[np.float64]

    @property
    def resolved(self) -> NDArray[np.bool_]:
        """Pairs of models further apart than their floor, (models, models)."""
        return np.asarray(self.distance[0] > self.floor)


def compare_axes(
    count: NDArray[np.int64],
    best: NDArray[np.float64],
    rotated: Rotated,
    units: ArrayLike,
    image_floor: NDArray[np.float64],
    settings: Settings,
) -> Axes:
    """Compare models by what their axes add.

    The floor joins two sources. `image_floor` is the distance between two halves of the images seen by the units alone:
    it holds four times the variance of one model, as much as two models of which each has the noise of its units and
    as much again of the rotated ones. Rotations are drawn: the mean vectors of two sets of R of them differ by what two
    rotations differ by, over the root of R; of all pairs of a model's rotations the largest is taken.

    Parameters
    ----------
    count, best
        Detectors and best IoU of the units from all images, (models, labels).
    rotated
        The same of the rotated units.
    units
        Units of each model's layer.
    image_floor
        Noise floor of pairs of models for the Euclidean distance of `vectors`, (models, models).
    settings
        Variant (not soft_auroc) and scale.
    """
    vectors = concept_vectors(count, units, settings.variant, best)
    scale = scaling(vectors, settings.scale)
    turned = scale(concept_vectors(rotated.count, units, settings.variant, rotated.best))
    alone = scale(vectors) - turned
    extra = alone.mean(axis=0)
    rotations = len(turned)
    spread = np.full(len(extra), np.nan)
    if rotations > 1:
        gaps = [np.linalg.norm(turned[a] - turned[b], axis=-1) for a, b in combinations(range(rotations), 2)]
        spread = np.max(gaps, axis=0) / np.sqrt(rotations)
    plane = pca(extra, 2)
    missing = [(0, 0), (0, 2 - plane.scores.shape[1])]
    return Axes(
        rotated.count,
        extra,
        (np.linalg.norm(extra, axis=-1), np.linalg.norm(alone, axis=-1)),
        (euclidean(extra), euclidean(alone)),
        euclidean(turned.mean(axis=0)),
        np.hypot(image_floor, np.maximum(spread[:, None], spread)),
        np.pad(plane.scores, missing),
        np.pad(plane.explained, missing[1]),
    )


def axes_sentence(
    axes: Axes, own: NDArray[np.float64], titles: Sequence[str], trained: Sequence[int], level: float
) -> str | None:
    """Between which trained models the axes make least and most difference; None with fewer than two of them.

    Parameters
    ----------
    axes
        All models.
    own
        Distances of the units' own vectors, (models, models).
    titles
        Of all models.
    trained
        Which of them are trained.
    level
        Of the noise floor.
    """
    pairs = list(combinations(trained, 2))
    if not pairs:
        return None
    rows, columns = np.array(pairs).T
    gaps, number = axes.distance[0][rows, columns], len(axes.count)
    told = f"{number} random rotation{'' if number == 1 else 's'}"
    text = f"By what their own axes detect beyond {told} of the same space, "

    def pair(index: int) -> str:
        first, second = pairs[index]
        return f"**{titles[first]}** and **{titles[second]}** (Euclidean distance {gaps[index]:.3g})"

    near, far = int(gaps.argmin()), int(gaps.argmax())
    text += f"{pair(near)} are closest" + (f", {pair(far)} furthest apart" if len(pairs) > 1 else "")
    if number > 1:
        blurred = int((~axes.resolved[rows, columns]).sum())
        text += f"; {blurred} of {len(pairs)} pairs lie within what images and rotations alone can make ({level:.0%})"
    else:
        text += "; one rotation does not tell how much of that is owed to its draw"
    if len(pairs) > 2:
        r = correlate(own[rows, columns], axes.rotated_distance[rows, columns], "spearman").r[0, 0]
        if not np.isnan(r):
            text += f". The rotated spaces alone order these pairs like the axes do at a rank correlation of {r:.2f}"
    return f"{text}."

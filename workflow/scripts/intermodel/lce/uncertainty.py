"""How far the embedding depends on the images that happened to be in the probe set.

Images are drawn again by folds: a replicate is a weighting of the folds, the same for all models, since all models see
the same images. Two sources stay fixed: the units' thresholds and the models' weights (another training run of the same
recipe is another model).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.engine.errors import UserError
from intermodel.engine.seeds import derive_seed
from intermodel.lce.settings import Settings
from intermodel.statistics.intervals import student_quantile
from intermodel.statistics.jackknife import jackknife_interval
from intermodel.store import PathLike


def bootstrap_weights(images: ArrayLike, draws: int, seed: int = 0) -> NDArray[np.int64]:
    """How often each fold counts in each bootstrap draw, (draws, folds).

    Parameters
    ----------
    images
        Images in each fold, (folds,). Folds without images are never drawn.
    """
    sizes = np.asarray(images)
    filled = np.flatnonzero(sizes > 0)
    if len(filled) < 2:
        raise ValueError(f"resampling needs two folds with images, got {len(filled)}")
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(len(filled), np.full(len(filled), 1 / len(filled)), size=draws)
    weights = np.zeros((draws, len(sizes)), np.int64)
    weights[:, filled] = drawn
    return weights


def half_weights(images: ArrayLike, splits: int, seed: int = 0) -> NDArray[np.int64]:
    """Random halvings of the folds: 0 or 1 for each fold in each half, (splits, 2, folds).

    With an odd number of folds the second half has one more.
    """
    sizes = np.asarray(images)
    filled = np.flatnonzero(sizes > 0)
    if len(filled) < 2:
        raise ValueError(f"halving needs two folds with images, got {len(filled)}")
    generator = np.random.default_rng(seed)
    order = generator.permuted(np.tile(filled, (splits, 1)), axis=1)
    weights = np.zeros((splits, 2, len(sizes)), np.int64)
    rows = np.arange(splits)[:, None]
    weights[rows, 0, order[:, : len(filled) // 2]] = 1
    weights[rows, 1, order[:, len(filled) // 2 :]] = 1
    return weights


@dataclass(frozen=True)
class Resampling:
    """All weightings of the folds under which the models are looked at.

    Attributes
    ----------
    sizes
        Images in each fold that holds any, (F,).
    whole
        Every image once, (1, folds).
    without
        All but one of the folds with images, (F, folds).
    bootstrap
        Folds drawn with replacement, (draws, folds).
    halves
        Random halvings, (splits, 2, folds).
    """

    sizes: NDArray[np.int64]
    whole: NDArray[np.int64]
    without: NDArray[np.int64]
    bootstrap: NDArray[np.int64]
    halves: NDArray[np.int64]

    def stacked(self) -> NDArray[np.int64]:
        """All weightings under each other, (weightings, folds)."""
        return np.concatenate([self.whole, self.without, self.bootstrap, self.halves.reshape(-1, self.whole.shape[1])])

    def split(self, values: NDArray[Any]) -> Resampled:
        """Take apart what was computed under `stacked()`, (weightings, ...)."""
        ends = np.cumsum([1, len(self.without), len(self.bootstrap)])
        whole, without, drawn, halves = np.split(values, ends)
        return Resampled(whole[0], without, drawn, halves.reshape(*self.halves.shape[:2], *values.shape[1:]))


@dataclass(frozen=True)
class Resampled:
    """A quantity of shape (...) under all weightings of a `Resampling`.

    Attributes
    ----------
    whole
        (...), from all images.
    without
        (F, ...), without each fold.
    bootstrap
        (draws, ...).
    halves
        (splits, 2, ...).
    """

    whole: NDArray[Any]
    without: NDArray[Any]
    bootstrap: NDArray[Any]
    halves: NDArray[Any]

    def map(self, function: Callable[[NDArray[Any]], NDArray[Any]]) -> Resampled:
        """Apply a function that keeps leading axes to all parts."""
        return Resampled(function(self.whole), function(self.without), function(self.bootstrap), function(self.halves))


def resampling(images: ArrayLike, draws: int, splits: int, seed: int = 0) -> Resampling:
    """Weightings for the jackknife, the bootstrap and the noise floor, from the images in each fold."""
    sizes = np.asarray(images, dtype=np.int64)
    filled = np.flatnonzero(sizes > 0)
    bootstrap = bootstrap_weights(sizes, draws, seed)
    return Resampling(
        sizes[filled],
        np.ones((1, len(sizes)), np.int64),
        1 - np.eye(len(sizes), dtype=np.int64)[filled],
        bootstrap,
        half_weights(sizes, splits, seed + 1),
    )


def drawn(images: NDArray[np.int64], settings: Settings, path: PathLike) -> Resampling:
    """The weightings of the folds under which a study looks at its models, the same wherever they are needed.

    Parameters
    ----------
    images
        Images in each fold, (G,).
    settings
        Draws, splits and seed.
    path
        The file that holds them, for the message.

    Raises
    ------
    UserError
        If fewer than four folds hold images.
    """
    filled = int((images > 0).sum())
    if filled < 4:
        raise UserError(
            f"{path} holds {int(images.sum())} images in {filled} folds, expected at least 4 folds with "
            "images for intervals; use more images or more folds (analyses.concepts.folds)."
        )
    return resampling(images, settings.bootstrap, settings.splits, derive_seed(settings.seed, "lce"))


@dataclass(frozen=True)
class Estimate:
    """A quantity from all images with its standard error and interval, all of one shape."""

    value: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def estimate(values: Resampled, sizes: ArrayLike, level: float = 0.95, nonnegative: bool = False) -> Estimate:
    """Interval of a count or distance, which jumps where a unit crosses the threshold.

    Two standard errors are formed and the larger is taken: the delete-one-fold jackknife, which is 0 when no single
    fold tips a unit, and the delete-half jackknife (Shao and Wu 1989), made for statistics that jump, which misses
    what only shows at the full size. The half-width is Student's quantile with folds - 1 degrees of freedom.

    Parameters
    ----------
    values
        The quantity under all weightings.
    sizes
        Images in each fold that was left out, (F,).
    level
        Coverage of the interval.
    nonnegative
        Cut the interval off at 0.
    """
    whole = np.asarray(values.whole, dtype=np.float64)
    one = jackknife_interval(whole, values.without, sizes, level)
    # The difference of two halves varies four times as much as the whole: each half twice, and there are two.
    difference = np.asarray(values.halves[:, 0], dtype=np.float64) - values.halves[:, 1]
    half_error = np.sqrt((difference**2).mean(axis=0)) / 2
    error = np.maximum(one.standard_error, half_error)
    width = student_quantile(0.5 + level / 2, len(np.asarray(sizes)) - 1) * error
    low = whole - width
    return Estimate(whole, error, np.maximum(low, 0.0) if nonnegative else low, whole + width)


@dataclass(frozen=True)
class NoiseFloor:
    """How far apart one model lies from itself when seen through two disjoint halves of the images.

    Attributes
    ----------
    mean
        Mean over the halvings, (models,).
    high
        Upper quantile over the halvings at the level asked for, (models,).
    """

    mean: NDArray[np.float64]
    high: NDArray[np.float64]

    def of_pairs(self) -> NDArray[np.float64]:
        """The larger `high` of two models, (models, models): a shorter distance is no evidence of a difference.

        A floor from halves is strict: two halves differ by more noise than two models seen through all images.
        """
        return np.maximum(self.high[:, None], self.high)


def noise_floor(distances: ArrayLike, level: float = 0.95) -> NoiseFloor:
    """Noise floor from the distances between the two halves, (splits, models)."""
    gaps = np.asarray(distances, dtype=np.float64)
    return NoiseFloor(gaps.mean(axis=0), np.quantile(gaps, level, axis=0))


@dataclass(frozen=True)
class Ellipse:
    """A region of the map: centre (x, y), full lengths of its two axes, and the angle of the first in degrees."""

    centre: tuple[float, float]
    axes: tuple[float, float]
    angle: float


def ellipse(centre: ArrayLike, replicates: ArrayLike, folds: int, level: float = 0.95) -> Ellipse:
    """Confidence region around a point of the map from its bootstrap replicates.

    The replicates' covariance is that of a mean over few folds: it is widened by folds / (folds - 1), which drawing
    with replacement takes away, and the radius is Hotelling's, for a covariance estimated from that many folds.

    Parameters
    ----------
    centre
        The point, (2,).
    replicates
        The point in each draw, (draws, 2).
    folds
        Number of folds that were drawn from, at least 2.
    level
        Coverage of the region.
    """
    point, cloud = np.asarray(centre, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
    values, vectors = np.linalg.eigh(np.cov(cloud.T) * folds / (folds - 1))
    # T^2 = 2 (n - 1) / (n - 2) F(2, n - 2) at n folds; the quantile of F with 2 degrees is a power.
    freedom = max(folds - 2, 1)
    radius = math.sqrt((folds - 1) * ((1 - level) ** (-2 / freedom) - 1))
    lengths = 2 * radius * np.sqrt(np.maximum(values[::-1], 0.0))
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])) % 180
    return Ellipse((float(point[0]), float(point[1])), (float(lengths[0]), float(lengths[1])), angle)

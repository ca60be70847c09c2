"""How well the best unit of a layer tells each concept when images are drawn again, all draws at once.

An AUROC is no sum over images, but it is one over pairs of images, and so over pairs of folds. For image x let R_h(x)
be its place among the images of fold h (those below it and half of those equal), and Q_gh the sum of R_h over the
images of fold g that hold the concept. Two images that both hold it add the same to the sum whichever of them is
higher, so that with weights w of the folds, and P images with and M without the concept under these weights,

    AUROC(w) = (sum over g, h of w_g w_h Q_gh - P^2 / 2) / (P M)

exactly. The sums are formed once; every further weighting costs one product.

The best of many units lies above chance even where none knows anything, more so with few images, which would move all
models towards each other. So every second fold chooses the unit and the others judge it, then the reverse, and the two
are averaged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.files import open_patterns
from intermodel.engine.errors import UserError
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import drawn
from intermodel.statistics.folds import folds_of
from intermodel.store import PathLike, align, create, open_file, plain_attributes, require

# Elements of one block of units; bounds the memory.
BLOCK_ELEMENTS = 4_000_000
# What must be the same where weightings are made and where they are used.
DRAWN_BY = ("bootstrap", "splits", "seed")


def fold_pair_sums(
    values: NDArray[np.floating], labels: NDArray[np.bool_], fold: NDArray[np.integer], folds: int
) -> NDArray[np.float64]:
    """The sums Q_gh of units and concepts.

    Parameters
    ----------
    values
        (N, U) activations of units on images.
    labels
        (N, L) whether each image holds each concept.
    fold, folds
        Fold of each image, (N,), and their number G.

    Returns
    -------
    array
        (G, G, U, L), multiples of one half.
    """
    units = values.shape[1]
    place = np.empty((len(values), folds, units))
    for unit in range(units):
        _, which = np.unique(values[:, unit], return_inverse=True)
        # Images of each fold with each of the different values, and below it.
        equal = np.zeros((int(which.max(initial=-1)) + 1, folds))
        np.add.at(equal, (which, fold), 1.0)
        below = np.cumsum(equal, axis=0) - equal
        place[:, :, unit] = (below + equal / 2)[which]
    result = np.empty((folds, folds, units, labels.shape[1]))
    for number in range(folds):
        inside = fold == number
        sums = place[inside].reshape(int(inside.sum()), -1).T @ labels[inside].astype(np.float64)
        result[number] = sums.reshape(folds, units, -1)
    return result


def best_auroc(
    values: NDArray[np.floating],
    labels: NDArray[np.bool_],
    fold: NDArray[np.integer],
    weights: NDArray[np.integer],
) -> NDArray[np.float64]:
    """AUROC of the best unit for each concept under weightings of the folds, chosen and judged on different images.

    Parameters
    ----------
    values, labels, fold
        As for `fold_pair_sums`.
    weights
        How often each fold counts, (W, G).

    Returns
    -------
    array
        (W, L); NaN where no image, or every image, of one of the two parts holds the concept under the weighting.
    """
    folds, concepts = weights.shape[1], labels.shape[1]
    with_ = np.stack([labels[fold == number].sum(axis=0) for number in range(folds)]).astype(np.float64)
    images = np.bincount(fold, minlength=folds)[:, None]
    # w_g w_h serves Q_gh and Q_hg.
    rows, columns = np.triu_indices(folds)
    parts = [part.astype(np.float64) for part in alternate(weights)]
    positives = [part @ with_ for part in parts]
    pairs = [held * (part @ (images - with_)) for held, part in zip(positives, parts, strict=True)]
    # Of the unit that each part chooses: what it reaches there, and in the other part; pairs of images in order.
    chosen = np.full((2, len(weights), concepts), -np.inf)
    judged = np.zeros_like(chosen)
    size = max(1, BLOCK_ELEMENTS // max(1, max(len(values) * folds, (2 * len(weights) + folds**2) * concepts)))
    for start in range(0, values.shape[1], size):
        sums = fold_pair_sums(values[:, start : start + size], labels, fold, folds)
        both = sums[rows, columns] + np.where(rows == columns, 0.0, 1.0)[:, None, None] * sums[columns, rows]
        total = [
            np.tensordot(part[:, rows] * part[:, columns], both, axes=1) - (held**2 / 2)[:, None, :]
            for part, held in zip(parts, positives, strict=True)
        ]
        for number, (own, other) in enumerate(((0, 1), (1, 0))):
            unit = total[own].argmax(axis=1)[:, None, :]
            here, there = (np.take_along_axis(total[part], unit, axis=1)[:, 0] for part in (own, other))
            better = here > chosen[number]
            chosen[number] = np.where(better, here, chosen[number])
            judged[number] = np.where(better, there, judged[number])
    defined = (pairs[0] > 0) & (pairs[1] > 0)
    # What the first part chooses is judged by the pairs of the second.
    scores = [found / np.where(defined, number, 1.0) for found, number in zip(judged, pairs[::-1], strict=True)]
    return np.where(defined, (scores[0] + scores[1]) / 2, np.nan)


def alternate(weights: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Take weightings, (W, G), apart: the folds that count go to the first and the second part by turns."""
    first = np.cumsum(weights > 0, axis=1) % 2 == 1
    return np.where(first, weights, 0), np.where(first, 0, weights)


def resample_auroc(
    features: PathLike, patterns: PathLike, path: PathLike, folds: int, settings: Mapping[str, Any]
) -> None:
    """Write the best AUROC of one layer under all weightings that the embedding draws: `best`, (W, L), `images`, (G,).

    Parameters
    ----------
    features
        Feature file of the layer.
    patterns
        Label maps of the data set.
    path
        The HDF5 file to write.
    folds
        Folds of images, as in the tallies.
    settings
        bootstrap, splits and seed of the embedding.

    Raises
    ------
    UserError
        If features and patterns were made from different states of the data set, or too few folds hold images.
    """
    from intermodel.concepts.auroc import images_holding, read_layer  # with SciPy, which readers do without

    choices = Settings.of(settings)
    with open_patterns(patterns) as (known, about):
        pooled = read_layer(features, patterns, about)
        labels = images_holding(pooled, known, about)[align(pooled.ids, known.ids, str(patterns))]
        names = known.vocabulary
    fold = folds_of(pooled.ids, folds)
    images = np.bincount(fold, minlength=folds)
    best = best_auroc(pooled.values, labels, fold, drawn(images, choices, str(features)).stacked())
    origin = {name: pooled.attributes[name] for name in ("dataset", "model", "layer") if name in pooled.attributes}
    with create(path, **origin, **_drawn_by(choices), **names.attributes()) as file:
        file["images"] = images
        file.create_dataset("best", data=best, compression="gzip", shuffle=True)


def read_resampled(path: PathLike, images: NDArray[np.int64], settings: Settings) -> NDArray[np.float64]:
    """Read what `resample_auroc` has written, (W, L).

    Parameters
    ----------
    path
        The file.
    images, settings
        Images in each fold and the choices with which the tallies are resampled: they must be the same.

    Raises
    ------
    UserError
        If the file is missing, or was made with other images or draws.
    """
    with open_file(path) as file:
        require(file, "best", "images")
        made = {name: plain_attributes(file).get(name) for name in DRAWN_BY}
        if made != _drawn_by(settings) or not np.array_equal(file["images"][...], images):
            raise UserError(
                f"{path} was made with other images, folds or draws than the tallies; delete it, run again."
            )
        return np.asarray(file["best"][...], dtype=np.float64)


def _drawn_by(settings: Settings) -> dict[str, int]:
    return {name: getattr(settings, name) for name in DRAWN_BY}

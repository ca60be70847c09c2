"""Plain forms of the tally, one line of the definition after the other: what the tests compare with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.sums import Sums, folds_of
from intermodel.concepts.upsampling import Geometry, geometry, upsample
from intermodel.concepts.vocabulary import Vocabulary


def loop_tally(
    maps: NDArray[np.floating],
    threshold: NDArray[np.float64],
    layers: NDArray[np.integer],
    vocabulary: Vocabulary,
    ids: NDArray[np.str_],
    image_labels: Sequence[NDArray[np.integer]] | None = None,
    valid: NDArray[np.bool_] | None = None,
    boxes: NDArray[np.float64] | None = None,
    folds: int = 16,
) -> Sums:
    """Image by image and unit by unit: enlarge, compare, count each label under the mask.

    Parameters
    ----------
    maps
        (N, U, h, w) activations.
    threshold
        (U,) thresholds.
    layers
        (N, S, H, W) label numbers, 0 = unlabelled.
    vocabulary
        The labels.
    ids
        (N,) image ids.
    image_labels, valid, boxes
        Whole-image labels of each image, (N, H, W) pixels that count, (N, 4) parts that the maps cover.
    folds
        Number of folds.

    Returns
    -------
    Sums
        With the folds on the leading axis.
    """
    count, units = maps.shape[:2]
    fold = folds_of(ids, folds)
    sums = Sums.zeros((folds,), units, len(vocabulary), len(vocabulary.categories))
    for i in range(count):
        grid, inside = _visible(maps, layers, i, valid, boxes)
        label = label_masks(layers[i], vocabulary, None if image_labels is None else image_labels[i])[:, inside]
        has = _add_areas(sums, fold[i], label, vocabulary)
        for u in range(units):
            mask = np.zeros(inside.shape, dtype=np.bool_)
            mask[grid.covered] = upsample(maps[i, u], grid) > threshold[u]
            active = mask[inside]
            sums.unit_area[fold[i], u] += active.sum()
            sums.unit_area_category[fold[i], u] += active.sum() * has
            sums.intersection[fold[i], u] += label[:, active].sum(axis=1)
    return sums


def product_tally(
    maps: NDArray[np.floating],
    threshold: NDArray[np.float64],
    layers: NDArray[np.integer],
    vocabulary: Vocabulary,
    ids: NDArray[np.str_],
    image_labels: Sequence[NDArray[np.integer]] | None = None,
    valid: NDArray[np.bool_] | None = None,
    boxes: NDArray[np.float64] | None = None,
    folds: int = 16,
) -> Sums:
    """Image by image: one product of the matrix of unit masks with the matrix of label masks.

    Parameters and result as for `loop_tally`. Sums in float32 are exact below 2^24 pixels.
    """
    units = maps.shape[1]
    fold = folds_of(ids, folds)
    sums = Sums.zeros((folds,), units, len(vocabulary), len(vocabulary.categories))
    for i, values in enumerate(maps):
        grid, inside = _visible(maps, layers, i, valid, boxes)
        label = label_masks(layers[i], vocabulary, None if image_labels is None else image_labels[i])[:, inside]
        has = _add_areas(sums, fold[i], label, vocabulary)
        mask = np.zeros((units, *inside.shape), dtype=np.bool_)
        mask[:, *grid.covered] = upsample(values, grid) > threshold[:, None, None]
        active = mask[:, inside]
        area = active.sum(axis=1)
        sums.unit_area[fold[i]] += area
        sums.unit_area_category[fold[i]] += area[:, None] * has
        sums.intersection[fold[i]] += (active.astype(np.float32) @ label.T.astype(np.float32)).astype(np.int64)
    return sums


def label_masks(
    layers: NDArray[np.integer], vocabulary: Vocabulary, image_labels: NDArray[np.integer] | None = None
) -> NDArray[np.bool_]:
    """(L, H, W) bool: where each label holds in one image, in any of its layers (S, H, W) or as a whole."""
    masks = (layers[None] == vocabulary.numbers[:, None, None, None]).any(axis=1)
    if image_labels is not None:
        masks[np.isin(vocabulary.numbers, image_labels)] = True
    return np.asarray(masks)


def _visible(
    maps: NDArray[np.floating],
    layers: NDArray[np.integer],
    image: int,
    valid: NDArray[np.bool_] | None,
    boxes: NDArray[np.float64] | None,
) -> tuple[Geometry, NDArray[np.bool_]]:
    size = (layers.shape[2], layers.shape[3])
    box = None if boxes is None else tuple(boxes[image].tolist())
    grid = geometry((maps.shape[2], maps.shape[3]), size, box)
    inside = np.zeros(size, dtype=np.bool_)
    inside[grid.covered] = True
    if valid is not None:
        inside &= valid[image]
    return grid, inside


def _add_areas(sums: Sums, fold: int, label: NDArray[np.bool_], vocabulary: Vocabulary) -> NDArray[np.bool_]:
    area = label.sum(axis=1)
    has = np.array([(area[vocabulary.category == k] > 0).any() for k in range(len(vocabulary.categories))])
    sums.images[fold] += 1
    sums.pixels[fold] += label.shape[1]
    sums.pixels_category[fold] += label.shape[1] * has
    sums.label_area[fold] += area
    sums.label_images[fold] += area > 0
    return has

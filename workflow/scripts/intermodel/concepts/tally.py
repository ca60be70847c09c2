"""Counting units against concepts: the exact tally of Network Dissection (Bau et al. 2017), one pass over the maps.

For every unit u and label c the tally holds the pixels in which the unit is active and the label holds, the area of
each, and the unit's area on images of each category. All are whole numbers and sums over images: they do not depend on
the order of the images or on how they are batched, and tallies of parts add up. Images are put into folds by a hash of
their id, so that intervals (leave out one fold) need no second pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.activity import active_runs, runs_of_masks, runs_of_owners
from intermodel.concepts.counter import Activity, Counter
from intermodel.concepts.patterns import Patterns
from intermodel.concepts.sums import Sums
from intermodel.concepts.thresholds import check_finite
from intermodel.concepts.top import Top
from intermodel.concepts.upsampling import Geometry, geometry, upsample
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError

# Values of maps and pixels of label maps held at a time; they bound the memory and do not change the result.
BATCH_VALUES = 4_000_000
BATCH_PIXELS = 2_000_000


class ImageMaps(Protocol):
    """Maps that can be read by images, as `intermodel.store.Maps`."""

    ids: NDArray[np.str_]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, units, height, width."""
        ...

    def images(self, start: int, stop: int) -> NDArray[np.float32]:
        """Maps of some images."""
        ...


@dataclass(frozen=True)
class Tally:
    """Counts of one layer on one data set.

    Attributes
    ----------
    vocabulary
        The labels.
    threshold
        (U,) float64 threshold of each unit; NaN where masks are not made by thresholds.
    folds
        `Sums` with the folds on the leading axis.
    shuffled
        `Sums` of the wrong pairings on the leading axis (none: length 0).
    top_images, top_values
        (U, k) int32 rows of the images with the largest spatial maxima, and float32 maxima, largest first.
    """

    vocabulary: Vocabulary
    threshold: NDArray[np.float64]
    folds: Sums
    shuffled: Sums
    top_images: NDArray[np.int32]
    top_values: NDArray[np.float32]

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.threshold)


def tally(
    maps: ImageMaps,
    patterns: Patterns,
    threshold: NDArray[np.float64] | None,
    *,
    boxes: NDArray[np.float64] | None = None,
    folds: int = 16,
    top_images: int = 8,
    shuffles: int = 0,
    batch: int | None = None,
    advance: Callable[[int], None] = lambda images: None,
) -> Tally:
    """Count active units against labels.

    Parameters
    ----------
    maps
        A reader of (N, U, h, w) activations.
    patterns
        Label maps of the same images in the same order (`Patterns`).
    threshold
        (U,) thresholds: a unit is active where its enlarged map exceeds its own. None: in every pixel the unit with
        the largest enlarged map is active and no other (ties: the first); for the outputs of segmentation networks.
    boxes
        (N, 4) left, top, right, bottom of the part of each label map that the maps cover, in its pixels; pixels
        whose centre lies outside are left out of all counts. Everything if omitted.
    folds
        Number of folds.
    top_images
        Images kept for each unit.
    shuffles
        Number of control tallies in which every image meets the label map of another one.
    batch
        Images held at a time; chosen by their size if omitted.
    advance
        Called with the number of images of each finished batch.

    Raises
    ------
    UserError
        If the images differ, or an activation is not finite (argmax; otherwise `unit_thresholds` has checked).
    """
    images, units, height, width = maps.shape
    _check(maps.ids, patterns, boxes)
    if threshold is not None and threshold.shape != (units,):
        raise UserError(f"There are {len(threshold)} thresholds for {units} units; expected one for each.")
    counter = Counter(patterns, units, folds, shuffles)
    top = Top(units, top_images)
    pixels = patterns.size[0] * patterns.size[1]
    per_image = units * (pixels if threshold is None else height * width)
    batch = batch or max(1, min(BATCH_VALUES // per_image, BATCH_PIXELS // pixels))
    for start in range(0, images, batch):
        stop = min(images, start + batch)
        block = maps.images(start, stop)
        if threshold is None:
            check_finite(block, maps.ids[start:stop])
        peak = block.reshape(stop - start, units, -1).max(axis=2)
        top.add(peak, start)
        for members, grid in _geometries(None if boxes is None else boxes[start:stop], block, patterns.size):
            if threshold is None:
                activity = _largest(block[members], grid)
            else:
                activity = _exceeding(block[members], peak[members], threshold, grid)
            counter.add(start + members, activity, grid)
        advance(stop - start)
    level = np.full(units, np.nan) if threshold is None else np.asarray(threshold, dtype=np.float64)
    return Tally(patterns.vocabulary, level, counter.folds, counter.shuffled, top.images, top.values)


def tally_masks(
    masks: Callable[[int, int], NDArray[np.bool_]] | NDArray[np.bool_],
    patterns: Patterns,
    units: int | None = None,
    *,
    folds: int = 16,
    shuffles: int = 0,
    batch: int | None = None,
) -> Tally:
    """Count masks that are given directly against labels, e.g. predicted segmentations at native resolution.

    Parameters
    ----------
    masks
        (N, U, H, W) bool, or a function of (start, stop) that returns the masks of those images.
    patterns
        Label maps of the same images in the same order.
    units
        U; needed if `masks` is a function.
    folds, shuffles, batch
        As for `tally`.
    """
    given = masks
    read = given if callable(given) else lambda start, stop: given[start:stop]
    if units is None:
        if callable(given):
            raise UserError("tally_masks needs the number of units when the masks are given by a function.")
        units = given.shape[1]
    counter = Counter(patterns, units, folds, shuffles)
    pixels = patterns.size[0] * patterns.size[1]
    batch = batch or max(1, BATCH_VALUES * 4 // (pixels * units))
    grid = geometry(patterns.size, patterns.size)
    for start in range(0, len(patterns), batch):
        stop = min(len(patterns), start + batch)
        block = read(start, stop)
        if block.shape != (stop - start, units, *patterns.size):
            raise UserError(
                f"The masks of images {start} to {stop - 1} have the shape {block.shape}, expected "
                f"{(stop - start, units, *patterns.size)} as the label maps."
            )
        counter.add(np.arange(start, stop), [(*_pairs(stop - start, units), runs_of_masks(block))], grid)
    none = np.zeros((units, 0))
    return Tally(
        patterns.vocabulary,
        np.full(units, np.nan),
        counter.folds,
        counter.shuffled,
        none.astype(np.int32),
        none.astype(np.float32),
    )


def merge(tallies: Sequence[Tally], top_images: int = 8) -> Tally:
    """Add tallies of disjoint images, made with the same thresholds; rows of images count through in that order.

    Of the strongest images of each unit `top_images` are kept, at most as many as the parts hold. Control tallies pair
    images within each part only, so their sums are not those of one tally of all images.

    Raises
    ------
    UserError
        If thresholds or vocabularies differ.
    """
    first = tallies[0]
    for other in tallies[1:]:
        if not np.array_equal(first.threshold, other.threshold, equal_nan=True):
            raise UserError("The tallies were made with different thresholds; only tallies of one layer can be added.")
        if first.vocabulary.names != other.vocabulary.names:
            raise UserError("The tallies have different tables of concepts; only tallies of one data set can be added.")
    folds, shuffled = first.folds, first.shuffled
    for other in tallies[1:]:
        folds, shuffled = folds + other.folds, shuffled + other.shuffled
    top = Top(first.units, top_images)
    begin = 0
    for part in tallies:
        top.merge(part.top_images + begin, part.top_values)
        begin += int(part.folds.images.sum())
    return Tally(first.vocabulary, first.threshold, folds, shuffled, top.images, top.values)


def _exceeding(
    block: NDArray[np.float32], peak: NDArray[np.float32], threshold: NDArray[np.float64], grid: Geometry
) -> Iterator[Activity]:
    """Activity of units above their thresholds; `peak`, (n, U), is the largest value of each map."""
    images, units, height, width = block.shape
    # Maps that never exceed their threshold hold no active pixel.
    live = np.flatnonzero(peak > threshold)
    image, unit = np.divmod(live, units)
    maps = block.reshape(images * units, height, width).take(live, axis=0)
    for part, runs in active_runs(maps, threshold.take(unit), image, grid):
        yield image[part], unit[part], runs


def _largest(block: NDArray[np.float32], grid: Geometry) -> Iterator[Activity]:
    """Activity of the unit with the largest enlarged value in each pixel."""
    images, units = block.shape[:2]
    owner = np.full((images, *grid.size), -1, dtype=np.intp)
    if block.shape[2:] == grid.size and grid.whole:
        owner[:] = block.argmax(axis=1)
    else:
        for number, maps in enumerate(block):
            owner[number][grid.covered] = upsample(maps, grid).argmax(axis=0)
    yield (*_pairs(images, units), runs_of_owners(owner, units))


def _pairs(images: int, units: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Image and unit of all pairs, images first."""
    return np.repeat(np.arange(images), units), np.tile(np.arange(units), images)


def _geometries(
    boxes: NDArray[np.float64] | None, block: NDArray[np.float32], size: tuple[int, int]
) -> Iterator[tuple[NDArray[np.intp], Geometry]]:
    """Images of a batch whose maps lie alike on their label maps, with that geometry."""
    map_size = (block.shape[2], block.shape[3])
    if boxes is None:
        yield np.arange(len(block)), geometry(map_size, size)
        return
    different, group = np.unique(boxes, axis=0, return_inverse=True)
    for number, (left, top, right, bottom) in enumerate(different.tolist()):
        yield np.flatnonzero(group.reshape(-1) == number), geometry(map_size, size, (left, top, right, bottom))


def _check(ids: NDArray[np.str_], patterns: Patterns, boxes: NDArray[np.float64] | None) -> None:
    if not np.array_equal(ids, patterns.ids):
        raise UserError(
            f"The maps of {len(ids)} images and the label maps of {len(patterns)} images do not follow the same image "
            "ids; join them by id first (Patterns.take with intermodel.store.align)."
        )
    if boxes is None:
        return
    if boxes.shape != (len(ids), 4):
        raise UserError(f"boxes has the shape {boxes.shape}, expected {(len(ids), 4)}: left, top, right, bottom.")
    height, width = patterns.size
    inside = (boxes[:, :2] >= 0) & (boxes[:, :2] < boxes[:, 2:]) & (boxes[:, 2:] <= (width, height))
    if not inside.all():
        row = int(np.flatnonzero(~inside.all(axis=1))[0])
        raise UserError(
            f"The maps of image {str(ids[row])!r} cover the box {boxes[row].tolist()} (left, top, right, bottom) of a "
            f"label map of {width}x{height} pixels; expected a box inside it."
        )

"""Counting units against concepts: the exact tally of Network Dissection (Bau et al. 2017), one pass over the maps.

For every unit u and label c the tally holds the pixels in which the unit is active and the label holds, the area of
each, and the unit's area on images of each category. All are whole numbers and sums over images: they do not depend on
the order of the images or on how they are batched, and tallies of parts add up. Images are put into folds by a hash of
their id, so that intervals (leave out one fold) need no second pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.activity import activity, given
from intermodel.concepts.counter import Counter
from intermodel.concepts.patterns import Patterns
from intermodel.concepts.result import Tally
from intermodel.concepts.rotation import Rotation, rotate
from intermodel.concepts.sums import Sums
from intermodel.concepts.thresholds import check_finite
from intermodel.concepts.top import Top
from intermodel.concepts.upsampling import geometry
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


def images_held(shape: tuple[int, int, int, int], size: tuple[int, int]) -> int:
    """How many images of maps, (N, U, h, w), and of label maps of `size` are held at a time."""
    return max(1, min(BATCH_VALUES // (shape[1] * shape[2] * shape[3]), BATCH_PIXELS // (size[0] * size[1])))


def tally(
    maps: ImageMaps,
    patterns: Patterns,
    threshold: NDArray[np.float64] | None,
    *,
    boxes: NDArray[np.float64] | None = None,
    folds: int = 16,
    top_images: int = 8,
    shuffles: int = 0,
    rotations: Sequence[Rotation] = (),
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
    rotations
        Rotations of the units that are tallied as well, with the thresholds of the rotated units.
    batch
        Images held at a time; chosen by their size if omitted.
    advance
        Called with the number of images of each finished batch.

    Raises
    ------
    UserError
        If the images differ, or an activation is not finite (argmax; otherwise `unit_thresholds` has checked).
    """
    images, units = maps.shape[:2]
    _check(maps.ids, patterns, boxes)
    if threshold is not None and threshold.shape != (units,):
        raise UserError(f"There are {len(threshold)} thresholds for {units} units; expected one for each.")
    running = RunningTally(
        patterns,
        units,
        threshold,
        boxes=boxes,
        folds=folds,
        top_images=top_images,
        shuffles=shuffles,
        rotations=rotations,
    )
    batch = batch or images_held(maps.shape, patterns.size)
    for start in range(0, images, batch):
        running.add(start, maps.images(start, min(images, start + batch)))
        advance(min(batch, images - start))
    return running.result()


class RunningTally:
    """The tally of maps that come in batches; parameters as for `tally`.

    Beside the maps of a batch it holds ``8 * (folds + shuffles) * units * labels`` bytes of counts and ``4 * units *
    top_images * h * w`` of maps, whatever the number of images.
    """

    def __init__(
        self,
        patterns: Patterns,
        units: int,
        threshold: NDArray[np.float64] | None,
        *,
        boxes: NDArray[np.float64] | None = None,
        folds: int = 16,
        top_images: int = 8,
        shuffles: int = 0,
        rotations: Sequence[Rotation] = (),
    ) -> None:
        self._patterns, self._threshold, self._boxes, self._rotations = patterns, threshold, boxes, rotations
        self._turned = [Counter(patterns, units, 1, 0) for _ in rotations]
        self._counter = Counter(patterns, units, folds, shuffles)
        self._top = Top(units, top_images)

    def add(self, start: int, block: NDArray[np.floating]) -> None:
        """Count the images from `start`, (n, U, h, w).

        Raises
        ------
        UserError
            If an activation is not finite.
        """
        if self._threshold is None:
            check_finite(block, self._patterns.ids[start : start + len(block)])
        self._top.add(block, start, _margin(block) if self._threshold is None else None)
        boxes = None if self._boxes is None else self._boxes[start : start + len(block)]
        for members, grid, found in activity(block, self._threshold, boxes, self._patterns.size):
            self._counter.add(start + members, found, grid)
        self._add_rotated(start, block)

    def _add_rotated(self, start: int, block: NDArray[np.floating]) -> None:
        boxes = None if self._boxes is None else self._boxes[start : start + len(block)]
        for rotation, counter in zip(self._rotations, self._turned, strict=True):
            turned = rotate(block, rotation.matrix)
            for members, grid, found in activity(turned, rotation.threshold, boxes, self._patterns.size):
                counter.add(start + members, found, grid)

    def result(self) -> Tally:
        """The tally of all batches."""
        top = self._top
        folds = self._counter.folds
        level = np.full(len(top.values), np.nan) if self._threshold is None else self._threshold.astype(np.float64)
        return Tally(
            self._patterns.vocabulary,
            level,
            folds,
            self._counter.shuffled,
            top.images,
            top.values,
            top.maps,
            Sums.stack([counter.folds.total() for counter in self._turned]) if self._turned else folds.none(),
        )


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
    known = masks
    read = known if callable(known) else lambda start, stop: known[start:stop]
    if units is None:
        if callable(known):
            raise UserError("tally_masks needs the number of units when the masks are given by a function.")
        units = known.shape[1]
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
        counter.add(np.arange(start, stop), given(block), grid)
    none = np.zeros((units, 0))
    return Tally(
        patterns.vocabulary,
        np.full(units, np.nan),
        counter.folds,
        counter.shuffled,
        none.astype(np.int32),
        none.astype(np.float32),
        np.zeros((units, 0, 0, 0), dtype=np.float32),
        counter.folds.none(),
    )


def _margin(block: NDArray[np.floating]) -> NDArray[np.floating]:
    """What each unit's map exceeds the largest of the others by, (n, U, h, w); of one unit alone the map itself."""
    if block.shape[1] == 1:
        return block
    second, first = np.split(np.partition(block, -2, axis=1)[:, -2:], 2, axis=1)
    return np.asarray(block - np.where(block == first, second, first))


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

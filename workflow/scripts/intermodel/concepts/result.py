"""What a tally finds, and how the tallies of parts add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.sums import Sums
from intermodel.concepts.top import Top
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError


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
    top_maps
        (U, k, h, w) float32 raw maps of the unit on those images; without thresholds what they exceed the largest of
        the other units by.
    rotated
        `Sums` of randomly rotated units, with their own thresholds, with the rotations on the leading axis.
    """

    vocabulary: Vocabulary
    threshold: NDArray[np.float64]
    folds: Sums
    shuffled: Sums
    top_images: NDArray[np.int32]
    top_values: NDArray[np.float32]
    top_maps: NDArray[np.float32]
    rotated: Sums

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.threshold)


def merge(tallies: Sequence[Tally], top_images: int = 8, *, of_one: bool = False) -> Tally:
    """Add tallies of disjoint images, made with the same thresholds; rows of images count through in that order.

    Of the strongest images of each unit `top_images` are kept, at most as many as the parts hold. Control tallies pair
    images within each part only, so their sums are not those of one tally of all images, unless the parts are `of_one`
    data set: made with the label maps of all its images, so that rows are those of the whole already.

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
    folds, shuffled, rotated = first.folds, first.shuffled, first.rotated
    for other in tallies[1:]:
        folds, shuffled, rotated = folds + other.folds, shuffled + other.shuffled, rotated + other.rotated
    top = Top(first.units, top_images)
    begin = 0
    for part in tallies:
        rows, maps = part.top_images + (0 if of_one else begin), part.top_maps
        top.merge(rows, part.top_values, lambda unit, place, maps=maps: maps[unit, place])  # type: ignore[misc]
        begin += int(part.folds.images.sum())
    return Tally(first.vocabulary, first.threshold, folds, shuffled, top.images, top.values, top.maps, rotated)

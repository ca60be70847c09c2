"""How many pixels satisfy formulas and carry each label: among all pixels, and among those where units are active.

Counts are sums over images, taken batch by batch, so that memory does not depend on the number of images and batches
change no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.activity import activity
from intermodel.concepts.areas import batches, pattern_pixels
from intermodel.concepts.formulas import AND, Formula
from intermodel.concepts.kernels import add_formulas, add_pairs, count_patterns
from intermodel.concepts.patterns import Patterns
from intermodel.concepts.tally import ImageMaps, images_held

# Active pixels of all units that are kept between passes, if they take no more; otherwise they are found anew.
HELD_MB = 64


@dataclass(frozen=True)
class Met:
    """Patterns of one image that neighbouring units are active on, as `kernels.add_formulas` takes them.

    Attributes
    ----------
    part, first
        The part of the images that this one belongs to, and the first of the units.
    offset, pattern, pixels
        As from `kernels.count_patterns`.
    label_offset, label
        The labels of each pattern.
    """

    part: int
    first: int
    offset: NDArray[np.int64]
    pattern: NDArray[np.int32]
    pixels: NDArray[np.int64]
    label_offset: NDArray[np.int64]
    label: NDArray[np.int32]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, field.name).nbytes for field in fields(self)[2:])


class FormulaCounts:
    """Counts over the images of a data set and the maps of one layer.

    Parameters
    ----------
    maps, patterns, threshold, boxes
        As for `tally.tally`.
    part
        (N,) number of the part that each image belongs to, from 0; parts are counted apart.
    """

    def __init__(
        self,
        maps: ImageMaps,
        patterns: Patterns,
        threshold: NDArray[np.float64] | None,
        part: NDArray[np.integer],
        boxes: NDArray[np.float64] | None = None,
    ) -> None:
        self._maps, self._patterns, self._threshold, self._boxes = maps, patterns, threshold, boxes
        self._part = part.astype(np.intp)
        self.parts, self.labels = int(part.max(initial=0)) + 1, len(patterns.vocabulary)
        self._held: list[Met] | None = None

    def pairs(self) -> NDArray[np.int64]:
        """Pixels that carry two labels, (parts, L, L), in one pass over the label maps."""
        row = np.full((self.labels, self.labels), -1, dtype=np.int32)
        np.fill_diagonal(row, np.arange(self.labels))
        return self._with_pairs(row, self.labels)

    def triples(self, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
        """Pixels that carry two labels, the smaller first, and each label, (parts, pairs, L), in one such pass."""
        row = np.full((self.labels, self.labels), -1, dtype=np.int32)
        row[tuple(np.array(pairs, dtype=np.intp).reshape(-1, 2).T)] = np.arange(len(pairs))
        return self._with_pairs(row, len(pairs))

    def active_with_each(
        self, formulas: Sequence[Sequence[Formula]], units: slice
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Active pixels of units that satisfy formulas of one or two labels and carry each label.

        One pass over the maps and the label maps; `HELD_MB` of it are kept for the next if that is all there is.

        Parameters
        ----------
        formulas
            For each of the U units of the layer its formulas; none for units outside the range `units`.

        Returns
        -------
        offset, counts
            (U + 1,) and (parts, formulas, L): formulas of unit u are offset[u] to offset[u + 1].
        """
        offset = np.cumsum([0, *map(len, formulas)])
        # A single label is itself AND itself.
        table = np.array(
            [
                (each.labels[0], each.labels[-1], *(each.operators or (AND,)))
                for own in formulas
                for each in own
            ],
            dtype=np.int32,
        ).reshape(-1, 3)  # fmt: skip
        total = np.zeros((self.parts, len(table), self.labels), dtype=np.int64)
        for met in self._met(units):
            own = offset[met.first : met.first + len(met.offset)]
            add_formulas(
                met.offset, met.pattern, met.pixels, met.label_offset, met.label, own, table, total[met.part]
            )  # fmt: skip
        return offset, total

    def _with_pairs(self, row: NDArray[np.int32], rows: int) -> NDArray[np.int64]:
        total = np.zeros((self.parts, rows, self.labels), dtype=np.int64)
        for images, taken in batches(self._patterns):
            pixels = pattern_pixels(taken, None if self._boxes is None else self._boxes[images])
            part = np.repeat(self._part[images], np.diff(taken.pattern_offset))
            add_pairs(pixels, part, taken.label_offset, taken.label.astype(np.int32), row, total)
        return total

    def _met(self, units: slice) -> Iterator[Met]:
        everything = units == slice(0, self._maps.shape[1])
        if everything and self._held is not None:
            yield from self._held
            return
        kept, room = [], HELD_MB * 2**20 if everything else 0
        for met in self._found(units):
            yield met
            room -= met.nbytes
            if room >= 0:
                kept.append(met)
            else:
                kept.clear()
        if room >= 0 and everything:
            self._held = kept

    def _found(self, units: slice) -> Iterator[Met]:
        images = self._maps.shape[0]
        batch = images_held(self._maps.shape, self._patterns.size)
        # Which unit is the largest is a matter of all units.
        level, chosen = (None, slice(None)) if self._threshold is None else (self._threshold[units], units)
        for start in range(0, images, batch):
            rows = np.arange(start, min(images, start + batch))
            block = self._maps.images(start, start + len(rows))[:, chosen]
            taken = self._patterns.take(rows)
            drawn, label = taken.drawn(), taken.label.astype(np.int32)
            boxes = None if self._boxes is None else self._boxes[rows]
            for members, _, found in activity(block, level, boxes, taken.size):
                for active in found:
                    place = members[active.image]
                    first, stop = taken.pattern_offset[place : place + 2]
                    offset, pattern, pixels = count_patterns(active.offset, active.pixel, drawn[place], stop - first)
                    begin, end = taken.label_offset[[first, stop]]
                    yield Met(
                        int(self._part[start + place]),
                        (chosen.start or 0) + active.first,
                        offset,
                        pattern.copy(),
                        pixels.copy(),
                        taken.label_offset[first : stop + 1] - begin,
                        label[begin:end].copy(),
                    )

"""The tally of maps that lie on a device: the same counts as on the processor, made where the network left the maps.

Active cells are found, enlarged in blocks and added into the table of units and labels by scattered additions of whole
numbers, whose order cannot matter. Each product, sum and comparison is an operation of its own in float64, in the
order of `upsampling`; none may be replaced by `lerp`, `addcmul` or a compiled graph, which would fuse a product with a
sum and round once where the definition rounds twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermodel.concepts.activity import layouts
from intermodel.concepts.counter import Batch, Counter
from intermodel.concepts.patterns import Patterns, ranges
from intermodel.concepts.result import Tally
from intermodel.concepts.tally import RunningTally
from intermodel.concepts.upsampling import Cells, Geometry

# Cells that are looked at, and pixels of active cells that are enlarged, at a time. They bound what is held beside maps
# and tables: some 300 MB where everything is active.
CELLS = 1 << 22
PIXELS = 1 << 21


class DeviceTally(RunningTally):
    """The tally of maps that come in batches on a device; parameters as for `tally`, thresholds given.

    The tables, ``8 * (folds + shuffles) * units * (labels + 1)`` bytes, lie on the device. Of the maps, those of the
    top images go to the memory of the machine; all of them do so only for rotations, whose products the device would
    round in another way.

    Parameters
    ----------
    device
        Where the maps lie.
    """

    def __init__(
        self,
        patterns: Patterns,
        units: int,
        threshold: NDArray[np.float64],
        *,
        device: torch.device,
        **options: Any,
    ) -> None:
        super().__init__(patterns, units, threshold, **options)
        self._tables = _Tables(self._counter, device)
        self._level = torch.from_numpy(np.asarray(threshold, dtype=np.float64)).to(device)

    def add(self, start: int, block: torch.Tensor) -> None:  # type: ignore[override]
        """Count the images from `start`, (n, U, h, w) of any floating dtype, finite, on the device."""
        count = len(block)
        rows = np.arange(start, start + count, dtype=np.int32)
        values = block.amax(dim=(2, 3)).float().cpu().numpy().T
        self._top.merge(
            np.broadcast_to(rows, values.shape),
            values,
            lambda unit, image: _host(block[_to(image, block.device), _to(unit, block.device)]),
        )
        boxes = None if self._boxes is None else self._boxes[start : start + count]
        for members, grid in layouts(count, (block.shape[2], block.shape[3]), boxes, self._patterns.size):
            held = block if len(members) == count else block[_to(members, block.device)]
            self._tables.add(start + members, held, self._level, grid)
        if self._rotations:
            self._add_rotated(start, _host(block))

    def result(self) -> Tally:
        """The tally of all batches, which ends it."""
        self._tables.finish()
        return super().result()


class _Tables:
    """Intersections of units and labels on a device, on their way into the sums of a `Counter`."""

    def __init__(self, counter: Counter, device: torch.device) -> None:
        self._counter, self._device = counter, device
        self._sums = (counter.folds, counter.shuffled)
        # One more column takes what carries no label.
        self._shape = [(len(sums), sums.unit_area.shape[1], sums.label_area.shape[1] + 1) for sums in self._sums]
        self._flat = [torch.zeros(prod(shape), dtype=torch.int64, device=device) for shape in self._shape]

    def add(self, rows: NDArray[np.intp], maps: torch.Tensor, level: torch.Tensor, grid: Geometry) -> None:
        """Count the images `rows`, whose maps lie on their label maps as `grid` says."""
        batches = self._counter.batches(rows, grid)
        on_device = [
            _DeviceBatch(batch, self._flat[batch.sums is self._counter.shuffled], self._device) for batch in batches
        ]
        for image, unit, pixel in pixels_above(maps, level, grid):
            for batch in on_device:
                batch.count(image, unit, pixel)
        for batch in on_device:
            batch.finish()

    def finish(self) -> None:
        """Add everything to the counter's sums."""
        for sums, flat, shape in zip(self._sums, self._flat, self._shape, strict=True):
            sums.intersection[:] += flat.view(shape)[..., :-1].cpu().numpy()
            flat.zero_()


class _DeviceBatch:
    """A `Batch` whose label maps lie on a device."""

    def __init__(self, batch: Batch, table: torch.Tensor, device: torch.device) -> None:
        self._batch, self._table = batch, table
        patterns, labels = batch.patterns, len(batch.patterns.vocabulary)
        self._width, self._units = labels + 1, batch.area.shape[1]
        self._pattern = torch.from_numpy(batch.pattern).to(device)
        self._first = _to(patterns.pattern_offset[:-1], device)
        self._target = _to(batch.target, device)
        # The labels of each pattern side by side, filled up with the column that stands for none.
        many = np.diff(patterns.label_offset)
        label = np.full((int(many.max(initial=0)), len(many)), labels, dtype=np.int64)
        label[ranges(np.zeros_like(many), many), np.repeat(np.arange(len(many)), many)] = patterns.label
        self._label = torch.from_numpy(label).to(device)
        self._area = torch.zeros(batch.area.size, dtype=torch.int64, device=device)

    def count(self, image: torch.Tensor, unit: torch.Tensor, pixel: torch.Tensor) -> None:
        """Count active pixels, given by int64 positions."""
        pattern = self._pattern[image, pixel].long()
        self._area.scatter_add_(0, image * self._units + unit, (pattern > 0).long())
        pattern += self._first[image]
        row = (self._target[image] * self._units + unit) * self._width
        one = row.new_ones(1).expand_as(row)
        for label in self._label:
            self._table.scatter_add_(0, row + label[pattern], one)

    def finish(self) -> None:
        """Add the areas of labels and units to the sums."""
        self._batch.area[:] = self._area.view(self._batch.area.shape).cpu().numpy()
        self._batch.finish()


def pixels_above(
    maps: torch.Tensor, level: torch.Tensor, grid: Geometry
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Where enlarged maps, (n, U, h, w), exceed the thresholds, (U,) float64, of their units.

    Yields int64 positions of image, unit and pixel, counted row by row through a label map, on the device of the maps.
    The device is waited for once for each block of images, and of active cells, to learn how much is active.
    """
    rows, columns = _Line(grid.rows, maps.device), _Line(grid.columns, maps.device)
    images = max(1, CELLS // max(1, maps.shape[1] * len(rows.low) * len(columns.low)))
    cells = max(1, PIXELS // max(1, rows.fraction.shape[1] * columns.fraction.shape[1]))
    for first in range(0, len(maps), images):
        part = maps[first : first + images]
        # Values and thresholds are compared as float64.
        above = part > level[:, None, None]
        lines = above[:, :, rows.low] | above[:, :, rows.high]
        corner = lines[..., columns.low] | lines[..., columns.high]
        found = corner.nonzero()
        for begin in range(0, len(found), cells):
            image, unit, row, column = found[begin : begin + cells].unbind(1)
            limit = level[unit]
            north, south, share = rows.low[row], rows.high[row], rows.fraction[row]
            left, right = (
                _between(part[image, unit, north, side].double(), part[image, unit, south, side].double(), share)
                for side in (columns.low[column], columns.high[column])
            )
            live = torch.maximum(left, right) > limit[:, None]
            value = _between(left, right, columns.fraction[column][:, None, :])
            active = (value > limit[:, None, None]) & live[..., None]
            cell, line, place = active.nonzero().unbind(1)
            y, x = rows.start[row[cell]] + line, columns.start[column[cell]] + place
            yield first + image[cell], unit[cell], y * grid.size[1] + x


class _Line:
    """`Cells` of one axis on a device."""

    def __init__(self, cells: Cells, device: torch.device) -> None:
        self.low, self.high, self.start = (_to(places, device) for places in (cells.low, cells.high, cells.start))
        # Beyond the pixels of a cell fractions are NaN, and nothing made from them exceeds anything.
        self.fraction = torch.from_numpy(cells.fraction).to(device)


def _between(a: torch.Tensor, b: torch.Tensor, fraction: torch.Tensor) -> torch.Tensor:
    """a + fraction (b - a) with a new last axis, rounded after each step."""
    a = a[..., None]
    rise = b[..., None] - a
    share = fraction * rise
    return a + share


def _to(places: NDArray[np.integer], device: torch.device) -> torch.Tensor:
    return torch.from_numpy(np.asarray(places, dtype=np.int64)).to(device)


def _host(maps: torch.Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = maps.float().cpu().numpy()
    return values

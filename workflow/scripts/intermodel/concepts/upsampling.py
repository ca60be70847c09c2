"""Bilinear enlargement of activation maps to the size of the label maps.

Output pixel o of n_out reads the source coordinate (o + 1/2) n_in / n_out - 1/2, clamped to the map: half-pixel
centres with edge clamp, as in ``torch.nn.functional.interpolate(mode="bilinear", align_corners=False)``.

All forms of the tally use one order of evaluation in float64, first along y, then along x, each as ``a + f (b - a)``,
so they agree to the bit. This form never leaves the interval between a and b: with f < 1 - 2^-50 the rounded product is
a share below 1 of the exact difference, and rounding the sum keeps order. A plateau at the threshold therefore stays
at the threshold, and Network Dissection's strict > finds nothing there; matrix products and ``(1 - f) a + f b`` exceed
it by a unit in the last place on part of the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Axis:
    """What the pixels first, first + 1, ... of one axis read: samples `low` and `high`, mixed by `fraction`.

    Attributes
    ----------
    first
        The first pixel whose centre lies within the part of the axis that the map covers.
    low, high
        (n,) intp sample indices on either side, equal at the clamped edges.
    fraction
        (n,) float64 in [0, 1), the weight of `high`.
    """

    first: int
    low: NDArray[np.intp]
    high: NDArray[np.intp]
    fraction: NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """An axis cut into the intervals between neighbouring samples, with the pixels that lie in each.

    Attributes
    ----------
    low, high
        (n,) intp samples at the two ends.
    start, count
        (n,) intp first pixel and number of pixels (at least one).
    fraction
        (n, most) float64 fractions of the pixels, NaN beyond `count`.
    """

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    start: NDArray[np.intp]
    count: NDArray[np.intp]
    fraction: NDArray[np.float64]


@lru_cache(maxsize=4096)
def axis(samples: int, pixels: int, start: float, stop: float) -> Axis:
    """Geometry of one axis.

    Parameters
    ----------
    samples
        Length of the map.
    pixels
        Length of the label map.
    start, stop
        The part of the label map that the map covers, in pixels, 0 <= start < stop <= pixels. (A network that sees a
        central crop of an image has maps of that crop.)
    """
    centre = np.arange(pixels) + 0.5
    inside = np.flatnonzero((centre > start) & (centre < stop))
    coordinate = (centre[inside] - start) * samples / (stop - start) - 0.5
    lower = np.floor(coordinate)
    cell = lower.astype(np.intp)
    return Axis(
        int(inside[0]) if len(inside) else 0,
        np.clip(cell, 0, samples - 1),
        np.clip(cell + 1, 0, samples - 1),
        coordinate - lower,
    )


@lru_cache(maxsize=4096)
def cells(samples: int, pixels: int, start: float, stop: float) -> Cells:
    """The same geometry by cells; arguments as for `axis`."""
    line = axis(samples, pixels, start, stop)
    # The first and the last cell have equal ends, so a cell is told by both.
    begin = np.flatnonzero(np.diff(line.low + line.high, prepend=-1))
    count = np.diff(np.append(begin, len(line.low)))
    fraction = np.full((len(begin), int(count.max(initial=0))), np.nan)
    for row, (first, number) in enumerate(zip(begin, count, strict=True)):
        fraction[row, :number] = line.fraction[first : first + number]
    return Cells(line.low[begin], line.high[begin], line.first + begin, count, fraction)


@dataclass(frozen=True)
class Geometry:
    """How maps lie on label maps of `size` (H, W): along y and x, by pixels and by cells."""

    size: tuple[int, int]
    y: Axis
    x: Axis
    rows: Cells
    columns: Cells

    @property
    def covered(self) -> tuple[slice, slice]:
        """The pixels that the maps cover."""
        return (
            slice(self.y.first, self.y.first + len(self.y.low)),
            slice(self.x.first, self.x.first + len(self.x.low)),
        )

    @property
    def whole(self) -> bool:
        """Whether that is every pixel."""
        return (len(self.y.low), len(self.x.low)) == self.size


def geometry(
    map_size: tuple[int, int], size: tuple[int, int], box: tuple[float, float, float, float] | None = None
) -> Geometry:
    """How maps of `map_size` (h, w) lie on label maps of `size` (H, W).

    Parameters
    ----------
    map_size, size
        Height and width of the maps and of the label maps.
    box
        Left, top, right, bottom of what the maps cover, in pixels of the label map; everything if omitted.
    """
    left, top, right, bottom = box or (0.0, 0.0, float(size[1]), float(size[0]))
    y, x = (map_size[0], size[0], top, bottom), (map_size[1], size[1], left, right)
    return Geometry(size, axis(*y), axis(*x), cells(*y), cells(*x))


def upsample(maps: ArrayLike, grid: Geometry) -> NDArray[np.float64]:
    """Enlarge maps, (..., h, w), to the covered pixels, (..., H, W) float64.

    Every value lies between the four samples around it.
    """
    values = np.asarray(maps, dtype=np.float64)
    upper, lower = values[..., grid.y.low, :], values[..., grid.y.high, :]
    lines = upper + grid.y.fraction[:, None] * (lower - upper)
    left, right = lines[..., grid.x.low], lines[..., grid.x.high]
    return np.asarray(left + grid.x.fraction * (right - left))

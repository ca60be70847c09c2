"""Paint shapes back to front, then shade every pixel once.

While shapes are painted, each pixel only remembers which surface it shows, where on that surface it lies and how much
light falls there. Colour, pattern and material are looked up at the end, for the visible surfaces alone, at twice the
resolution of the image. Positions are in units of 1/64 of the scene's side, whatever the size of the image.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from intermodel.data.scenes.surfaces import DETAILS, PATTERNS, PERIODS, TILE, detail_atlas, pattern_atlas
from intermodel.data.scenes.vocabulary import NUMBER

SIDE = 64.0  # side of the scene in its own units
SUPERSAMPLING = 2

Color = tuple[float, float, float]
#: float32 throughout; the types of NumPy do not follow a product with a Python number.
FloatMap = NDArray[np.floating]

_PATTERN = {name: index for index, name in enumerate(PATTERNS)}
_DETAIL = {name: index for index, name in enumerate(DETAILS)}
WINDOWS = _PATTERN["windows"]
_OFFSET = np.float32(TILE * 1024)


class Surface(NamedTuple):
    """What a shape is made of and what it is called.

    Attributes
    ----------
    color, second
        RGB in 0..1: the ground and, where there is a pattern, its other colour.
    object, part, material, texture
        Labels; empty where there is none.
    pattern
        Name of the pattern if it is not a texture.
    period
        Length of the pattern's period in scene units.
    angle
        Rotation of pattern and material in radians.
    grain
        Length of one tile of the material's detail in scene units.
    receding
        Whether pattern and material fade with the distance that the background has set.
    """

    color: Color
    object: str = ""
    part: str = ""
    material: str = ""
    texture: str = ""
    second: Color | None = None
    pattern: str = ""
    period: float = 8.0
    angle: float = 0.0
    grain: float = 28.0
    receding: bool = False


@lru_cache(maxsize=8)
def _interpolation(size: int, knots: int) -> FloatMap:
    """(size, knots) weights of cubic interpolation between equally spaced knots."""
    position = np.linspace(1, knots - 2, size)
    distance = np.abs(position[:, None] - np.arange(knots)[None, :])
    spline = np.where(distance < 1, 2 / 3 - distance**2 + distance**3 / 2, np.maximum(0, 2 - distance) ** 3 / 6)
    return spline.astype(np.float32)


class Canvas:
    """The scene as seen through a square window with its corner at (left, top) and side SIDE / zoom."""

    def __init__(
        self, size: int, generator: np.random.Generator, left: float = 0.0, top: float = 0.0, zoom: float = 1.0
    ) -> None:
        n = self.n = SUPERSAMPLING * size
        self.step = SIDE / zoom / n
        self.left, self.top = left, top
        self.x: FloatMap = (left + (np.arange(n, dtype=np.float32) + 0.5) * self.step).astype(np.float32)
        self.y: FloatMap = (top + (np.arange(n, dtype=np.float32) + 0.5) * self.step).astype(np.float32)[:, None]
        self.surface = np.zeros((n, n), np.int16)
        self.u = np.zeros((n, n), np.float32)
        self.v = np.zeros((n, n), np.float32)
        self.light = np.ones((n, n), np.float32)
        self.near = np.ones((n, n), np.float32)
        knots = 14
        weights = _interpolation(n, knots)
        self.noise: FloatMap = weights @ generator.standard_normal((knots, knots), np.float32) @ weights.T
        self.noise *= 1.6
        self.lamp = 0.3  # horizontal component of the light's direction, -1..1
        self.surfaces: list[Surface] = []

    def add(self, surface: Surface) -> int:
        """Register a surface; the number under which shapes show it."""
        self.surfaces.append(surface)
        return len(self.surfaces) - 1

    def window(self, x0: float, y0: float, x1: float, y1: float) -> tuple[slice, slice] | None:
        """Rows and columns whose pixel centres lie in a rectangle; None if there is none."""
        n, step = self.n, self.step
        a = max(0, int((x0 - self.left) / step + 0.5))
        b = min(n, int((x1 - self.left) / step + 0.5)) if x1 > self.left else 0
        c = max(0, int((y0 - self.top) / step + 0.5))
        d = min(n, int((y1 - self.top) / step + 0.5)) if y1 > self.top else 0
        return (slice(c, d), slice(a, b)) if a < b and c < d else None

    def box(
        self, surface: int, x0: float, y0: float, x1: float, y1: float, light: float = 1.0, turn: float = 0.15
    ) -> None:
        """An upright rectangle; `turn` is how much the light changes across it."""
        window = self.window(x0, y0, x1, y1)
        if window is None:
            return
        rows, columns = window
        u = self.x[columns] - (x0 + x1) / 2
        self.surface[window] = surface
        self.u[window] = u
        self.v[window] = self.y[rows] - y1
        self.light[window] = light + (turn * self.lamp * 2 / (x1 - x0)) * u

    def ellipse(
        self, surface: int, x: float, y: float, rx: float, ry: float,
        light: float = 1.0, round: float = 0.45, bump: float = 0.0, upper: bool = False,
    ) -> None:  # fmt: skip
        """An ellipse shaded like a ball; `bump` roughens its outline, `upper` keeps its upper half."""
        reach = 1 + 0.9 * bump
        window = self.window(x - rx * reach, y - ry * reach, x + rx * reach, y if upper else y + ry * reach)
        if window is None:
            return
        rows, columns = window
        dx, dy = self.x[columns] - x, self.y[rows] - y
        u, v = dx / rx, dy / ry
        radius = u * u + v * v
        inside = radius < 1 + bump * self.noise[window] if bump else radius < 1
        shade = (light + 0.12) - round * radius
        shade += (0.3 * self.lamp) * u - 0.18 * v
        self._write(window, inside, surface, dx, dy, shade)

    def taper(
        self, surface: int, x: float, top: float, bottom: float, upper: float, lower: float,
        lean: float = 0.0, light: float = 1.0, turn: float = 0.15,
    ) -> None:  # fmt: skip
        """A trapezium (triangle if `upper` or `lower` is 0): half-widths at top and bottom, `lean` moves the top."""
        half = max(upper, lower) + abs(lean)
        window = self.window(x - half, top, x + half, bottom)
        if window is None:
            return
        rows, columns = window
        dy = self.y[rows] - bottom
        rise = dy / (top - bottom)
        dx = self.x[columns] - (x + lean * rise)
        width = lower + (upper - lower) * rise
        inside = np.abs(dx) < width
        self._write(window, inside, surface, dx, dy, light + (turn * self.lamp / max(half, 1e-3)) * dx)

    def bar(self, surface: int, x0: float, y0: float, x1: float, y1: float, width: float, light: float = 1.0) -> None:
        """A straight stroke of a given width."""
        half = width / 2
        window = self.window(min(x0, x1) - half, min(y0, y1) - half, max(x0, x1) + half, max(y0, y1) + half)
        if window is None:
            return
        rows, columns = window
        length = max(float(np.hypot(x1 - x0, y1 - y0)), 1e-3)
        ex, ey = (x1 - x0) / length, (y1 - y0) / length
        dx, dy = self.x[columns] - x0, self.y[rows] - y0
        along, across = ex * dx + ey * dy, ex * dy - ey * dx
        inside = (np.abs(across) < half) & (along > -half) & (along < length + half)
        self._write(window, inside, surface, along, across, light + (0.2 / half) * across * (ex if ex else 1.0))

    def ridge(self, surface: int, height: FloatMap, light: FloatMap | float = 1.0) -> None:
        """Everything below a line, (n,) heights by column; `light` is a number or (n, n)."""
        window = self.window(-1e9, float(height.min()), 1e9, 1e9)
        if window is None:
            return
        rows, _ = window
        depth = self.y[rows] - height
        shade = light if isinstance(light, float) else light[rows]
        self._write(window, depth > 0, surface, np.broadcast_to(self.x, depth.shape), depth, shade)

    def plane(
        self, surface: int, horizon: float, x: float, top: float, bottom: float = 1e9, depth: float = 40.0,
        light: float = 1.0, stretch: float = 1.0,
    ) -> None:  # fmt: skip
        """A level plane that recedes to `horizon`, with its vanishing point at `x`; works for ceilings too.

        `depth` is the size of the plane's grain, `stretch` > 1 draws it out along the line of sight.
        """
        window = self.window(-1e9, top, 1e9, bottom)
        if window is None:
            return
        rows, _ = window
        away = np.maximum(np.abs(self.y[rows] - horizon), 0.4)
        self.surface[window] = surface
        self.u[window] = (self.x - x) * (depth * 0.6 / away)
        self.v[window] = (depth * 12 / stretch) / away
        near = np.minimum(away / 16, 1)
        self.near[window] = near
        self.light[window] = light * (0.82 + 0.18 * near)

    def sides(
        self, surface: int, x: float, y: float, above: float, below: float, nearest: float, farthest: float,
        side: int = 0,
    ) -> None:  # fmt: skip
        """Walls to the left and right of the vanishing point (x, y), between two slopes and two distances from it.

        `side` -1 or 1 paints only the left or the right one.
        """
        x0, x1 = (x if side > 0 else -1e9), (x if side < 0 else 1e9)
        if farthest < 1e9:
            x0, x1 = (x + nearest, x + farthest) if side > 0 else (x - farthest, x - nearest)
        window = self.window(x0, -1e9, x1, 1e9)
        if window is None:
            return
        rows, columns = window
        away = np.maximum(np.abs(self.x[columns] - x), 0.4)
        slope = (self.y[rows] - y) / away
        inside = (slope > above) & (slope < below)
        near = np.minimum(away / 12, 1)
        depth = np.broadcast_to(240 / away, inside.shape)
        turn = 1 + 0.25 * self.lamp * np.sign(self.x[columns] - x)
        light = np.broadcast_to((0.8 + 0.2 * near) * turn, inside.shape)
        self._write(window, inside, surface, depth, slope * 16, light)
        np.copyto(self.near[window], near, where=inside)

    def shadow(self, x: float, y: float, rx: float, ry: float, strength: float = 0.5) -> None:
        """Darken what has been painted so far, softly, in an ellipse."""
        window = self.window(x - rx, y - ry, x + rx, y + ry)
        if window is None:
            return
        rows, columns = window
        u, v = (self.x[columns] - x) / rx, (self.y[rows] - y) / ry
        self.light[window] *= 1 - strength * np.minimum(np.maximum(1.5 - 1.5 * (u * u + v * v), 0), 1)

    def _write(
        self, window: tuple[slice, slice], inside: NDArray[np.bool_], surface: int,
        u: FloatMap, v: FloatMap, light: FloatMap | float,
    ) -> None:  # fmt: skip
        np.copyto(self.surface[window], surface, where=inside, casting="unsafe")
        np.copyto(self.u[window], u, where=inside)
        np.copyto(self.v[window], v, where=inside)
        np.copyto(self.light[window], light, where=inside, casting="same_kind")

    def labels(self) -> NDArray[np.uint8]:
        """Label numbers at the centres of the image's pixels, (4, size, size): object, part, material, texture."""
        table = np.array(
            [
                [
                    NUMBER.get((category, getattr(surface, category)), 0)
                    for category in ("object", "part", "material", "texture")
                ]
                for surface in self.surfaces
            ],
            np.uint8,
        )
        # A pixel takes the surface of its sample to the lower right of its centre.
        shown = self.surface[1::SUPERSAMPLING, 1::SUPERSAMPLING]
        layers = np.ascontiguousarray(table[shown].transpose(2, 0, 1))
        kinds = np.array([_PATTERN[surface.pattern] == WINDOWS for surface in self.surfaces])
        if kinds.any():
            pane = kinds[shown] & (self._pattern[1::SUPERSAMPLING, 1::SUPERSAMPLING] > 0)
            layers[1][pane] = NUMBER["part", "window"]
            layers[2][pane] = NUMBER["material", "glass"]
        return layers

    def shade(self, haze: Color, haziness: float = 0.5) -> FloatMap:
        """Colours of all samples, (n, n, 3), unbounded; call before `labels`."""
        shown = self.surface.ravel()
        rows = [
            (
                _PATTERN[surface.texture or surface.pattern],
                _DETAIL[surface.material],
                np.cos(surface.angle),
                np.sin(surface.angle),
                # A pattern lies on the material; the material's own grain then runs level.
                1.0 if surface.texture else np.cos(surface.angle),
                0.0 if surface.texture else np.sin(surface.angle),
                TILE / PERIODS / surface.period,
                TILE / surface.grain,
                surface.receding,
                *surface.color,
                *(surface.second or surface.color),
            )
            for surface in self.surfaces
        ]
        table = np.array(rows, np.float32)
        u, v = self.u.ravel(), self.v.ravel()
        near = 1 - table[:, 8].take(shown) * (1 - self.near.ravel())
        tiles = table[:, :2].astype(np.int32) * (TILE * TILE)
        pattern = pattern_atlas().take(tiles[:, 0].take(shown) + _address(u, v, shown, *table[:, [2, 3, 6]].T))
        pattern *= near
        self._pattern = pattern.reshape(self.n, self.n)
        detail = detail_atlas().take(tiles[:, 1].take(shown) + _address(u, v, shown, *table[:, [4, 5, 7]].T))
        detail *= near
        light = self.light.ravel() * (1 + detail)
        veil = haziness * (1 - near)
        first, second = table[:, 9:12], table[:, 12:15]
        middle, swing = (first + second) / 2, (second - first) / 2
        image = np.empty((3, self.n, self.n), np.float32)
        for channel in range(3):
            value = middle[:, channel].take(shown) + swing[:, channel].take(shown) * pattern
            value *= light
            value += veil * (haze[channel] - value)
            image[channel] = value.reshape(self.n, self.n)
        return image


def _address(
    u: FloatMap, v: FloatMap, shown: NDArray[np.int16], cosine: FloatMap, sine: FloatMap, scale: FloatMap
) -> NDArray[np.int32]:
    """Position of the turned and scaled (u, v) in a flattened tile that repeats; the last three are by surface."""
    cosine, sine = (cosine * scale).take(shown), (sine * scale).take(shown)
    # The offset makes the numbers positive, where truncation is the floor.
    column = (cosine * u + sine * v + _OFFSET).astype(np.int32) & (TILE - 1)
    row = (cosine * v - sine * u + _OFFSET).astype(np.int32) & (TILE - 1)
    return np.asarray((row << 7) | column)

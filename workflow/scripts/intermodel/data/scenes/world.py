"""Chance and colour: what one scene draws from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from intermodel.data.scenes.canvas import Canvas, Color, Surface
from intermodel.data.scenes.vocabulary import TEXTURES

Item = TypeVar("Item")

_POOL = 256

#: Centres of the hues that palettes are drawn from, in turns: warm ones as often as cold ones.
_HUES = (0.0, 0.03, 0.09, 0.12, 0.15, 0.17, 0.3, 0.41, 0.58, 0.65, 0.77, 0.84, 0.93)


class Dice:
    """Uniform draws from a generator, fetched in bulk since one at a time is slow."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._pool: list[float] = []

    def draw(self) -> float:
        """A number in 0..1."""
        if not self._pool:
            self._pool = self._generator.random(_POOL).tolist()
        return self._pool.pop()

    def between(self, low: float, high: float) -> float:
        """A number in low..high."""
        return low + (high - low) * self.draw()

    def count(self, low: int, high: int) -> int:
        """A whole number from low to high, both possible."""
        return low + int(self.draw() * (high - low + 1))

    def one(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[int(self.draw() * len(items))]

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self.draw() < probability

    def sign(self) -> float:
        """-1 or 1."""
        return 1.0 if self.draw() < 0.5 else -1.0


class World:
    """A canvas with a palette: a few hues, any of which can colour anything.

    Which colours a scene has is drawn independently of its kind, so that kinds cannot be told by colour.
    """

    def __init__(self, canvas: Canvas, dice: Dice) -> None:
        self.canvas, self.dice = canvas, dice
        self.hues = tuple(dice.one(_HUES) for _ in range(4))
        self.vividness = dice.between(0.4, 1.0)
        canvas.lamp = dice.between(0.4, 1.0) * dice.sign()
        self.haze = self.color(low=0.6, high=0.95)
        self.haziness = dice.between(0.2, 0.8)

    def color(self, low: float = 0.3, high: float = 1.0) -> Color:
        """A colour of the palette with a brightness between `low` and `high`."""
        dice = self.dice
        grey = dice.chance(0.15)
        saturation = dice.between(0.0, 0.12) if grey else dice.between(0.3, 1.0) * self.vividness
        # Bright colours more often than dark ones.
        value = low + (high - low) * dice.draw() ** 0.7
        return from_hsv(dice.one(self.hues) + dice.between(-0.04, 0.04), saturation, value)

    def contrast(self, color: Color) -> Color:
        """A colour that stands out from `color`."""
        other = self.color()
        brightness, own = sum(other) / 3, sum(color) / 3
        if abs(brightness - own) < 0.25:
            factor = 0.45 if own > 0.45 else min(2.0, 0.95 / max(brightness, 0.2))
            other = (min(1.0, other[0] * factor), min(1.0, other[1] * factor), min(1.0, other[2] * factor))
        return other

    def surface(
        self,
        object: str,
        part: str = "",
        material: str = "",
        patterned: float = 0.0,
        textures: Sequence[str] = TEXTURES,
        color: Color | None = None,
        period: float | None = None,
        angle: float | None = None,
        receding: bool = False,
        grain: float = 28.0,
        low: float = 0.3,
        high: float = 1.0,
    ) -> int:
        """A surface of that object; with probability `patterned` it carries one of `textures`."""
        dice = self.dice
        color = color or self.color(low, high)
        texture, second = "", None
        if patterned and dice.chance(patterned):
            texture, second = dice.one(textures), self.contrast(color)
        if angle is None:
            angle = dice.one((0.0, 0.0, 0.8, 1.57)) + dice.between(-0.15, 0.15) if texture else 0.0
        return self.canvas.add(
            Surface(
                color, object, part, material, texture, second, "",
                period or dice.between(4.0, 8.0), angle, grain, receding,
            )
        )  # fmt: skip


def from_hsv(hue: float, saturation: float, value: float) -> Color:
    """RGB of a hue (turns), saturation and value."""
    sector, position = divmod(hue % 1.0 * 6, 1)
    low = value * (1 - saturation)
    down, up = value * (1 - saturation * position), value * (1 - saturation * (1 - position))
    sectors = (
        (value, up, low),
        (down, value, low),
        (low, value, up),
        (low, down, value),
        (up, low, value),
        (value, low, down),
    )
    return sectors[int(sector) % 6]


def mix(first: Color, second: Color, share: float) -> Color:
    """`first` moved towards `second` by `share`."""
    return (
        first[0] + share * (second[0] - first[0]),
        first[1] + share * (second[1] - first[1]),
        first[2] + share * (second[2] - first[2]),
    )

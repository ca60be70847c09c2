"""The same scenes, seen otherwise: shifts of distribution for tests out of distribution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.data.scenes.canvas import FloatMap
from intermodel.data.scenes.world import Dice, from_hsv

#: What a study may ask for.
SHIFTS = ("none", "lighting", "palette", "background", "corruption")

#: What `background` repaints.
BACKDROPS = frozenset(
    ("sky", "sea", "sand", "grass", "field", "pavement", "road", "wall", "floor", "ceiling", "mountain", "dune")
)

CORRUPTIONS = ("noise", "blur", "pixels", "contrast", "occlusion")


def relight(image: FloatMap, dice: Dice, strength: float) -> FloatMap:
    """Night: one coloured light from one side, and little of it; image (3, H, W)."""
    side = image.shape[-1]
    angle = dice.between(0, 2 * np.pi)
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    ramp = 0.5 + np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
    tint = np.array(from_hsv(dice.draw(), dice.between(0.3, 0.7), 1.0), np.float32)[:, None, None]
    light = dice.between(0.1, 0.2) + dice.between(0.5, 0.9) * np.clip(ramp, 0, 1) ** 2
    return np.asarray(image * ((1 - strength) + strength * light.astype(np.float32) * tint), np.float32)


def recolor(image: FloatMap, dice: Dice, strength: float) -> FloatMap:
    """A print in two inks, half of the time as a negative; image (3, H, W)."""
    brightness = np.clip(0.3 * image[0] + 0.59 * image[1] + 0.11 * image[2], 0, 1)
    hue = dice.draw()
    dark = np.array(from_hsv(hue, dice.between(0.5, 1.0), dice.between(0.05, 0.35)), np.float32)
    light = np.array(from_hsv(hue + dice.between(0.3, 0.7), dice.between(0.2, 0.7), dice.between(0.8, 1.0)), np.float32)
    if dice.chance(0.5):
        dark, light = light, dark
    print_ = dark[:, None, None] + (light - dark)[:, None, None] * brightness
    return np.asarray((1 - strength) * image + strength * print_, np.float32)


def corrupt(image: FloatMap, dice: Dice, generator: np.random.Generator, strength: float) -> FloatMap:
    """One of `CORRUPTIONS`, drawn anew for each image; image (3, H, W)."""
    side = image.shape[-1]
    kind = dice.one(CORRUPTIONS)
    if kind == "noise":
        return image + np.float32(0.16 * strength) * generator.standard_normal(image.shape, np.float32)
    if kind == "blur":
        return _blur(image, 0.8 + 1.4 * strength * side / 64)
    if kind == "pixels":
        block = max(2, round(side / 64 * (2 + 2.5 * strength)))
        centre = np.minimum(np.arange(side) // block * block + block // 2, side - 1)
        return image[:, centre[:, None], centre[None, :]]
    if kind == "contrast":
        level = dice.between(0.25, 0.8)
        return np.asarray(level + (image - level) * (1 - 0.72 * strength), np.float32)
    image = image.copy()
    for _ in range(round(4 + 6 * strength)):
        height, width = (max(1, int(side * dice.between(0.08, 0.2))) for _ in range(2))
        top, left = int(dice.draw() * (side - height)), int(dice.draw() * (side - width))
        color = np.array([dice.draw(), dice.draw(), dice.draw()], np.float32)
        image[:, top : top + height, left : left + width] = color[:, None, None]
    return image


def _blur(image: FloatMap, radius: float) -> FloatMap:
    side = image.shape[-1]
    distance = np.arange(side)[:, None] - np.arange(side)[None, :]
    weights: NDArray[np.float64] = np.exp(-0.5 * (distance / radius) ** 2)
    weights /= weights.sum(1, keepdims=True)
    kernel = weights.astype(np.float32)
    return np.asarray(kernel @ image @ kernel.T, np.float32)

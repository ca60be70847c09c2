"""From (seed, split, index) to one image with its masks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intermodel.data.scenes.backdrops import foreground
from intermodel.data.scenes.canvas import SIDE, SUPERSAMPLING, Canvas, FloatMap
from intermodel.data.scenes.colors import name_colors
from intermodel.data.scenes.layouts import LAYOUTS
from intermodel.data.scenes.shifts import BACKDROPS, corrupt, recolor, relight
from intermodel.data.scenes.vocabulary import MATERIALS, SCENES, TEXTURES
from intermodel.data.scenes.world import Dice, World

#: Raised whenever the same parameters give other images.
VERSION = 1

_STREAMS = {"train": 0, "test": 1}


@dataclass(frozen=True)
class Scene:
    """One image and what is in it.

    Attributes
    ----------
    image
        (size, size, 3) uint8.
    layers
        (5, size, size) uint8 label numbers: color, object, part, material, texture; 0 = none.
    kind
        Index into `vocabulary.SCENES`: the class, and the scene label of the whole image.
    """

    image: NDArray[np.uint8]
    layers: NDArray[np.uint8]
    kind: int


def kind_of(seed: int, split: str, index: int) -> int:
    """The kind of scene: every ten consecutive images hold each kind once, in random order."""
    return _order(seed, split, index // len(SCENES))[index % len(SCENES)]


@lru_cache(maxsize=4096)
def _order(seed: int, split: str, block: int) -> tuple[int, ...]:
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, _STREAMS[split], block, 1))))
    return tuple(int(kind) for kind in generator.permutation(len(SCENES)))


def render(seed: int, split: str, index: int, size: int = 64, shift: str = "none", strength: float = 1.0) -> Scene:
    """Paint one scene.

    Parameters
    ----------
    seed
        Seed of the data set.
    split, index
        Which image; it does not depend on how many there are.
    size
        Side in pixels.
    shift, strength
        One of `shifts.SHIFTS` and how much of it, 0..1. Shapes, places and classes stay those of the unshifted scene.
    """
    streams = np.random.SeedSequence((seed, _STREAMS[split], index)).spawn(2)
    generator, other = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
    dice = Dice(generator)
    kind = kind_of(seed, split, index)
    zoom = 1 + dice.draw() ** 1.4
    room = SIDE - SIDE / zoom
    canvas = Canvas(size, generator, room * dice.draw(), room * dice.draw(), zoom)
    world = World(canvas, dice)
    LAYOUTS[kind](world)
    foreground(world)
    if shift == "background":
        _repaint(world, Dice(other), strength)
    samples = canvas.shade(world.haze, world.haziness)
    layers = canvas.labels()
    exposure, falloff, grain = dice.between(0.85, 1.25), dice.count(0, 3), dice.between(0.008, 0.045)
    mirrored = dice.chance(0.5)
    image = _average(samples) * (np.float32(exposure) * _vignette(size, falloff))
    if shift == "lighting":
        image = relight(image, Dice(other), strength)
    elif shift == "palette":
        image = recolor(image, Dice(other), strength)
    # Colours are named before the sensor's noise is added: a noisy grey wall is grey.
    colors = name_colors(_bytes(image))
    image = image + np.float32(grain) * generator.standard_normal(image.shape, np.float32)
    if shift == "corruption":
        image = corrupt(image, Dice(other), other, strength)
    pixels, stack = _bytes(image), np.concatenate([colors[None], layers])
    if mirrored:
        pixels, stack = pixels[:, ::-1], stack[:, :, ::-1]
    return Scene(np.ascontiguousarray(pixels), np.ascontiguousarray(stack), kind)


def _average(samples: FloatMap) -> FloatMap:
    """Mean of the samples of each pixel, (3, n, n) to (3, size, size)."""
    parts = [
        samples[:, row::SUPERSAMPLING, column::SUPERSAMPLING]
        for row in range(SUPERSAMPLING)
        for column in range(SUPERSAMPLING)
    ]
    total = parts[0] + parts[1]
    for part in parts[2:]:
        total += part
    return np.asarray(total * np.float32(1 / len(parts)))


def _bytes(image: FloatMap) -> NDArray[np.uint8]:
    """(3, H, W) floats to (H, W, 3) uint8."""
    return np.asarray(np.clip(image * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0))


@lru_cache(maxsize=16)
def _vignette(size: int, level: int) -> NDArray[np.float32]:
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    return np.asarray(1 - 0.07 * level * (axis[:, None] ** 2 + axis[None, :] ** 2) / 2, np.float32)


def _repaint(world: World, dice: Dice, strength: float) -> None:
    """Give backdrops materials and patterns that they never have."""
    surfaces = world.canvas.surfaces
    for index, surface in enumerate(surfaces):
        if surface.object in BACKDROPS and not surface.part and dice.chance(strength):
            surfaces[index] = surface._replace(
                material=dice.one(MATERIALS),
                texture=dice.one(TEXTURES) if dice.chance(0.7) else "",
                pattern="",
                second=(dice.draw(), dice.draw(), dice.draw()),
                period=dice.between(4, 10),
            )

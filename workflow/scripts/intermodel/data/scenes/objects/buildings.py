"""Buildings and what stands beside them.

Every function paints one thing that touches the ground at (x, y) and is some `size` units tall.
"""

from __future__ import annotations

from intermodel.data.scenes.canvas import Surface
from intermodel.data.scenes.objects.shared import WALLS, cast
from intermodel.data.scenes.world import World, mix


def house(world: World, x: float, y: float, size: float) -> None:
    """Walls, a roof, a door, windows and sometimes a chimney."""
    dice, canvas = world.dice, world.canvas
    half = size * dice.between(0.42, 0.75)
    eaves = y - size * dice.between(0.5, 0.65)
    walls = world.surface(
        "house", material=dice.one(WALLS), patterned=0.15, period=size * 0.25, grain=max(14, size * 1.3)
    )
    roof = world.surface(
        "house",
        "roof",
        dice.one(("wood", "stone", "metal")),
        patterned=0.5,
        textures=("scaly", "striped", "grid"),
        period=max(3.0, size * 0.2),
    )
    cast(world, x, y, half)
    if dice.chance(0.5):
        chimney = world.surface("house", "chimney", "brick", grain=14)
        left = x + dice.sign() * half * dice.between(0.2, 0.6)
        canvas.box(chimney, left - size * 0.05, y - size * 1.02, left + size * 0.06, eaves)
    canvas.box(walls, x - half, eaves, x + half, y)
    over = half * 1.13
    canvas.taper(roof, x, y - size, eaves + size * 0.03, over * dice.one((0.0, 0.0, 0.6)), over, light=0.95)
    glass = world.surface("house", "window", "glass", grain=max(8, size))
    frame = world.surface("house", "frame", "wood")
    width, height = half * 0.2, size * 0.15
    row = eaves + (y - eaves) * 0.38
    for place in ((-0.55, 0.55), (-0.6, 0.0, 0.6), (0.5,))[dice.count(0, 2)]:
        left = x + place * half
        canvas.box(frame, left - width - 0.4, row - height / 2 - 0.4, left + width + 0.4, row + height / 2 + 0.4)
        canvas.box(glass, left - width, row - height / 2, left + width, row + height / 2)
    door = world.surface("house", "door", "wood", grain=12)
    left = x + dice.between(-0.3, 0.3) * half
    canvas.box(door, left - half * 0.16, y - size * 0.27, left + half * 0.16, y)


def skyscraper(world: World, x: float, y: float, size: float, half: float) -> None:
    """A tower with rows of windows."""
    dice, canvas = world.dice, world.canvas
    color = world.color()
    body = canvas.add(
        Surface(
            color, "skyscraper", "", dice.one(("metal", "stone", "plaster", "brick")), "", world.contrast(color),
            "windows", dice.between(2.6, 5.5), 0.0, 24.0,
        )
    )  # fmt: skip
    top = y - size
    canvas.box(body, x - half, top, x + half, y, light=dice.between(0.8, 1.1), turn=0.25)
    style = dice.draw()
    if style < 0.4:
        mast = world.surface("skyscraper", "antenna", "metal")
        canvas.box(mast, x - 0.55, top - size * 0.3, x + 0.55, top)
    elif style < 0.6:
        roof = world.surface("skyscraper", "roof", "metal", color=mix(color, (0.2, 0.2, 0.2), 0.3))
        canvas.taper(roof, x, top - half * dice.between(0.5, 1.4), top, 0.0, half)
    elif style < 0.8:
        canvas.box(body, x - half * 0.6, top - size * 0.12, x + half * 0.6, top, turn=0.25)


def lighthouse(world: World, x: float, y: float, size: float) -> None:
    """A banded tower with a lamp."""
    canvas = world.canvas
    tower = world.surface(
        "lighthouse",
        material="plaster",
        patterned=1.0,
        textures=("striped", "banded", "chequered"),
        angle=0.0,
        period=size * 0.28,
    )
    shade = world.surface("lighthouse", "shade", "glass", color=(1.0, 0.95, 0.7))
    roof = world.surface("lighthouse", "roof", "metal")
    half = size * 0.12
    canvas.taper(tower, x, y - size * 0.8, y, half * 0.7, half * 1.2, turn=0.5)
    canvas.box(shade, x - half * 0.5, y - size * 0.9, x + half * 0.5, y - size * 0.8, light=1.15)
    canvas.taper(roof, x, y - size, y - size * 0.9, 0.0, half * 0.75)


def fence(world: World, x: float, y: float, size: float, width: float) -> None:
    """Posts joined by two rails."""
    canvas = world.canvas
    color = world.color()
    post = world.surface("fence", "post", "wood", color=color)
    rail = world.surface("fence", "rail", "wood", color=mix(color, (0, 0, 0), 0.15))
    for height in (0.35, 0.75):
        canvas.box(rail, x - width / 2, y - size * (height + 0.09), x + width / 2, y - size * (height - 0.09))
    step = size * world.dice.between(0.8, 1.4)
    at = x - width / 2
    while at <= x + width / 2:
        canvas.box(post, at - size * 0.09, y - size, at + size * 0.09, y, turn=0.4)
        at += step


def pier(world: World, x: float, y: float, size: float, width: float) -> None:
    """A deck on posts in the water."""
    canvas = world.canvas
    deck = world.surface("pier", material="wood", low=0.3, high=0.8, grain=16)
    post = world.surface("pier", "post", "wood", low=0.2, high=0.6, angle=1.57)
    at = x - width / 2 + size * 0.2
    while at < x + width / 2:
        canvas.box(post, at - size * 0.1, y - size, at + size * 0.1, y, turn=0.4)
        at += size * 1.1
    canvas.box(deck, x - width / 2, y - size * 1.25, x + width / 2, y - size * 0.85)

"""Plants, rocks, and what is in the sky.

Every function paints one thing that touches the ground at (x, y) and is some `size` units tall.
"""

from __future__ import annotations

from intermodel.data.scenes.objects.shared import cast
from intermodel.data.scenes.world import World, mix


def tree(world: World, x: float, y: float, size: float) -> None:
    """A trunk and a leafy crown."""
    dice, canvas = world.dice, world.canvas
    trunk = world.surface("tree", "trunk", "wood", low=0.2, high=0.6, angle=1.57, grain=16)
    crown = world.surface("tree", "crown", "foliage", high=0.85, grain=max(16, size))
    cast(world, x, y, size * 0.3)
    width = max(0.5, size * dice.between(0.04, 0.075))
    canvas.taper(trunk, x, y - size * 0.6, y, width * 0.7, width, lean=size * dice.between(-0.08, 0.08), turn=0.4)
    radius = size * dice.between(0.2, 0.28)
    for _ in range(dice.count(2, 4)):
        cx, cy = x + dice.between(-0.8, 0.8) * radius, y - size * dice.between(0.58, 0.78)
        canvas.ellipse(crown, cx, cy, radius, radius * 0.9, bump=0.5)


def pine(world: World, x: float, y: float, size: float) -> None:
    """A trunk under stacked triangles."""
    dice, canvas = world.dice, world.canvas
    trunk = world.surface("pine", "trunk", "wood", low=0.2, high=0.5, angle=1.57, grain=16)
    crown = world.surface("pine", "crown", "foliage", high=0.8, grain=max(14, size))
    cast(world, x, y, size * 0.22)
    canvas.box(trunk, x - size * 0.035 - 0.2, y - size * 0.25, x + size * 0.035 + 0.2, y, turn=0.4)
    half = size * dice.between(0.2, 0.3)
    for layer in range(3):
        bottom = y - size * (0.15 + 0.24 * layer)
        canvas.taper(
            crown, x, bottom - size * 0.38, bottom, 0.0, half * (1 - 0.24 * layer), light=0.9 + 0.08 * layer, turn=0.3
        )


def bush(world: World, x: float, y: float, size: float) -> None:
    """A leafy lump."""
    dice, canvas = world.dice, world.canvas
    leaves = world.surface("bush", material="foliage", high=0.85, grain=18)
    cast(world, x, y, size * 0.7)
    for side in (-0.4, 0.35):
        canvas.ellipse(leaves, x + side * size, y - size * 0.4, size * 0.6, size * dice.between(0.4, 0.55), bump=0.5)


def cactus(world: World, x: float, y: float, size: float) -> None:
    """A ribbed column with arms."""
    dice, canvas = world.dice, world.canvas
    body = world.surface(
        "cactus",
        material="foliage",
        high=0.8,
        grain=30,
        patterned=0.5,
        textures=("striped",),
        angle=1.57,
        period=max(2.5, size * 0.12),
    )
    arm = world.surface("cactus", "arm", "foliage", high=0.8, grain=30)
    cast(world, x, y, size * 0.3)
    half = size * 0.09
    for side in (-1, 1)[: dice.count(1, 2)] if dice.chance(0.5) else (1, -1)[: dice.count(1, 2)]:
        elbow, height = x + side * size * 0.27, y - size * dice.between(0.35, 0.55)
        canvas.box(arm, min(x, elbow), height - half * 0.7, max(x, elbow) + half * 0.6, height + half * 0.7)
        canvas.box(arm, elbow - half * 0.7, height - size * 0.25, elbow + half * 0.7, height + half * 0.7, turn=0.5)
    canvas.box(body, x - half, y - size + half, x + half, y, turn=0.5)
    canvas.ellipse(body, x, y - size + half, half, half, upper=True, round=0.1)


def rock(world: World, x: float, y: float, size: float) -> None:
    """A boulder, flat at its foot."""
    stone = world.surface("rock", material="stone", low=0.3, high=0.8, grain=max(10, size * 2))
    cast(world, x, y, size * 0.8)
    world.canvas.ellipse(stone, x, y, size * world.dice.between(0.7, 1.1), size * 0.9, bump=0.4, upper=True)


def cloud(world: World, x: float, y: float, size: float) -> None:
    """A few soft lumps in the sky."""
    dice = world.dice
    white = dice.between(0.75, 1.0)
    vapour = world.surface("cloud", color=mix((white, white, white), world.haze, dice.between(0.0, 0.5)))
    for place in (-0.8, 0.0, 0.7):
        world.canvas.ellipse(
            vapour,
            x + place * size,
            y + dice.between(-0.2, 0.2) * size,
            size * dice.between(0.6, 0.9),
            size * dice.between(0.3, 0.45),
            bump=0.4,
            round=0.15,
        )


def sun(world: World, x: float, y: float, size: float) -> None:
    """A disc of light."""
    disc = world.surface("sun", color=world.dice.one(((1.0, 0.97, 0.8), (1.0, 0.75, 0.4), (0.95, 0.95, 1.0))))
    world.canvas.ellipse(disc, x, y, size / 2, size / 2, round=0.0, light=1.1)


def bird(world: World, x: float, y: float, size: float) -> None:
    """Two wings in the air."""
    wing = world.surface("bird", "wing", color=world.color(0.1, 0.4))
    rise = size * world.dice.between(0.2, 0.5)
    for side in (-1, 1):
        world.canvas.bar(wing, x, y, x + side * size * 0.5, y - rise, max(0.8, size * 0.14))

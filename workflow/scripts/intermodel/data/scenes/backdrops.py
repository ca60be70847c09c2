"""Sky, ground and horizon, and how things are strewn over them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from intermodel.data.scenes.canvas import SIDE, FloatMap
from intermodel.data.scenes.objects import buildings, furniture, nature, things
from intermodel.data.scenes.world import World, mix

Thing = Callable[[World, float, float, float], None]

#: Things that turn up anywhere outdoors, so that no kind is given away by a single thing.
OUTDOORS: tuple[Thing, ...] = (
    things.person, things.car, nature.tree, nature.bush, nature.rock, things.lamp, buildings.house, things.ball,
    things.umbrella, nature.pine,
)  # fmt: skip
INDOORS: tuple[Thing, ...] = (things.person, things.ball, furniture.chair, furniture.table, nature.bush)

NEARBY: tuple[Thing, ...] = (
    things.person, nature.bush, nature.rock, things.umbrella, furniture.chair, things.ball, nature.tree,
    furniture.table, things.car,
)  # fmt: skip

#: Height of a thing relative to a person's.
HEIGHT: dict[Thing, float] = {
    things.person: 1.0, things.car: 0.85, nature.tree: 2.2, nature.bush: 0.6, nature.rock: 0.5, things.lamp: 2.2,
    buildings.house: 2.3, things.ball: 0.4, things.umbrella: 1.4, nature.pine: 2.6, nature.cactus: 1.3,
    things.boat: 1.8, furniture.chair: 0.75, furniture.table: 0.6, furniture.sofa: 0.6, buildings.lighthouse: 4.0,
}  # fmt: skip


def sky(world: World, horizon: float) -> None:
    """Sky with a gradient, clouds, a sun and birds."""
    dice, canvas = world.dice, world.canvas
    surface = world.surface("sky", color=mix(world.color(0.35, 1.0), world.haze, 0.3))
    canvas.box(surface, -10, -10, SIDE + 10, SIDE + 10)
    canvas.light[:] = dice.between(0.75, 1.0) + dice.between(0.0, 0.35) * canvas.y / max(horizon, 8)
    canvas.light += 0.05 * canvas.noise
    if dice.chance(0.35):
        nature.sun(world, dice.between(4, 60), dice.between(2, max(3.0, horizon - 4)), dice.between(3, 8))
    for _ in range(dice.count(0, 2)):
        nature.cloud(world, dice.between(0, SIDE), dice.between(1, max(2.0, horizon * 0.7)), dice.between(3, 8))
    if dice.chance(0.3):
        for _ in range(dice.count(1, 3)):
            nature.bird(world, dice.between(4, 60), dice.between(3, max(4.0, horizon * 0.8)), dice.between(3, 6))


def ground(
    world: World, horizon: float, object: str, materials: Sequence[str], patterned: float = 0.0,
    textures: Sequence[str] = ("grid", "chequered"), center: float = 32.0, top: float | None = None,
    angle: float = 0.0, period: float | None = None, depth: float = 40.0, stretch: float = 1.0,
) -> int:  # fmt: skip
    """A level ground that recedes to the horizon."""
    surface = world.surface(
        object, material=world.dice.one(materials), patterned=patterned, textures=textures, receding=True,
        angle=angle, period=period, grain=60.0,
    )  # fmt: skip
    world.canvas.plane(surface, horizon, center, horizon if top is None else top, depth=depth, stretch=stretch)
    return surface


def skyline_of(world: World, base: float, roughness: float, knots: int) -> FloatMap:
    """A rough line by column, (n,), around the height `base`."""
    dice, canvas = world.dice, world.canvas
    values = [dice.between(-1, 1) for _ in range(knots + 2)]
    coarse = np.interp(canvas.x, np.linspace(-8, SIDE + 8, knots + 2), values)
    line = base + roughness * (coarse + 0.12 * canvas.noise[0] + 0.1 * canvas.noise[canvas.n // 2, ::-1])
    return np.asarray(line, np.float32)


def scatter(
    world: World, things: Sequence[Thing], number: int, horizon: float, near: float, nearest: float = 66.0,
    start: float = 0.05,
) -> None:  # fmt: skip
    """Put things on the ground, far ones first; a person at the lower edge is `near` units tall."""
    dice = world.dice
    depths = sorted(dice.between(start, 1.0) ** 1.4 for _ in range(number))
    for depth in depths:
        thing = dice.one(things)
        y = horizon + (nearest - horizon) * depth
        size = near * HEIGHT[thing] * (0.12 + 0.88 * depth) * dice.between(0.8, 1.2)
        thing(world, dice.between(-2, SIDE + 2), y, max(2.5, size))


def foreground(world: World) -> None:
    """Things close to the viewer, cut off by the frame; the same ones in every kind of scene."""
    dice = world.dice
    for _ in range(dice.count(0, 2)):
        thing = dice.one(NEARBY)
        size = dice.between(20, 42) * HEIGHT[thing] ** 0.5
        thing(world, dice.between(0, SIDE), dice.between(62, 74), size)

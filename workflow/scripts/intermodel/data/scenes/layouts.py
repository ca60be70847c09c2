"""The ten kinds of scene: how ground, background and things are arranged.

Kinds share most of their things and all of their colours; what tells them apart is arrangement, shape and pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from intermodel.data.scenes import objects
from intermodel.data.scenes.canvas import SIDE, FloatMap
from intermodel.data.scenes.world import World, mix

Thing = Callable[[World, float, float, float], None]

#: Things that turn up anywhere outdoors, so that no kind is given away by a single thing.
OUTDOORS: tuple[Thing, ...] = (
    objects.person, objects.car, objects.tree, objects.bush, objects.rock, objects.lamp, objects.house, objects.ball,
    objects.umbrella, objects.pine,
)  # fmt: skip
INDOORS: tuple[Thing, ...] = (objects.person, objects.ball, objects.chair, objects.table, objects.bush)

NEARBY: tuple[Thing, ...] = (
    objects.person, objects.bush, objects.rock, objects.umbrella, objects.chair, objects.ball, objects.tree,
    objects.table, objects.car,
)  # fmt: skip

#: Height of a thing relative to a person's.
HEIGHT = {
    objects.person: 1.0, objects.car: 0.85, objects.tree: 2.2, objects.bush: 0.6, objects.rock: 0.5, objects.lamp: 2.2,
    objects.house: 2.3, objects.ball: 0.4, objects.umbrella: 1.4, objects.pine: 2.6, objects.cactus: 1.3,
    objects.boat: 1.8, objects.chair: 0.75, objects.table: 0.6, objects.sofa: 0.6, objects.lighthouse: 4.0,
}  # fmt: skip


def sky(world: World, horizon: float) -> None:
    """Sky with a gradient, clouds, a sun and birds."""
    dice, canvas = world.dice, world.canvas
    surface = world.surface("sky", color=mix(world.color(0.35, 1.0), world.haze, 0.3))
    canvas.box(surface, -10, -10, SIDE + 10, SIDE + 10)
    canvas.light[:] = dice.between(0.75, 1.0) + dice.between(0.0, 0.35) * canvas.y / max(horizon, 8)
    canvas.light += 0.05 * canvas.noise
    if dice.chance(0.35):
        objects.sun(world, dice.between(4, 60), dice.between(2, max(3.0, horizon - 4)), dice.between(3, 8))
    for _ in range(dice.count(0, 2)):
        objects.cloud(world, dice.between(0, SIDE), dice.between(1, max(2.0, horizon * 0.7)), dice.between(3, 8))
    if dice.chance(0.3):
        for _ in range(dice.count(1, 3)):
            objects.bird(world, dice.between(4, 60), dice.between(3, max(4.0, horizon * 0.8)), dice.between(3, 6))


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


def street(world: World) -> None:
    """A road to a vanishing point between two rows of houses."""
    dice, canvas = world.dice, world.canvas
    horizon, x = dice.between(20, 34), dice.between(18, 46)
    sky(world, horizon)
    ground(world, horizon, "pavement", ("stone", "asphalt", "brick"), 0.5, center=x)
    road = world.surface("road", material="asphalt", low=0.2, high=0.65, grain=20)
    spread = dice.between(14, 30)
    lean = dice.between(-12, 12)
    canvas.taper(road, x + lean, horizon, 68, 0.6, spread, lean=-lean)
    paint = world.surface("road", "lane marking", color=world.color(0.75, 1.0))
    for step in range(4):
        far, close = (0.62**step, 0.62**step * 0.8)
        canvas.bar(
            paint, x + lean * far, horizon + (68 - horizon) * far, x + lean * close, horizon + (68 - horizon) * close,
            max(0.5, 1.8 * far),
        )  # fmt: skip
    for depth in (0.1, 0.2, 0.36, 0.62):
        for side in (-1, 1):
            if dice.chance(0.12):
                continue
            y = horizon + (60 - horizon) * depth
            size = (7 + 42 * depth) * dice.between(0.8, 1.25)
            at = x + lean * depth + side * (spread * depth + size * 0.55 + 2)
            if dice.chance(0.75):
                objects.house(world, at, y, size)
            else:
                dice.one((objects.tree, objects.pine))(world, at, y, size)
        if dice.chance(0.45):
            side = dice.sign()
            y = horizon + (62 - horizon) * depth
            dice.one((objects.lamp, objects.person))(
                world, x + lean * depth + side * spread * depth * 1.15, y, 5 + 24 * depth
            )
    for depth in sorted(dice.between(0.15, 0.85) for _ in range(dice.count(1, 2))):
        y = horizon + (64 - horizon) * depth
        objects.car(world, x + lean * depth + dice.sign() * spread * depth * 0.5, y, 2.5 + 13 * depth)
    scatter(world, OUTDOORS, dice.count(0, 1), horizon, 22, start=0.5)


def skyline(world: World) -> None:
    """Two rows of skyscrapers over a strip of ground."""
    dice, canvas = world.dice, world.canvas
    base = dice.between(42, 58)
    sky(world, base * 0.6)
    color = world.color()
    at = dice.between(-6, 2)
    while at < SIDE:  # the far row, in the haze
        half = dice.between(2.5, 5)
        world_color, world.haze = world.haze, mix(world.haze, color, 0.4)
        far = world.surface("skyscraper", material="plaster", color=mix(color, world.haze, dice.between(0.4, 0.7)))
        world.haze = world_color
        canvas.box(far, at, base - dice.between(8, 30), at + 2 * half, base, turn=0.1)
        at += 2 * half * dice.between(0.8, 1.3)
    at = dice.between(-4, 6)
    while at < SIDE:
        half = dice.between(3, 7)
        objects.skyscraper(world, at + half, base, dice.between(14, 48), half)
        at += 2 * half + (dice.between(0, 2) if dice.chance(0.7) else dice.between(4, 14))
    ground(world, base - 14, *dice.one((("sea", ("water",)), ("grass", ("grass",)), ("road", ("asphalt",)))), top=base)
    scatter(world, OUTDOORS, dice.count(1, 3), base - 2, 9, start=0.3)


def forest(world: World) -> None:
    """Trunks at all depths under a closed canopy."""
    dice, canvas = world.dice, world.canvas
    horizon = dice.between(30, 46)
    sky(world, horizon)
    back = world.surface("tree", "crown", "foliage", high=0.7, grain=22)
    canvas.ridge(back, skyline_of(world, dice.between(6, 22), 6, 9), light=0.85)
    ground(world, horizon - 4, "grass", ("grass", "soil", "foliage"), top=horizon)
    leaves = [world.surface("tree", "crown", "foliage", high=0.85, grain=24) for _ in range(2)]
    bark = [
        world.surface("tree", "trunk", dice.one(("wood", "wood", "stone")), low=0.15, high=0.7, angle=1.57, grain=18)
        for _ in range(2)
    ]
    for depth in sorted(dice.between(0.0, 1.0) for _ in range(dice.count(7, 12))):
        y = horizon + (68 - horizon) * depth**1.5
        x, half = dice.between(-2, SIDE + 2), 0.6 + 3.2 * depth * dice.between(0.6, 1.2)
        objects.cast(world, x, y, half * 2.5)
        canvas.taper(
            dice.one(bark),
            x,
            -4,
            y,
            half * 0.75,
            half * 1.15,
            lean=dice.between(-5, 5),
            turn=0.5,
            light=0.75 + 0.3 * depth,
        )
        if dice.chance(0.5):
            canvas.ellipse(
                dice.one(leaves),
                x + dice.between(-5, 5),
                dice.between(0, 9),
                dice.between(6, 11),
                dice.between(4, 8),
                bump=0.6,
            )
    scatter(world, (*OUTDOORS, objects.bush, objects.bush), dice.count(2, 4), horizon, 20)


def beach(world: World) -> None:
    """Sea above, sand below a curved shore."""
    dice, canvas = world.dice, world.canvas
    horizon = dice.between(14, 30)
    sky(world, horizon)
    ground(world, horizon, "sea", ("water",))
    if dice.chance(0.5):
        objects.boat(world, dice.between(4, 60), horizon + dice.between(2, 5), dice.between(5, 10))
    shore = horizon + dice.between(6, 18)
    line = skyline_of(world, shore, dice.between(2, 6), 4)
    foam = world.surface("sea", material="water", color=(0.95, 0.97, 0.97))
    canvas.ridge(foam, line - 1.2)
    sand = world.surface("sand", material=dice.one(("sand", "sand", "stone")), low=0.4, grain=26)
    canvas.ridge(sand, line, light=dice.between(0.9, 1.1))
    things = (objects.umbrella, objects.umbrella, objects.person, objects.ball, *OUTDOORS[3:5])
    scatter(world, things, dice.count(3, 6), shore, 20, start=0.15)
    scatter(world, OUTDOORS, dice.count(0, 1), shore, 20, start=0.3)


def mountain(world: World) -> None:
    """Jagged ridges, the far ones in the haze, with snow on their summits."""
    dice, canvas = world.dice, world.canvas
    foot = dice.between(36, 52)
    sky(world, foot * 0.5)
    color = world.color(0.25, 0.8)
    snowy = dice.chance(0.75)
    for ridge in range(dice.count(2, 3)):
        base = foot - 22 + 9 * ridge
        line = skyline_of(world, base, dice.between(9, 14) - 3 * ridge, dice.count(4, 6) + ridge)
        shade = mix(color, world.haze, max(0.0, 0.5 - 0.25 * ridge))
        rockface = world.surface("mountain", material=dice.one(("stone", "soil")), color=shade, angle=0.6, grain=26)
        if snowy:
            summit = world.surface("mountain", "summit", "snow", color=mix((0.95, 0.95, 0.97), world.haze, 0.25))
            canvas.ridge(summit, line)
            snowline = line.min() + dice.between(4, 9)
            line = np.maximum(line, snowline + 1.5 * canvas.noise[canvas.n // 3]).astype(np.float32)
        canvas.ridge(rockface, line, light=0.9 + 0.1 * ridge)
    ground(world, foot - 12, *dice.one((("grass", ("grass", "soil")), ("sea", ("water",)))), top=foot)
    scatter(world, (objects.pine, objects.pine, objects.rock, *OUTDOORS), dice.count(3, 6), foot - 2, 13)


def room(world: World) -> None:
    """A wall with things on it and furniture before it."""
    dice, canvas = world.dice, world.canvas
    horizon = dice.between(36, 48)
    wall = world.surface(
        "wall",
        material=dice.one(("plaster", "plaster", "wood", "brick")),
        patterned=0.4,
        textures=("striped", "dotted", "zigzagged", "honeycombed", "scaly"),
    )
    canvas.box(wall, -10, -10, 80, 80, turn=0.35)
    canvas.u[:] = canvas.x
    ground(
        world,
        horizon - 14,
        "floor",
        ("wood", "stone", "plaster", "fabric"),
        0.55,
        ("chequered", "grid", "woven"),
        center=dice.between(10, 54),
        top=horizon,
    )
    board = world.surface("wall", "rail", "wood")
    canvas.box(board, -10, horizon - 1.6, 80, horizon)
    at = dice.between(-2, 12)
    while at < SIDE:
        thing = dice.one((objects.window, objects.picture, objects.picture, objects.shelf, objects.door))
        if thing is objects.door:
            thing(world, at + 5, horizon, dice.between(24, 32))
        elif thing is objects.shelf:
            thing(world, at + 6, horizon, dice.between(18, 28))
        else:
            thing(world, at + 5, dice.between(20, 28), dice.between(9, 18))
        at += dice.between(14, 24)
    if dice.chance(0.4):
        rug = world.surface("floor", material="fabric", patterned=0.7, textures=objects.CLOTH)
        canvas.ellipse(
            rug,
            dice.between(12, 52),
            dice.between(horizon + 5, 62),
            dice.between(10, 20),
            dice.between(3, 5),
            round=0.0,
        )
    furniture = (objects.sofa, objects.table, objects.chair, objects.chair)
    scatter(world, furniture, dice.count(2, 3), horizon, 26, start=0.3)
    scatter(world, INDOORS, dice.count(0, 2), horizon, 24, start=0.4)


def corridor(world: World) -> None:
    """Four walls that run to a vanishing point, with doors along them."""
    dice, canvas = world.dice, world.canvas
    x, y = dice.between(20, 44), dice.between(22, 40)
    end = dice.between(3, 9)
    rise, fall = dice.between(0.7, 1.1), dice.between(0.7, 1.1)
    ceiling = world.surface(
        "ceiling",
        material="plaster",
        patterned=0.3,
        textures=("grid", "striped"),
        receding=True,
        angle=0.0,
        grain=60,
        period=9,
    )
    canvas.plane(ceiling, y, x, -1e9, y, depth=30)
    floor = world.surface(
        "floor",
        material=dice.one(("wood", "stone", "fabric")),
        patterned=0.6,
        textures=("chequered", "grid", "striped"),
        receding=True,
        angle=0.0,
        grain=60,
    )
    canvas.plane(floor, y, x, y, depth=30)
    walls = world.surface(
        "wall",
        material=dice.one(("plaster", "brick", "wood", "stone")),
        patterned=0.3,
        textures=("striped", "grid", "dotted"),
        receding=True,
        angle=0.0,
        grain=50,
    )
    canvas.sides(walls, x, y, -rise, fall, 0.0, 1e9)
    frame = world.surface("door", "frame", "wood")
    leaf = world.surface("door", material="wood", grain=16)
    paper = world.surface("picture", material="fabric", patterned=0.6)
    for side in (-1, 1):
        at = end * dice.between(1.2, 1.8)
        while at < 50:
            wide = at * dice.between(0.25, 0.45)
            if dice.chance(0.65):
                canvas.sides(frame, x, y, -rise * 0.5, fall, at, at + wide, side)
                canvas.sides(leaf, x, y, -rise * 0.44, fall, at + wide * 0.12, at + wide * 0.88, side)
            elif dice.chance(0.5):
                canvas.sides(paper, x, y, -rise * 0.45, rise * 0.1, at, at + wide, side)
            at += wide + at * dice.between(0.25, 0.6)
    back = world.surface("wall", material="plaster")
    canvas.box(back, x - end, y - end * rise, x + end, y + end * fall)
    if dice.chance(0.6):
        dice.one((objects.door, objects.window))(world, x, y + end * fall, end * 1.3)
    shade = world.surface("lamp", "shade", "glass", color=(1.0, 0.97, 0.85))
    for step in range(3):
        distance = 30 * 0.55**step
        canvas.ellipse(shade, x, y - distance * rise * 0.97, distance * 0.2, distance * 0.05, round=0.0, light=1.25)
    scatter(world, INDOORS, dice.count(0, 2), y, 34, start=0.3)


def field(world: World) -> None:
    """Furrows that converge, a row of trees and a farm on the horizon."""
    dice = world.dice
    horizon, x = dice.between(16, 34), dice.between(4, 60)
    sky(world, horizon)
    if dice.chance(0.5):
        far = world.surface("field", material="grass", color=mix(world.color(), world.haze, 0.4))
        world.canvas.ridge(far, skyline_of(world, horizon - 2, 2, 3))
    ground(
        world,
        horizon,
        "field",
        ("soil", "grass", "foliage"),
        0.85,
        ("striped", "banded"),
        center=x,
        angle=1.57,
        period=dice.between(5, 11),
        depth=dice.between(24, 40),
        stretch=6.0,
    )
    at = dice.between(0, 20)
    while at < SIDE:
        thing = dice.one((objects.tree, objects.tree, objects.pine, objects.house, objects.bush))
        thing(world, at, horizon + dice.between(0.5, 3), dice.between(2, 4) * HEIGHT[thing])
        at += dice.between(4, 24)
    if dice.chance(0.5):
        objects.fence(
            world, dice.between(0, SIDE), dice.between(horizon + 8, 62), dice.between(5, 12), dice.between(30, 80)
        )
    scatter(world, OUTDOORS, dice.count(1, 3), horizon, 18, start=0.2)


def harbour(world: World) -> None:
    """Boats on the water, a pier and a lighthouse."""
    dice, canvas = world.dice, world.canvas
    horizon = dice.between(16, 32)
    sky(world, horizon)
    if dice.chance(0.6):
        coast = world.surface("mountain", material="stone", color=mix(world.color(), world.haze, 0.4))
        canvas.ridge(coast, skyline_of(world, horizon - 2, 3, 5))
    ground(world, horizon, "sea", ("water",))
    if dice.chance(0.45):
        x = dice.between(4, 60)
        objects.rock(world, x, horizon + 3, dice.between(4, 8))
        objects.lighthouse(world, x, horizon + 1, dice.between(12, 24))
    low = dice.chance(0.5)
    if not low:
        objects.pier(
            world, dice.sign() * 20 + 32, dice.between(horizon + 8, 48), dice.between(3, 6), dice.between(24, 60)
        )
    scatter(world, (objects.boat,), dice.count(2, 5), horizon, 15, nearest=60, start=0.1)
    if low:
        objects.pier(world, dice.between(0, SIDE), dice.between(50, 64), dice.between(5, 9), dice.between(40, 90))
        scatter(world, OUTDOORS[:1], dice.count(0, 1), 40, 20, start=0.6)
    scatter(world, OUTDOORS, dice.count(0, 1), horizon, 14, start=0.4)


def desert(world: World) -> None:
    """Dunes behind dunes, with cacti and rocks."""
    dice, canvas = world.dice, world.canvas
    horizon = dice.between(18, 36)
    sky(world, horizon)
    color = world.color(0.4, 0.95)
    count = dice.count(3, 5)
    for layer in range(count):
        share = layer / max(count - 1, 1)
        base = horizon + (58 - horizon) * share**1.2
        phase, length = dice.between(0, 6.3), dice.between(14, 34) * (0.7 + 0.6 * share)
        wave = np.sin(canvas.x * 6.28 / length + phase)
        line = base + (1.5 + 3 * share) * (np.abs(wave) * 1.3 - 0.6 if dice.chance(0.3) else wave)
        dune = world.surface(
            "dune",
            material="sand",
            color=mix(mix(color, world.color(), 0.15), world.haze, 0.45 * (1 - share)),
            patterned=0.3,
            textures=("striped", "marbled", "zigzagged"),
            angle=dice.between(-0.3, 0.3),
            grain=30,
        )
        slope = (np.gradient(line) / canvas.step).astype(np.float32)
        fall = np.exp(-np.maximum(canvas.y - line, 0) / dice.between(3, 8))
        canvas.ridge(dune, line.astype(np.float32), light=0.95 + (0.4 * canvas.lamp) * slope * fall)
        if dice.chance(0.6):
            thing = dice.one((objects.cactus, objects.cactus, objects.rock, *OUTDOORS))
            thing(world, dice.between(2, 62), base + 4, (3 + 12 * share) * HEIGHT[thing])
    scatter(world, (objects.cactus, objects.rock, *OUTDOORS[:5]), dice.count(1, 3), horizon, 18, start=0.3)


def foreground(world: World) -> None:
    """Things close to the viewer, cut off by the frame; the same ones in every kind of scene."""
    dice = world.dice
    for _ in range(dice.count(0, 2)):
        thing = dice.one(NEARBY)
        size = dice.between(20, 42) * HEIGHT[thing] ** 0.5
        thing(world, dice.between(0, SIDE), dice.between(62, 74), size)


#: Painters in the order of `vocabulary.SCENES`.
LAYOUTS: tuple[Callable[[World], None], ...] = (
    street, skyline, forest, beach, mountain, room, corridor, field, harbour, desert,
)  # fmt: skip

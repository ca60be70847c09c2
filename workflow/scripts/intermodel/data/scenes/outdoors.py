"""Scenes under the sky.

They share most of their things and all of their colours; what tells them apart is arrangement, shape and pattern.
"""

from __future__ import annotations

import numpy as np

from intermodel.data.scenes.backdrops import HEIGHT, OUTDOORS, ground, scatter, sky, skyline_of
from intermodel.data.scenes.canvas import SIDE
from intermodel.data.scenes.objects import buildings, nature, things
from intermodel.data.scenes.objects.shared import cast
from intermodel.data.scenes.world import World, mix


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
                buildings.house(world, at, y, size)
            else:
                dice.one((nature.tree, nature.pine))(world, at, y, size)
        if dice.chance(0.45):
            place = dice.sign()
            y = horizon + (62 - horizon) * depth
            dice.one((things.lamp, things.person))(
                world, x + lean * depth + place * spread * depth * 1.15, y, 5 + 24 * depth
            )
    for depth in sorted(dice.between(0.15, 0.85) for _ in range(dice.count(1, 2))):
        y = horizon + (64 - horizon) * depth
        things.car(world, x + lean * depth + dice.sign() * spread * depth * 0.5, y, 2.5 + 13 * depth)
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
        far = world.surface("skyscraper", material="plaster", color=mix(color, world.haze, dice.between(0.4, 0.7)))
        canvas.box(far, at, base - dice.between(8, 30), at + 2 * half, base, turn=0.1)
        at += 2 * half * dice.between(0.8, 1.3)
    at = dice.between(-4, 6)
    while at < SIDE:
        half = dice.between(3, 7)
        buildings.skyscraper(world, at + half, base, dice.between(14, 48), half)
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
        cast(world, x, y, half * 2.5)
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
    scatter(world, (*OUTDOORS, nature.bush, nature.bush), dice.count(2, 4), horizon, 20)


def beach(world: World) -> None:
    """Sea above, sand below a curved shore."""
    dice, canvas = world.dice, world.canvas
    horizon = dice.between(14, 30)
    sky(world, horizon)
    ground(world, horizon, "sea", ("water",))
    if dice.chance(0.5):
        things.boat(world, dice.between(4, 60), horizon + dice.between(2, 5), dice.between(5, 10))
    shore = horizon + dice.between(6, 18)
    line = skyline_of(world, shore, dice.between(2, 6), 4)
    foam = world.surface("sea", material="water", color=(0.95, 0.97, 0.97))
    canvas.ridge(foam, line - 1.2)
    sand = world.surface("sand", material=dice.one(("sand", "sand", "stone")), low=0.4, grain=26)
    canvas.ridge(sand, line, light=dice.between(0.9, 1.1))
    visitors = (things.umbrella, things.umbrella, things.person, things.ball, *OUTDOORS[3:5])
    scatter(world, visitors, dice.count(3, 6), shore, 20, start=0.15)
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
    scatter(world, (nature.pine, nature.pine, nature.rock, *OUTDOORS), dice.count(3, 6), foot - 2, 13)


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
        thing = dice.one((nature.tree, nature.tree, nature.pine, buildings.house, nature.bush))
        thing(world, at, horizon + dice.between(0.5, 3), dice.between(2, 4) * HEIGHT[thing])
        at += dice.between(4, 24)
    if dice.chance(0.5):
        buildings.fence(
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
        nature.rock(world, x, horizon + 3, dice.between(4, 8))
        buildings.lighthouse(world, x, horizon + 1, dice.between(12, 24))
    low = dice.chance(0.5)
    if not low:
        buildings.pier(
            world, dice.sign() * 20 + 32, dice.between(horizon + 8, 48), dice.between(3, 6), dice.between(24, 60)
        )
    scatter(world, (things.boat,), dice.count(2, 5), horizon, 15, nearest=60, start=0.1)
    if low:
        buildings.pier(world, dice.between(0, SIDE), dice.between(50, 64), dice.between(5, 9), dice.between(40, 90))
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
            thing = dice.one((nature.cactus, nature.cactus, nature.rock, *OUTDOORS))
            thing(world, dice.between(2, 62), base + 4, (3 + 12 * share) * HEIGHT[thing])
    scatter(world, (nature.cactus, nature.rock, *OUTDOORS[:5]), dice.count(1, 3), horizon, 18, start=0.3)

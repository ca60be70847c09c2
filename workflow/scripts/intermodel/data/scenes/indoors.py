"""Scenes under a ceiling."""

from __future__ import annotations

from intermodel.data.scenes.backdrops import INDOORS, ground, scatter
from intermodel.data.scenes.canvas import SIDE
from intermodel.data.scenes.objects import furniture
from intermodel.data.scenes.objects.shared import CLOTH
from intermodel.data.scenes.world import World


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
        thing = dice.one((furniture.window, furniture.picture, furniture.picture, furniture.shelf, furniture.door))
        if thing is furniture.door:
            thing(world, at + 5, horizon, dice.between(24, 32))
        elif thing is furniture.shelf:
            thing(world, at + 6, horizon, dice.between(18, 28))
        else:
            thing(world, at + 5, dice.between(20, 28), dice.between(9, 18))
        at += dice.between(14, 24)
    if dice.chance(0.4):
        rug = world.surface("floor", material="fabric", patterned=0.7, textures=CLOTH)
        canvas.ellipse(
            rug,
            dice.between(12, 52),
            dice.between(horizon + 5, 62),
            dice.between(10, 20),
            dice.between(3, 5),
            round=0.0,
        )
    seats = (furniture.sofa, furniture.table, furniture.chair, furniture.chair)
    scatter(world, seats, dice.count(2, 3), horizon, 26, start=0.3)
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
        dice.one((furniture.door, furniture.window))(world, x, y + end * fall, end * 1.3)
    shade = world.surface("lamp", "shade", "glass", color=(1.0, 0.97, 0.85))
    for step in range(3):
        distance = 30 * 0.55**step
        canvas.ellipse(shade, x, y - distance * rise * 0.97, distance * 0.2, distance * 0.05, round=0.0, light=1.25)
    scatter(world, INDOORS, dice.count(0, 2), y, 34, start=0.3)

"""Furniture and what hangs on walls.

Every function paints one thing that touches the ground at (x, y) and is some `size` units tall.
"""

from __future__ import annotations

from intermodel.data.scenes.objects.shared import CLOTH, cast
from intermodel.data.scenes.world import World, mix


def table(world: World, x: float, y: float, size: float) -> None:
    """A top on two legs, sometimes with a cloth."""
    dice, canvas = world.dice, world.canvas
    color, half = world.color(0.3, 0.9), size * dice.between(0.7, 1.2)
    leg = world.surface("table", "leg", "wood", color=mix(color, (0, 0, 0), 0.25))
    top = world.surface("table", "table top", dice.one(("wood", "stone", "metal")), color=color, grain=20)
    cast(world, x, y, half)
    for side in (-0.85, 0.85):
        canvas.box(leg, x + side * half - size * 0.06, y - size, x + side * half + size * 0.06, y, turn=0.4)
    canvas.box(top, x - half, y - size, x + half, y - size * 0.86)
    if dice.chance(0.4):
        cloth = world.surface("table", "table top", "fabric", patterned=0.8, textures=CLOTH)
        canvas.box(cloth, x - half * 0.7, y - size * 1.02, x + half * 0.7, y - size * 0.5)


def chair(world: World, x: float, y: float, size: float) -> None:
    """A seat, a back and legs."""
    canvas, side = world.canvas, world.dice.sign()
    color, half = world.color(0.25, 0.9), size * 0.27
    leg = world.surface("chair", "leg", "wood", color=mix(color, (0, 0, 0), 0.3))
    back = world.surface("chair", "back", "wood", color=color, patterned=0.3, textures=("striped", "grid"))
    seat = world.surface("chair", "seat", "fabric", patterned=0.4, textures=CLOTH)
    cast(world, x, y, half)
    for edge in (-0.85, 0.85):
        canvas.box(leg, x + edge * half - size * 0.05, y - size * 0.45, x + edge * half + size * 0.05, y)
    edge = x + side * half
    canvas.box(back, edge - size * 0.09, y - size, edge + size * 0.09, y - size * 0.4)
    canvas.box(seat, x - half * 1.1, y - size * 0.52, x + half * 1.1, y - size * 0.38)


def sofa(world: World, x: float, y: float, size: float) -> None:
    """A long seat between two arms."""
    canvas, half = world.canvas, size * world.dice.between(0.9, 1.3)
    color = world.color()
    back = world.surface("sofa", "back", "fabric", color=color, patterned=0.5, textures=CLOTH)
    seat = world.surface("sofa", "seat", "fabric", color=mix(color, (1, 1, 1), 0.12))
    arm = world.surface("sofa", "arm", "fabric", color=mix(color, (0, 0, 0), 0.18))
    cast(world, x, y, half)
    canvas.box(back, x - half, y - size, x + half, y - size * 0.3)
    canvas.box(seat, x - half, y - size * 0.5, x + half, y - size * 0.08)
    for side in (-1, 1):
        canvas.box(arm, x + side * half - size * 0.14, y - size * 0.66, x + side * half + size * 0.14, y, turn=0.4)


def picture(world: World, x: float, y: float, size: float) -> None:
    """A framed canvas on a wall."""
    dice, half = world.dice, size * world.dice.between(0.35, 0.7)
    frame = world.surface("picture", "frame", "wood")
    cloth = world.surface("picture", material="fabric", patterned=0.7, period=max(3.0, size * 0.3))
    world.canvas.shadow(x - world.canvas.lamp, y - size * 0.4, half * 1.5, size * 0.9, 0.25)
    world.canvas.box(frame, x - half, y - size, x + half, y)
    rim = max(0.7, size * dice.between(0.06, 0.12))
    world.canvas.box(cloth, x - half + rim, y - size + rim, x + half - rim, y - rim)


def window(world: World, x: float, y: float, size: float) -> None:
    """A window with panes."""
    canvas, half = world.canvas, size * world.dice.between(0.3, 0.5)
    frame = world.surface("window", "frame", "wood", low=0.5, high=1.0)
    pane = world.surface("window", "pane", "glass", low=0.5, high=1.0, grain=size)
    canvas.box(frame, x - half, y - size, x + half, y)
    rim = max(0.6, size * 0.06)
    for left in (x - half + rim, x + rim * 0.5):
        for top in (y - size + rim, y - size * 0.5 + rim * 0.5):
            canvas.box(pane, left, top, left + half - rim * 1.5, top + size * 0.5 - rim * 1.5, light=1.1)


def shelf(world: World, x: float, y: float, size: float) -> None:
    """Boards with books."""
    dice, canvas, half = world.dice, world.canvas, size * world.dice.between(0.35, 0.6)
    board = world.surface("shelf", "frame", "wood", low=0.2, high=0.7)
    hollow = world.surface("shelf", "back", "wood", low=0.1, high=0.3)
    books = [world.surface("book", material="fabric") for _ in range(4)]
    canvas.box(board, x - half, y - size, x + half, y)
    rim, rows = max(0.6, size * 0.05), dice.count(2, 3)
    height = (size - rim) / rows
    for row in range(rows):
        bottom = y - rim - row * height
        canvas.box(hollow, x - half + rim, bottom - height + rim, x + half - rim, bottom)
        at, end = x - half + rim, x + half - rim
        while at < end - 1.2:
            width = dice.between(1.2, 2.6)
            if dice.chance(0.85):
                canvas.box(
                    dice.one(books),
                    at,
                    bottom - (height - rim) * dice.between(0.6, 0.95),
                    min(at + width, end),
                    bottom,
                    turn=0.5,
                )
            at += width + 0.25


def door(world: World, x: float, y: float, size: float) -> None:
    """A door with a handle."""
    canvas, half = world.canvas, size * 0.24
    frame = world.surface("door", "frame", "wood")
    leaf = world.surface("door", material="wood", patterned=0.25, textures=("grid", "striped"), angle=1.57, grain=18)
    handle = world.surface("door", "handle", "metal", color=(0.85, 0.8, 0.5))
    canvas.box(frame, x - half, y - size, x + half, y)
    canvas.box(leaf, x - half * 0.82, y - size * 0.95, x + half * 0.82, y)
    canvas.ellipse(handle, x + half * 0.6, y - size * 0.45, max(0.9, size * 0.06), max(0.9, size * 0.07))

"""People, vehicles and small things.

Every function paints one thing that touches the ground at (x, y) and is some `size` units tall.
"""

from __future__ import annotations

from intermodel.data.scenes.objects.shared import CLOTH, cast
from intermodel.data.scenes.world import World


def person(world: World, x: float, y: float, size: float) -> None:
    """Head, torso, arms and legs."""
    dice, canvas = world.dice, world.canvas
    skin = world.dice.one(((0.93, 0.76, 0.64), (0.78, 0.57, 0.42), (0.5, 0.33, 0.22), (0.32, 0.21, 0.15)))
    head = world.surface("person", "head", "skin", color=skin)
    arm = world.surface("person", "arm", "skin", color=skin)
    torso = world.surface("person", "torso", "fabric", patterned=0.5, textures=CLOTH, period=max(2.6, size * 0.12))
    leg = world.surface("person", "leg", "fabric", low=0.15, high=0.7)
    cast(world, x, y, size * 0.22)
    stride = size * dice.between(0.03, 0.12)
    for side in (-1, 1):
        canvas.bar(leg, x + side * stride, y, x + side * size * 0.04, y - size * 0.42, size * 0.1)
        canvas.bar(
            arm,
            x + side * size * dice.between(0.16, 0.26),
            y - size * dice.between(0.4, 0.75),
            x + side * size * 0.11,
            y - size * 0.76,
            size * 0.07,
        )
    canvas.taper(torso, x, y - size * 0.8, y - size * 0.38, size * 0.15, size * 0.11)
    canvas.ellipse(head, x, y - size * 0.89, size * 0.095, size * 0.11, round=0.3)


def car(world: World, x: float, y: float, size: float) -> None:
    """A body with a cabin and wheels, seen from the side."""
    dice, canvas = world.dice, world.canvas
    half, facing = size * 1.15, dice.sign()
    color = world.color(0.3, 1.0)
    body = world.surface("car", material="metal", color=color, grain=20)
    cast(world, x, y, half, 0.6)
    glass = world.surface("car", "window", "glass", color=(0.35, 0.4, 0.45), grain=size * 1.5)
    canvas.taper(body, x - facing * half * 0.08, y - size, y - size * 0.5, half * 0.45, half * 0.72, light=1.05)
    canvas.taper(glass, x - facing * half * 0.08, y - size * 0.92, y - size * 0.56, half * 0.38, half * 0.58)
    canvas.box(body, x - half * 0.08 - 0.2, y - size * 0.95, x - half * 0.08 + 0.2, y - size * 0.5)
    canvas.taper(body, x, y - size * 0.56, y - size * 0.16, half * 0.95, half)
    light = world.surface("car", "headlight", "glass", color=(0.98, 0.95, 0.75))
    canvas.ellipse(light, x + facing * half * 0.9, y - size * 0.42, size * 0.13, size * 0.14, light=1.2)
    tyre = world.surface("car", "wheel", color=(0.09, 0.09, 0.1))
    hub = world.surface("car", "wheel", "metal", color=(0.7, 0.7, 0.72))
    for side in (-0.58, 0.58):
        canvas.ellipse(tyre, x + side * half, y - size * 0.19, size * 0.22, size * 0.22, round=0.2)
        canvas.ellipse(hub, x + side * half, y - size * 0.19, size * 0.1, size * 0.1)


def boat(world: World, x: float, y: float, size: float) -> None:
    """A hull with a mast and a sail."""
    dice, canvas = world.dice, world.canvas
    hull = world.surface(
        "boat",
        "hull",
        dice.one(("wood", "metal")),
        patterned=0.3,
        textures=("striped", "banded"),
        angle=0.0,
        period=size * 0.16,
        grain=16,
    )
    sail = world.surface(
        "boat", "sail", "fabric", patterned=0.5, textures=CLOTH, period=max(3.0, size * 0.16), low=0.5, high=1.0
    )
    mast = world.surface("boat", "mast", "wood", low=0.2, high=0.6)
    deck, half, side = y - size * 0.2, size * dice.between(0.32, 0.48), dice.sign()
    canvas.shadow(x, y + size * 0.1, half * 1.1, size * 0.14, 0.5)
    canvas.box(mast, x - max(0.3, size * 0.02), y - size, x + max(0.3, size * 0.02), deck)
    canvas.taper(
        sail, x + side * half * 0.42, y - size * 0.97, y - size * 0.26, 0.0, half * 0.4, lean=-side * half * 0.4
    )
    if dice.chance(0.5):
        canvas.taper(
            sail, x - side * half * 0.3, y - size * 0.8, y - size * 0.26, 0.0, half * 0.28, lean=side * half * 0.28
        )
    canvas.taper(hull, x, deck, y, half, half * 0.65)


def lamp(world: World, x: float, y: float, size: float) -> None:
    """A street lamp."""
    canvas, side = world.canvas, world.dice.sign()
    pole = world.surface("lamp", "pole", "metal", low=0.15, high=0.6)
    shade = world.surface("lamp", "shade", "glass", color=(1.0, 0.95, 0.75))
    half = max(0.35, size * 0.025)
    canvas.box(pole, x - half, y - size, x + half, y, turn=0.4)
    canvas.box(pole, min(x, x + side * size * 0.2), y - size, max(x, x + side * size * 0.2), y - size + 2 * half)
    canvas.ellipse(shade, x + side * size * 0.2, y - size * 0.96, size * 0.075, size * 0.06, light=1.2, round=0.2)


def umbrella(world: World, x: float, y: float, size: float) -> None:
    """A parasol of patterned cloth."""
    canvas, dice = world.canvas, world.dice
    pole = world.surface("umbrella", "pole", "wood", low=0.3, high=0.8)
    cloth = world.surface("umbrella", "canopy", "fabric", patterned=0.75, textures=CLOTH, period=max(3.0, size * 0.25))
    cast(world, x, y, size * 0.4)
    lean = dice.between(-0.12, 0.12) * size
    canvas.bar(pole, x, y, x + lean, y - size * 0.7, max(0.7, size * 0.05))
    canvas.ellipse(cloth, x + lean, y - size * 0.6, size * 0.5, size * 0.4, upper=True, round=0.35)


def ball(world: World, x: float, y: float, size: float) -> None:
    """A ball, often patterned."""
    radius = size / 2
    skin = world.surface(
        "ball",
        material=world.dice.one(("fabric", "metal")),
        patterned=0.7,
        textures=CLOTH,
        period=max(3.0, radius * 0.9),
    )
    cast(world, x, y, radius)
    world.canvas.ellipse(skin, x, y - radius, radius, radius, round=0.6, light=1.1)

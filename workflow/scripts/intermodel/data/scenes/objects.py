"""Things that stand in scenes, each made of named parts.

Every function paints one thing that touches the ground at (x, y) and is some `size` units tall.
"""

from __future__ import annotations

from intermodel.data.scenes.canvas import Surface
from intermodel.data.scenes.world import World, mix

WALLS = ("brick", "plaster", "stone", "wood")
CLOTH = ("striped", "chequered", "dotted", "zigzagged", "banded", "woven", "crosshatched")


def cast(world: World, x: float, y: float, half: float, strength: float = 0.45) -> None:
    """The shadow of something with half-width `half`, away from the light."""
    world.canvas.shadow(x - world.canvas.lamp * half * 0.7, y - 0.2, half * 1.35, max(0.7, half * 0.36), strength)


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


def rock(world: World, x: float, y: float, size: float) -> None:
    """A boulder, flat at its foot."""
    stone = world.surface("rock", material="stone", low=0.3, high=0.8, grain=max(10, size * 2))
    cast(world, x, y, size * 0.8)
    world.canvas.ellipse(stone, x, y, size * world.dice.between(0.7, 1.1), size * 0.9, bump=0.4, upper=True)


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

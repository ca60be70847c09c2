"""What the painters of things share."""

from __future__ import annotations

from intermodel.data.scenes.world import World

#: Materials of walls.
WALLS = ("brick", "plaster", "stone", "wood")
#: Patterns of cloth.
CLOTH = ("striped", "chequered", "dotted", "zigzagged", "banded", "woven", "crosshatched")


def cast(world: World, x: float, y: float, half: float, strength: float = 0.45) -> None:
    """The shadow of something with half-width `half`, away from the light."""
    world.canvas.shadow(x - world.canvas.lamp * half * 0.7, y - 0.2, half * 1.35, max(0.7, half * 0.36), strength)

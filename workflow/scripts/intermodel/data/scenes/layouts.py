"""The ten kinds of scene in order."""

from __future__ import annotations

from collections.abc import Callable

from intermodel.data.scenes.indoors import corridor, room
from intermodel.data.scenes.outdoors import beach, desert, field, forest, harbour, mountain, skyline, street
from intermodel.data.scenes.world import World

#: Painters in the order of `vocabulary.SCENES`.
LAYOUTS: tuple[Callable[[World], None], ...] = (
    street, skyline, forest, beach, mountain, room, corridor, field, harbour, desert,
)  # fmt: skip

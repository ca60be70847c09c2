"""The words that scenes are made of: every label, in the six categories of Broden.

Numbers are stable: append to the end of a category only together with a new generator version.
"""

from __future__ import annotations

from intermodel.data.dataset import Label

#: Ten kinds of scene; also the classes of the data set. Colour says nothing about the kind.
SCENES = ("street", "skyline", "forest", "beach", "mountain", "room", "corridor", "field", "harbour", "desert")

#: The eleven basic colour terms, as in Broden.
COLORS = ("black", "blue", "brown", "grey", "green", "orange", "pink", "purple", "red", "white", "yellow")

#: Surface patterns, named as in the Describable Textures data set.
TEXTURES = (
    "banded", "chequered", "cracked", "crosshatched", "dotted", "grid",
    "honeycombed", "marbled", "scaly", "striped", "woven", "zigzagged",
)  # fmt: skip

MATERIALS = (
    "asphalt", "brick", "fabric", "foliage", "glass", "grass", "metal",
    "plaster", "sand", "skin", "snow", "soil", "stone", "water", "wood",
)  # fmt: skip

OBJECTS = (
    "ball", "bird", "boat", "book", "bush", "cactus", "car", "ceiling", "chair", "cloud", "door", "dune", "fence",
    "field", "floor", "grass", "house", "lamp", "lighthouse", "mountain", "pavement", "person", "picture", "pier",
    "pine", "road", "rock", "sand", "sea", "shelf", "sky", "skyscraper", "sofa", "sun", "table", "tree", "umbrella",
    "wall", "window",
)  # fmt: skip

PARTS = (
    "antenna", "arm", "back", "canopy", "chimney", "crown", "door", "frame", "handle", "head", "headlight", "hull",
    "lane marking", "leg", "mast", "pane", "pole", "post", "rail", "roof", "sail", "seat", "shade", "summit",
    "table top", "torso", "trunk", "wheel", "window", "wing",
)  # fmt: skip

CATEGORIES = ("color", "texture", "object", "part", "material", "scene")

_NAMES = dict(zip(CATEGORIES, (COLORS, TEXTURES, OBJECTS, PARTS, MATERIALS, SCENES)))

#: Every label, numbered from 1 in the order of the categories.
LABELS = tuple(
    Label(number, name, category)
    for number, (category, name) in enumerate(
        ((category, name) for category in CATEGORIES for name in _NAMES[category]), 1
    )
)

#: Label number of (category, name).
NUMBER = {(label.category, label.name): label.number for label in LABELS}

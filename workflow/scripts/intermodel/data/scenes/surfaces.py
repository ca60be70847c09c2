"""Tileable patterns of textures and materials, computed once and looked up per pixel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intermodel.data.scenes.vocabulary import MATERIALS, TEXTURES

TILE = 128  # pixels of a tile's side; a power of two, so that wrapping is a bitwise and
PERIODS = 4  # periods of a pattern along a tile

#: Patterns by index: 0 is none, then the textures, then rows of windows (a part, not a texture).
PATTERNS = ("", *TEXTURES, "windows")
#: Details by index: 0 is none (sky, light), then the materials.
DETAILS = ("", *MATERIALS)

#: How strongly a material modulates brightness.
DETAIL_STRENGTH = {
    "": 0.0, "asphalt": 0.13, "brick": 0.20, "fabric": 0.10, "foliage": 0.34, "glass": 0.28, "grass": 0.24,
    "metal": 0.16, "plaster": 0.07, "sand": 0.11, "skin": 0.03, "snow": 0.05, "soil": 0.22, "stone": 0.20,
    "water": 0.22, "wood": 0.20,
}  # fmt: skip


@lru_cache(maxsize=1)
def pattern_atlas() -> NDArray[np.float32]:
    """Tiles of `PATTERNS`, flattened to (len(PATTERNS) * TILE * TILE,) float32 in -1..1."""
    return _flatten([_pattern(name) for name in PATTERNS])


@lru_cache(maxsize=1)
def detail_atlas() -> NDArray[np.float32]:
    """Tiles of `DETAILS`, flattened to (len(DETAILS) * TILE * TILE,) float32, scaled by their strength."""
    return _flatten([DETAIL_STRENGTH[name] * _detail(name) for name in DETAILS])


def _flatten(tiles: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    return np.concatenate([tile.ravel() for tile in tiles]).astype(np.float32)


def _axes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Column and row in units of pattern periods, (1, TILE) and (TILE, 1)."""
    position = (np.arange(TILE) + 0.5) * PERIODS / TILE
    return position[None, :], position[:, None]


def _noise(seed: int, low: float, high: float, stretch: float = 1.0) -> NDArray[np.float64]:
    """Periodic noise with spatial frequencies between `low` and `high` cycles per tile, unit variance.

    `stretch` > 1 elongates its grain along the columns' axis.
    """
    white = np.random.Generator(np.random.PCG64(seed)).standard_normal((TILE, TILE))
    frequency = np.fft.fftfreq(TILE, 1 / TILE)
    radius = np.hypot(frequency[:, None], frequency[None, :] * stretch)
    band = np.exp(-((radius / high) ** 2)) - np.exp(-((radius / low) ** 2))
    noise = np.fft.ifft2(np.fft.fft2(white) * band).real
    return np.asarray(noise / noise.std())


def _cells(seed: int, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance to the border of the nearest Voronoi cell (pixels) and a random value per cell, on a torus."""
    generator = np.random.Generator(np.random.PCG64(seed))
    # Jittered grid: cells of similar size.
    side = int(np.sqrt(count))
    corner = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)
    points = (corner + generator.uniform(0.1, 0.9, corner.shape)) * TILE / side
    pixel = np.arange(TILE) + 0.5
    dx = (pixel[None, None, :] - points[:, 0, None, None] + TILE / 2) % TILE - TILE / 2
    dy = (pixel[None, :, None] - points[:, 1, None, None] + TILE / 2) % TILE - TILE / 2
    distance = np.hypot(dx, dy)
    order = np.partition(distance, 1, axis=0)
    value = generator.uniform(-1, 1, len(points))[np.argmin(distance, axis=0)]
    return order[1] - order[0], value


def _pattern(name: str) -> NDArray[np.float64]:
    x, y = _axes()
    a, b = 2 * np.pi * x, 2 * np.pi * y
    flat = np.zeros((TILE, TILE))
    if name == "":
        tile = flat
    elif name == "striped":
        tile = np.tanh(3 * np.sin(b)) + flat
    elif name == "banded":
        tile = np.tanh(4 * (np.sin(b / 2) + 0.7 * np.sin(2 * b) - 0.25)) + flat
    elif name == "chequered":
        tile = np.tanh(5 * np.sin(a) * np.sin(b))
    elif name == "dotted":
        tile = np.tanh(4 * (np.cos(a) + np.cos(b) - 0.8))
    elif name == "grid":
        tile = np.tanh(6 * (np.maximum(np.cos(a), np.cos(b)) - 0.75))
    elif name == "windows":
        tile = np.tanh(5 * (np.minimum(np.cos(a), np.cos(b)) + 0.15))
    elif name == "zigzagged":
        tile = np.tanh(3 * np.sin(b + 1.5 * np.arcsin(np.sin(a))))
    elif name == "crosshatched":
        tile = np.tanh(4 * (np.maximum(np.sin(2 * a + b), np.sin(2 * a - b)) - 0.6))
    elif name == "honeycombed":
        total = np.cos(a) + np.cos(-a / 2 + 0.75 * b) + np.cos(-a / 2 - 0.75 * b)
        tile = np.tanh(3 * (-total - 0.4))
    elif name == "marbled":
        tile = np.sin(b * 0.75 + 2.4 * _noise(1, 0.5, 4))
    elif name == "cracked":
        tile = np.tanh(0.9 * (4.5 - _cells(2, 25)[0]))
    elif name == "scaly":
        row = np.floor(2 * y)
        across = (x + 0.5 * (row % 2)) % 1 - 0.5
        along = 2 * y - row
        tile = np.tanh(9 * (np.hypot(across, 0.5 * along) - 0.42)) * 0.8 + 0.2 * along
    elif name == "woven":
        over = np.sin(a / 2) * np.sin(b / 2) > 0
        tile = np.where(over, np.sin(2 * a), np.sin(2 * b))
    else:
        raise ValueError(f"no pattern is called {name!r}")
    return np.asarray(tile)


def _detail(name: str) -> NDArray[np.float64]:
    x, y = _axes()
    flat = np.zeros((TILE, TILE))
    if name == "":
        return flat
    if name == "brick":
        row = np.floor(3 * y)
        column = 1.5 * x + 0.5 * (row % 2)
        mortar = np.maximum(np.abs((3 * y) % 1 - 0.5), 0.5 - 0.5 * (0.5 - np.abs(column % 1 - 0.5)) * 4) > 0.42
        shade = np.sin(12.9 * row + 78.2 * np.floor(column) % 6)
        return np.where(mortar, 1.3, 0.5 * shade - 0.4)
    if name == "wood":
        planks = np.where(np.abs((y * 1.5) % 1 - 0.5) > 0.45, -1.6, 0.0)
        return 0.6 * _noise(3, 3, 24, 6) + planks
    if name == "stone":
        border, value = _cells(4, 36)
        return np.where(border < 2.2, -1.3, 0.8 * value) + 0.25 * _noise(5, 8, 30)
    if name == "glass":
        return np.maximum(0, np.sin(2 * np.pi * (x + y) / 2)) ** 3 * 1.6 - 0.3
    if name == "foliage":
        return np.clip(0.9 * _noise(6, 4, 12) + 0.3 * _noise(7, 10, 26), -1.5, 1.5)
    if name == "grass":
        # Strokes upright: grain stretched along the rows' axis.
        return np.clip(_noise(8, 5, 20, 4).T, -1.6, 1.6)
    if name == "water":
        return np.clip(
            0.7 * _noise(9, 2, 14, 5) + 0.5 * np.sin(2 * np.pi * (2 * y + 0.3 * np.sin(2 * np.pi * x))), -2, 2
        )
    mixtures = {
        "asphalt": 0.9 * _noise(10, 20, 60),
        "fabric": np.sin(2 * np.pi * 6 * x) * np.sin(2 * np.pi * 6 * y) + flat,
        "metal": _noise(11, 1, 4, 0.3) + 0.25 * _noise(12, 10, 50, 8),
        "plaster": 0.8 * _noise(13, 1, 8) + 0.4 * _noise(14, 10, 40),
        "sand": 0.7 * _noise(15, 20, 60) + 0.6 * _noise(16, 3, 10, 3),
        "skin": _noise(17, 1, 5),
        "snow": _noise(18, 1, 6),
        "soil": 0.7 * _noise(19, 6, 18) + 0.6 * _noise(20, 2, 7),
    }
    if name not in mixtures:
        raise ValueError(f"no material is called {name!r}")
    return np.clip(mixtures[name], -2, 2)

"""Which of the eleven basic colour terms a pixel has."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from intermodel.data.scenes.vocabulary import COLORS, NUMBER

_LEVELS = 32  # per channel, as in the lookup table of Broden


def name_colors(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Label numbers of the colours of an (H, W, 3) image, (H, W) uint8."""
    index = (image >> 3).astype(np.intp)
    names: NDArray[np.uint8] = _table()[(index[..., 0] << 10) | (index[..., 1] << 5) | index[..., 2]]
    return names


@lru_cache(maxsize=1)
def _table() -> NDArray[np.uint8]:
    """Label number for each of the 32 x 32 x 32 bins.

    Weak colours are black, grey or white by their brightness; the others go by hue, where dark orange and yellow are
    brown and light red is pink.
    """
    level = (np.arange(_LEVELS) + 0.5) / _LEVELS
    red, green, blue = np.meshgrid(level, level, level, indexing="ij")
    rgb = np.stack([red, green, blue], -1).reshape(-1, 3)
    value, low = rgb.max(1), rgb.min(1)
    chroma = value - low
    safe = np.maximum(chroma, 1e-9)
    r, g, b = rgb.T
    hue = 60 * np.select(
        [value == r, value == g], [((g - b) / safe) % 6, (b - r) / safe + 2], (r - g) / safe + 4
    )  # degrees
    saturation = chroma / np.maximum(value, 1e-9)
    by_hue = np.array(["red", "orange", "yellow", "green", "blue", "purple", "pink", "red"], dtype="<U8")
    names = by_hue[np.digitize(hue, [14, 44, 70, 165, 250, 302, 340])]
    names = np.where((names == "orange") & (value < 0.66), "brown", names)
    names = np.where((names == "red") & (hue > 5) & (hue < 20) & (value < 0.6) & (saturation < 0.75), "brown", names)
    names = np.where((names == "yellow") & (value < 0.5), "brown", names)
    names = np.where((names == "red") & (value > 0.75) & (saturation < 0.52), "pink", names)
    names = np.where((names == "purple") & (value > 0.8) & (saturation < 0.35), "pink", names)
    weak = (saturation < 0.12) | (chroma < 0.07)
    names = np.where(weak, "grey", names)
    names = np.where(weak & (value > 0.75), "white", names)
    names = np.where(value < 0.27, "black", names)
    numbers = {name: NUMBER["color", name] for name in COLORS}
    return np.array([numbers[name] for name in names], np.uint8)

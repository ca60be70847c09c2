"""Small image folders."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image


def picture(seed: int, height: int = 12, width: int = 16) -> NDArray[np.uint8]:
    """Random colours."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture
def save() -> Callable[..., Path]:
    """Write an image, by default random colours, to a path whose folders are made."""

    def write(path: Path, pixels: NDArray[np.uint8] | int = 0, **options: Any) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(picture(pixels) if isinstance(pixels, int) else pixels)
        image.save(path, **options)
        return path

    return write


@pytest.fixture
def segmented(tmp_path: Path, save: Callable[..., Path]) -> Path:
    """Three photographs in two splits with label maps of the values 0, 1, 2 and 9 (void)."""
    table = {"classes": ["sky", "road", {"value": 2, "name": "wheel", "category": "part"}], "void": 9}
    (tmp_path / "classes.json").write_text(json.dumps(table))
    for seed, name in enumerate(("train/images/a.png", "train/images/b.jpg", "val/images/c.png")):
        save(tmp_path / name, seed)
        labels = np.random.default_rng(seed).choice(np.array([0, 1, 2, 9], np.uint8), (12, 16))
        save((tmp_path / name.replace("images", "labels")).with_suffix(".png"), labels)
    return tmp_path

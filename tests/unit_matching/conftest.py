"""Files of layers whose matches are known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel.store import create, write_strings
from numpy.typing import NDArray

SQUASHED = {"size": [8, 8], "resize": "squash", "crop": "none"}


@pytest.fixture
def layer_file(tmp_path: Path) -> Callable[..., Path]:
    """Write maps (N, C, h, w), or pooled features (N, C), as the file of a layer."""

    def write(values: NDArray[Any], name: str, ids: list[str] | None = None, **attributes: Any) -> Path:
        path = tmp_path / f"{name}{'.maps' if values.ndim == 4 else ''}.h5"
        about = {
            "dataset": "scenes",
            "dataset_fingerprint": "f",
            "model": name,
            "layer": "l",
            "preprocessing": SQUASHED,
        }
        with create(path, **(about | attributes)) as file:
            file["maps" if values.ndim == 4 else "pooled"] = values
            write_strings(file, "index", ids or [f"i{number:03d}" for number in range(len(values))])
        return path

    return write


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """100 images, the first half 16 x 8 pixels wide and high, the others square."""
    path = tmp_path / "manifest.h5"
    with create(path) as file:
        write_strings(file, "id", [f"i{number:03d}" for number in range(100)])
        file["width"], file["height"] = np.repeat([16, 8], 50), np.full(100, 8)
    return path

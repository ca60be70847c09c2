"""A small data set on disk: manifest and features of two layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel import store

SETTINGS: dict[str, Any] = {
    "penalties": [0.001, 0.1],
    "validation_fraction": 0.2,
    "test_fraction": 0.3,
    "max_train_images": 100_000,
    "max_iterations": 300,
    "tolerance": 1e-5,
    "neighbours": 10,
    "temperature": 0.07,
    "seed": 0,
}


@pytest.fixture
def settings() -> dict[str, Any]:
    return dict(SETTINGS)


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[..., Path]:
    def write(labels: np.ndarray, splits: np.ndarray, classes: int = 3) -> Path:
        path = tmp_path / "manifest.h5"
        with store.create(path, classes=[f"class {i}" for i in range(classes)]) as file:
            store.write_strings(file, "id", [f"image {i}" for i in range(len(labels))])
            file["label"] = np.asarray(labels, dtype=np.int32)
            store.write_strings(file, "split", splits)
        return path

    return write


@pytest.fixture
def write_features(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, values: np.ndarray, ids: list[str] | None = None) -> Path:
        path = tmp_path / f"{name}.h5"
        with store.create(path) as file:
            file["pooled"] = values.astype(np.float32)
            store.write_strings(file, "index", ids or [f"image {i}" for i in range(len(values))])
        return path

    return write

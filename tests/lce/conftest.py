"""Golden values of the Learned Concepts Embedding."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

GOLDEN = Path(__file__).parents[1] / "golden" / "lce"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, np.ndarray]]:
    """Read a golden file by name."""

    def read(name: str) -> dict[str, np.ndarray]:
        with np.load(GOLDEN / f"{name}.npz") as file:
            return {key: file[key] for key in file.files}

    return read


@pytest.fixture(scope="session")
def published() -> np.ndarray:
    """Detectors per concept of six published networks, (6, 340)."""
    with open(GOLDEN / "netdissect_concept_counts.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    models = list(dict.fromkeys(row["model"] for row in rows))
    concepts = sorted({(row["category"], row["label"]) for row in rows})
    count = np.zeros((len(models), len(concepts)), np.int64)
    for row in rows:
        count[models.index(row["model"]), concepts.index((row["category"], row["label"]))] = int(row["detector_units"])
    return count

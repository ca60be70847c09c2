"""Golden values of the Learned Concepts Embedding."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel.concepts.files import write_tally
from intermodel.concepts.result import Tally
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary

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


CATEGORIES = ("object", "part", "scene", "material", "texture", "color")


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    """Eighteen concepts, three in each of six categories."""
    labels = [{"number": n, "name": f"concept {n}", "category": CATEGORIES[n % 6]} for n in range(1, 19)]
    return Vocabulary.from_records(labels, CATEGORIES)


@pytest.fixture(scope="session")
def make_sums(vocabulary: Vocabulary) -> Callable[..., Sums]:
    """Make the fold sums of a model whose units each follow a concept, loosely or closely.

    Units of equal `model` follow the same concepts; other `noise` draws other images.
    """

    def make(model: int = 0, units: int = 40, folds: int = 16, images: int = 320, noise: int = 0) -> Sums:
        labels, taste, chance = len(vocabulary), *(np.random.default_rng([k, v]) for k, v in ((1, model), (2, noise)))
        followed, closeness = taste.integers(0, labels, units), taste.uniform(0, 0.16, units)
        fold = chance.integers(0, folds, images)
        area = np.round((chance.uniform(size=(images, labels)) < 0.2) * chance.gamma(2, 100, (images, labels)))
        own = np.random.default_rng([3, model, noise])
        hit = area[:, followed] * closeness * own.gamma(2, 0.5, (images, units))
        both = own.uniform(0, 0.01, (images, units, labels)) * area[:, None, :]
        both[:, np.arange(units), followed] += hit
        active = np.round(np.maximum(own.gamma(0.5, 6, (images, units)) + hit, both.max(axis=2)))
        both = np.minimum(np.floor(both), np.minimum(active[:, :, None], area[:, None, :]))
        present = (area @ vocabulary.membership) > 0
        parts = {
            "images": np.ones(images),
            "pixels": np.full(images, 4096),
            "pixels_category": 4096 * present,
            "label_area": area,
            "label_images": area > 0,
            "unit_area": active,
            "unit_area_category": active[:, :, None] * present[:, None],
            "intersection": both,
        }
        sums = Sums.zeros((folds,), units, labels, len(CATEGORIES))
        for name, values in parts.items():
            np.add.at(getattr(sums, name), fold, values.astype(np.int64))
        return sums

    return make


@pytest.fixture(scope="session")
def write_model(vocabulary: Vocabulary, make_sums: Callable[..., Sums]) -> Callable[..., Path]:
    """Write the tally file of a model, attributes changed at will."""

    def write(path: Path, model: int = 0, sums: Sums | None = None, **changes: Any) -> Path:
        folds = make_sums(model) if sums is None else sums
        units = folds.unit_area.shape[1]
        none = np.zeros((units, 0))
        ids = np.array([f"image-{number}" for number in range(int(folds.images.sum()))])
        about = {"tail": 0.005, "thresholds": "exact", "masks": "quantile", "images": len(ids), "size": [64, 64]}
        about |= {
            "dataset_fingerprint": "d" * 64,
            "segmentation_fingerprint": "s" * 64,
            "model_fingerprint": str(model),
        }
        words = changes.pop("vocabulary", vocabulary)
        empty = Sums.zeros((0,), units, len(words), len(words.categories))
        top = none.astype(np.int32), none.astype(np.float32), none[..., None, None].astype(np.float32)
        turned: list[Sums] = changes.pop("rotated", [])
        rotated = Sums.stack([each.total() for each in turned]) if turned else folds.none()
        tally = Tally(words, np.ones(units), folds, empty, *top, rotated)
        write_tally(path, tally, ids, **(about | changes))
        return path

    return write

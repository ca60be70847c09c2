"""A small study's feature files, bases and pair files, made by the code under test."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from intermodel.similarity.intervals import subsample_similarity
from intermodel.similarity.pair import compare_models
from intermodel.similarity.representation import factorise_representation
from intermodel.store import create, write_strings
from numpy.typing import NDArray

MEASURES = ("svcca", "svcca_r2", "pwcca", "cka", "cka_unbiased", "procrustes_angle", "regression", "mutual_knn")


def write_features(
    path: Path,
    values: NDArray,
    ids: Sequence[str] | None = None,
    model: str = "a",
    layer: str = "top",
    fingerprint: str = "photos",
) -> Path:
    """A feature file as extraction writes it."""
    names = [f"image-{row:03}" for row in range(len(values))] if ids is None else list(ids)
    attributes = {"dataset": "photos", "model": model, "layer": layer, "dataset_fingerprint": fingerprint}
    with create(path, **attributes, model_fingerprint=f"weights of {model}", preprocessing={}) as file:
        file["pooled"] = np.asarray(values, dtype=np.float32)
        write_strings(file, "index", names)
    return path


@dataclass(frozen=True)
class Files:
    """Files of a study and what describes its models."""

    folder: Path
    layers: dict[str, list[str]]
    features: dict[tuple[str, str], NDArray]
    pairs: list[Path]
    intervals: Path
    description: str

    def basis(self, model: str) -> list[Path]:
        """Basis files of a model."""
        return [self.folder / "bases" / model / f"{layer}.h5" for layer in self.layers[model]]


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Four trained models in two families, and an untrained one.

    The early layers of all trained models share directions, the late layers those of their family.
    """
    folder = tmp_path_factory.mktemp("similarity")
    generator = np.random.default_rng(0)
    images = 200
    early, late = generator.normal(size=(images, 6)), generator.normal(size=(2, images, 6))
    layers = {name: ["early", "late"] for name in ("red-1", "red-2", "blue-1", "blue-2", "untrained")}
    features = {}
    for model in layers:
        for layer in layers[model]:
            if model == "untrained":
                source = generator.normal(size=(images, 6))
            else:
                source = early if layer == "early" else late[int(model.startswith("red"))]
            units = 10 if layer == "early" else 14
            mixed = source @ generator.normal(size=(6, units)) + 0.8 * generator.normal(size=(images, units))
            features[model, layer] = mixed.astype(np.float32)
            path = write_features(folder / "features" / model / f"{layer}.h5", mixed, model=model, layer=layer)
            factorise_representation(path, folder / "bases" / model / f"{layer}.h5", neighbours=5)
    names = sorted(layers)
    pairs = []
    for position, a in enumerate(names):
        for b in names[position:]:
            pairs.append(folder / f"{a}__{b}.h5")
            sides = [[folder / "bases" / model / f"{layer}.h5" for layer in layers[model]] for model in (a, b)]
            compare_models(*sides, pairs[-1], MEASURES, [0.99, 0.8])
    intervals = folder / "intervals.h5"
    last = [folder / "features" / model / "late.h5" for model in layers]
    subsample_similarity(last, intervals, ["svcca", "cka_unbiased", "procrustes_angle"], [0.99], 5, 20, seed=0)
    description = json.dumps(
        {
            "models": [
                {"name": name, "title": name.title(), "layers": layers[name], "control": name == "untrained"}
                for name in layers
            ]
        }
    )
    return Files(folder, layers, features, pairs, intervals, description)


@pytest.fixture
def basis_file(tmp_path: Path) -> Callable[..., Path]:
    """Make the basis file of some features."""

    def make(values: NDArray, name: str = "basis", neighbours: int = 3, **options: object) -> Path:
        features = write_features(tmp_path / f"{name}.features.h5", values, **options)  # type: ignore[arg-type]
        factorise_representation(features, tmp_path / f"{name}.h5", neighbours=neighbours)
        return tmp_path / f"{name}.h5"

    return make

"""A small data set with features and probes on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from intermodel import store
from intermodel.probe.files import probe_model

PROBE: dict[str, Any] = {
    "penalties": [0.1],
    "validation_fraction": 0.2,
    "test_fraction": 0.3,
    "max_train_images": 100_000,
    "max_iterations": 300,
    "tolerance": 1e-5,
    "neighbours": 10,
    "temperature": 0.07,
    "seed": 0,
}
QUALITY: dict[str, Any] = {
    "eps": "auto",
    "eps_ladder": [4.0, 3.0, 2.0],
    "eps_coverage": 0.95,
    "percentiles": [50.0, 95.0],
    "nonzero_only": False,
    "random_masks": 20,
    "bootstrap": 200,
    "neighbours": 5,
    "consistency_neighbours": 10,
    "components": 3,
    "reference_images": 10_000,
    "seed": 0,
}


def planted(seed: int, images: int = 600, units: int = 120, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Sparse features whose class units fire the more weakly, the harder the image: labels and features.

    Each class has units of its own; a few units fire for everything and many for single images, at random strength.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    strength = rng.uniform(0, 1, images)
    features = np.maximum(rng.normal(-1.2, 1.0, (images, units)), 0) * 0.5
    own = rng.permutation(units)[: units // 2].reshape(classes, -1)
    for label in range(classes):
        members = np.flatnonzero(labels == label)
        chosen = rng.random((len(members), own.shape[1])) < 0.5
        features[np.ix_(members, own[label])] += 4 * strength[members, None] * chosen
    general = np.setdiff1d(np.arange(units), own)[:4]
    features[:, general] += rng.gamma(1.0, 2.0, (images, len(general)))
    return labels, features


def write_study(
    folder: Path, layers: Mapping[str, Mapping[str, np.ndarray]], labels: np.ndarray, controls: tuple[str, ...] = ()
) -> tuple[dict[str, Any], str]:
    """Write manifest, features and probes of some models; files by kind, and the description of the models."""
    count = len(labels)
    ids = [f"image {i}" for i in range(count)]
    with store.create(folder / "manifest.h5", classes=[str(i) for i in range(labels.max() + 1)]) as file:
        store.write_strings(file, "id", ids)
        file["label"] = labels.astype(np.int32)
        store.write_strings(file, "split", np.where(np.arange(count) < count // 2, "train", "test"))
    files: dict[str, Any] = {"features": {}, "probe": {}, "quality": {}}
    for model, values in layers.items():
        files["features"][model] = {}
        for layer, features in values.items():
            path = folder / f"{model}.{layer}.h5"
            with store.create(path) as file:
                file["pooled"] = features.astype(np.float32)
                store.write_strings(file, "index", ids)
            files["features"][model][layer] = path
        files["probe"][model] = folder / f"{model}.probe.h5"
        files["quality"][model] = folder / f"{model}.quality.h5"
        probe_model(folder / "manifest.h5", files["features"][model], files["probe"][model], PROBE)
    described = [
        {
            "name": model,
            "title": model.upper(),
            "family": "x",
            "control": model in controls,
            "architecture": "net",
            "layers": list(values),
        }
        for model, values in layers.items()
    ]
    return files, json.dumps({"models": described})

"""A small data set with label maps and the maps of two models, as the workflow would lay them out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from concepts.samples import vocabulary
from intermodel.store import create, write_strings

IMAGES, SIDE = 80, 16
WORDS = vocabulary(6, categories=("object", "scene"))
PREPROCESSING = {"size": [SIDE, SIDE], "resize": "none", "crop": "none"}
SETTINGS: dict[str, Any] = {
    "tail": 0.05, "thresholds": "exact", "masks": "quantile", "folds": 8, "top_images": 5, "shuffles": 2,
}  # fmt: skip
MODELS: list[dict[str, Any]] = [
    {"name": "seer", "title": "Seer", "family": "trained", "control": False, "layers": ["early", "late"]},
    {"name": "other", "title": "Other", "family": "trained", "control": False, "layers": ["late"]},
    {"name": "noise", "title": "Noise", "family": "untrained", "control": True, "layers": ["late"]},
]


@dataclass(frozen=True)
class Folder:
    """Files of the data set and its arrays."""

    path: Path
    ids: np.ndarray
    layers: np.ndarray
    image_labels: list[np.ndarray]

    @property
    def manifest(self) -> Path:
        return self.path / "manifest.h5"

    @property
    def segmentation(self) -> Path:
        return self.path / "segmentation.h5"

    def maps(self, model: str, layer: str) -> Path:
        return self.path / "features" / model / f"{layer}.maps.h5"

    def tally(self, model: str, layer: str) -> Path:
        return self.path / "concepts" / model / f"{layer}.h5"


def write_manifest(path: Path, ids: np.ndarray, size: tuple[int, int] = (SIDE, SIDE), fingerprint: str = "f1") -> None:
    with create(path, fingerprint=fingerprint) as file:
        write_strings(file, "id", ids)
        file["height"], file["width"] = (np.full(len(ids), side, np.int32) for side in size)


def write_segmentation(
    path: Path, ids: np.ndarray, layers: np.ndarray, image_labels: list[np.ndarray], valid: np.ndarray | None = None
) -> None:
    with create(path, fingerprint="s1", **WORDS.attributes()) as file:
        write_strings(file, "id", ids)
        file["layers"] = layers.astype(np.uint16)
        file["image_label_offset"] = np.cumsum([0, *map(len, image_labels)])
        file["image_label"] = np.concatenate(image_labels).astype(np.uint16)
        if valid is not None:
            file["valid"] = valid


def write_maps(path: Path, ids: np.ndarray, maps: np.ndarray, **attributes: Any) -> None:
    about = {
        "dataset": "d", "model": path.parent.name, "layer": path.name.removesuffix(".maps.h5"),
        "dataset_fingerprint": "f1", "model_fingerprint": "m", "preprocessing": PREPROCESSING,
        "spatial": list(maps.shape[2:]),
    } | attributes  # fmt: skip
    with create(path, **about) as file:
        write_strings(file, "index", ids)
        file["maps"] = maps.astype(np.float16)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Objects 1, 3 and 5 as squares; scenes 2, 4 and 6 as labels of whole images.

    Seer's late units 0 to 2 see the objects and unit 3 a scene, its early units see half as well; Other's units see
    object 1 alone; Noise is noise. The last unit of each is dead.
    """
    path = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    ids = np.array([f"image {i:03}" for i in range(IMAGES)])
    layers = np.zeros((IMAGES, 2, SIDE, SIDE), dtype=int)
    whole = [np.array([generator.choice([2, 4, 6])]) for _ in ids]
    for image in range(IMAGES):
        y, x = generator.integers(0, 9, 2)
        layers[image, 0, y : y + 6, x : x + 6] = generator.choice([1, 3, 5])
    # The second layer repeats part of the first.
    layers[:, 1, ::2] = layers[:, 0, ::2]
    write_manifest(path / "manifest.h5", ids)
    write_segmentation(path / "segmentation.h5", ids, layers, whole)
    coarse = layers[:, 0].reshape(IMAGES, 8, 2, 8, 2).mean(axis=(2, 4)) > 0
    number = layers.max(axis=(1, 2, 3))
    seen = np.stack([coarse & (number == n)[:, None, None] for n in (1, 3, 5)], axis=1).astype(float)
    scene = np.array([w[0] == 2 for w in whole])[:, None, None, None] * np.ones((1, 1, 8, 8))
    noise = generator.gamma(1.0, size=(IMAGES, 5, 8, 8))
    dead = np.zeros((IMAGES, 1, 8, 8))
    late = np.concatenate([seen, scene, np.zeros((IMAGES, 1, 8, 8))], axis=1) + 0.2 * noise
    units = {
        ("seer", "early"): late + 0.5 * noise[:, ::-1],
        ("seer", "late"): late,
        ("other", "late"): np.concatenate([seen[:, :1], seen[:, :1]], axis=1) + 0.1 * noise[:, :2],
        ("noise", "late"): noise[:, :3],
    }
    found = Folder(path, ids, layers, whole)
    for (model, layer), maps in units.items():
        write_maps(found.maps(model, layer), ids, np.concatenate([maps, dead], axis=1))
    return found


@pytest.fixture(scope="session")
def tallied(folder: Folder) -> Folder:
    """The same with patterns and tallies."""
    from intermodel.concepts.files import index_label_maps, tally_layer

    index_label_maps(folder.segmentation, folder.manifest, folder.path / "patterns.h5")
    for model in MODELS:
        for layer in model["layers"]:
            tally_layer(
                folder.maps(model["name"], layer), folder.path / "patterns.h5",
                folder.tally(model["name"], layer), **SETTINGS,
            )  # fmt: skip
    return folder

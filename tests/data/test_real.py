"""Real photographs; skipped where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from intermodel import store
from intermodel.data.label_maps import build_segmentation
from intermodel.data.manifest import build_manifest
from intermodel.data.manifest_file import read_manifest
from intermodel.data.open import open_dataset

pytestmark = pytest.mark.real


def test_camvid(real_data: Path, tmp_path: Path) -> None:
    spec = {"source": "segmentation", "path": str(real_data / "camvid")}
    build_manifest(spec, tmp_path / "manifest.h5", threads=2)
    found = read_manifest(tmp_path / "manifest.h5")
    assert len(found.index.ids) == 101 and set(found.index.splits) == {"test"}
    assert set(found.width.tolist()) == {480} and set(found.height.tolist()) == {360}
    names = {label.number: label.name for label in found.index.concepts}
    assert names[1] == "sky" and names[4] == "road" and len(names) == 11
    build_segmentation(spec, tmp_path / "manifest.h5", tmp_path / "segmentation.h5", size=[90, 120], threads=2)
    with store.open_file(tmp_path / "segmentation.h5") as file:
        layers, valid = file["layers"][...], file["valid"][...]
    assert layers.shape == (101, 1, 90, 120) and layers.max() == 11
    # Unlabelled is exactly void here; sky is above, road below.
    np.testing.assert_array_equal(layers[:, 0] == 0, ~valid)
    height = np.broadcast_to(np.arange(90)[:, None], (90, 120))
    means = {name: np.mean([height[layer[0] == number].mean() for layer in layers if (layer == number).any()])
             for number, name in names.items()}  # fmt: skip
    assert means["sky"] < means["building"] < means["car"] < means["road"]


def test_cifar_arrays(real_data: Path) -> None:
    dataset = open_dataset({"source": "arrays", "path": str(real_data / "cifar10_2000_1000.npz")})
    assert len(dataset) == 3000 and dataset.classes[0] == "airplane"
    assert np.bincount(dataset.labels[dataset.splits == "train"]).tolist() == [200] * 10
    assert dataset.image(2999).shape == (32, 32, 3)


def test_cifar_files(real_data: Path, tmp_path: Path) -> None:
    spec = {"source": "folder", "path": str(real_data / "cifar10_files"), "limit": 30}
    build_manifest(spec, tmp_path / "manifest.h5")
    found = read_manifest(tmp_path / "manifest.h5")
    assert np.bincount(found.index.labels).tolist() == [3] * 10
    assert set(found.width.tolist()) == {32}


def test_photographs_of_many_sizes(real_data: Path, tmp_path: Path) -> None:
    spec = {"source": "folder", "path": str(real_data / "imagenet")}
    build_manifest(spec, tmp_path / "manifest.h5", threads=2)
    found = read_manifest(tmp_path / "manifest.h5")
    assert len(found.index.ids) == 50 and len(set(found.width.tolist())) > 5
    assert found.index.notes["files that are no images"] == 1  # the table of classes
    dataset = open_dataset(spec, tmp_path / "manifest.h5")
    assert all(dataset.image(row).std() > 5 for row in range(0, 50, 10))

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel import store
from intermodel.data.label_maps import build_segmentation, resize_nearest
from intermodel.data.manifest import build_manifest
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError
from PIL import Image

Save = Callable[..., Path]


def build(tmp_path: Path, spec: dict[str, Any], size: int | list[int] | None = None, threads: int = 1) -> Path:
    results = tmp_path / "results"
    build_manifest(spec, results / "manifest.h5")
    build_segmentation(spec, results / "manifest.h5", results / "segmentation.h5", size, threads)
    return results / "segmentation.h5"


def test_scenes(tmp_path: Path) -> None:
    spec = {"source": "scenes", "train": 7, "test": 4, "size": 32}
    dataset = open_dataset(spec)
    with store.open_file(build(tmp_path, spec)) as file:
        assert store.read_strings(file["id"]).tolist() == dataset.ids.tolist()
        assert file["layers"].shape == (11, 5, 32, 32) and file["layers"].dtype == np.uint16
        np.testing.assert_array_equal(file["image_label_offset"][...], np.arange(12))
        assert file["image_label"].dtype == np.uint16 and "valid" not in file
        for row in range(11):
            found = dataset.segmentation(row)
            np.testing.assert_array_equal(file["layers"][row], found.layers)
            np.testing.assert_array_equal(file["image_label"][row : row + 1], found.image_labels)
        assert json.loads(file.attrs["categories"]) == list(dataset.categories)
        labels = json.loads(file.attrs["labels"])
        assert labels[0] == {"number": 1, "name": "black", "category": "color"} and len(labels) == len(dataset.concepts)
        assert len(file.attrs["fingerprint"]) == 64


def test_void_pixels(tmp_path: Path, segmented: Path) -> None:
    spec = {"source": "segmentation", "path": str(segmented)}
    with store.open_file(build(tmp_path, spec)) as file:
        values = np.asarray(Image.open(segmented / "train/labels/b.png"))
        np.testing.assert_array_equal(file["valid"][1], values != 9)
        np.testing.assert_array_equal(file["layers"][1, 0], np.where(values == 9, 0, values + 1))
        assert file["valid"].dtype == np.bool_


def test_sizes_must_agree_or_be_set(tmp_path: Path, segmented: Path, save: Save) -> None:
    save(segmented / "val/images/d.png", np.zeros((10, 16, 3), np.uint8))
    save(segmented / "val/labels/d.png", np.ones((10, 16), np.uint8))
    spec = {"source": "segmentation", "path": str(segmented)}
    with pytest.raises(UserError, match=r"'train/images/a\.png' has 12 x 16 .* 'val/images/d\.png' has 10 x 16; set"):
        build(tmp_path, spec)
    with store.open_file(build(tmp_path, spec, size=[5, 4])) as file:
        assert file["layers"].shape == (4, 1, 5, 4) and file["valid"].shape == (4, 5, 4)
        assert (file["layers"][3] == 2).all() and file["valid"][3].all()
    with store.open_file(build(tmp_path, spec, size=6)) as file:
        assert file["layers"].shape == (4, 1, 6, 6)


def test_all_broken_maps_are_listed(tmp_path: Path, segmented: Path, save: Save) -> None:
    save(segmented / "train/labels/a.png", np.full((12, 16), 50, np.uint8))
    save(segmented / "val/labels/c.png", np.zeros((3, 3), np.uint8))
    with pytest.raises(UserError, match=r"2 of 3 images cannot be used: .*a\.png.*value 50.*; .*c\.png.*3 x 3"):
        build(tmp_path, {"source": "segmentation", "path": str(segmented)})


def test_processes_make_the_same_file(tmp_path: Path, save: Save) -> None:
    root = tmp_path / "data"
    for seed in range(40):
        save(root / "images" / f"{seed:02}.png", seed)
        save(root / "labels" / f"{seed:02}.png", np.random.default_rng(seed).integers(0, 3, (12, 16), dtype=np.uint8))
    (root / "classes.json").write_text('{"classes": ["a", "b"], "void": 2}')
    spec = {"source": "segmentation", "path": str(root)}
    files = []
    for threads in (1, 2):
        with store.open_file(build(tmp_path / str(threads), spec, threads=threads)) as file:
            files.append((file["layers"][...], file["valid"][...], file.attrs["fingerprint"]))
    for first, second in zip(*files):
        np.testing.assert_array_equal(first, second)


@settings(deadline=None, max_examples=40)
@given(
    old=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    new=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    seed=st.integers(0, 99),
)
def test_nearest_neighbour(old: tuple[int, int], new: tuple[int, int], seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 1000, (2, *old))
    resized = resize_nearest(image, new)
    assert resized.shape == (2, *new)
    for row in range(new[0]):
        for column in range(new[1]):
            # Exact integer arithmetic of the centre (row + 1/2) * old / new.
            source = (2 * row + 1) * old[0] // (2 * new[0]), (2 * column + 1) * old[1] // (2 * new[1])
            np.testing.assert_array_equal(resized[:, row, column], image[:, source[0], source[1]])
    np.testing.assert_array_equal(resize_nearest(image, old), image)

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from intermodel import store
from intermodel.data.manifest import build_manifest
from intermodel.data.manifest_file import Manifest, read_manifest
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError

from .conftest import picture

Save = Callable[..., Path]


def build(folder: Path, results: Path, threads: int = 1, **keys: Any) -> Manifest:
    build_manifest({"source": "folder", "path": str(folder), **keys}, results / "manifest.h5", threads)
    return read_manifest(results / "manifest.h5")


@pytest.fixture
def folder(tmp_path: Path, save: Save) -> Path:
    root = tmp_path / "photos"
    for seed, name in enumerate(("cat/a b.png", "cat/ü.jpg", "dog/1.png")):
        save(root / name, picture(seed, 8 + seed, 20))
    (root / "notes.txt").write_text("")
    return root


def test_file(folder: Path, tmp_path: Path) -> None:
    found = build(folder, tmp_path)
    assert found.index.ids.tolist() == ["cat/a b.png", "cat/ü.jpg", "dog/1.png"]
    assert found.width.tolist() == [20] * 3 and found.height.tolist() == [8, 9, 10]
    assert found.index.labels.tolist() == [0, 0, 1] and found.index.classes == ("cat", "dog")
    assert found.index.notes == {"files that are no images": 1, "images left out": 0}
    assert found.source == "folder" and len(found.fingerprint) == 64
    with store.open_file(tmp_path / "manifest.h5") as file:
        assert file["label"].dtype == file["width"].dtype == np.int32
        assert bool(file.attrs["has_labels"]) and not file.attrs["has_masks"]
        assert store.read_strings(file["split"]).tolist() == ["", "", ""]


def test_the_manifest_replaces_the_search(folder: Path, tmp_path: Path, save: Save) -> None:
    build(folder, tmp_path)
    save(folder / "eel" / "1.png")  # comes later
    dataset = open_dataset({"source": "folder", "path": str(folder)}, tmp_path / "manifest.h5")
    assert len(dataset) == 3 and dataset.classes == ("cat", "dog")
    np.testing.assert_array_equal(dataset.image(2), picture(2, 10, 20))
    (folder / "dog" / "1.png").unlink()
    with pytest.raises(UserError, match=r"dog/1\.png' does not exist"):
        dataset.image(2)


def test_all_broken_images_are_listed(folder: Path, tmp_path: Path, save: Save) -> None:
    torn = save(folder / "dog" / "torn.jpg", picture(5, 64, 64))
    torn.write_bytes(torn.read_bytes()[:900])
    (folder / "cat" / "text.png").write_text("text")
    with pytest.raises(UserError, match=r"2 of 5 images cannot be used: .*text\.png.*; .*torn\.jpg"):
        build(folder, tmp_path)
    assert not (tmp_path / "manifest.h5").exists()


def test_processes_make_the_same_file(tmp_path: Path, save: Save) -> None:
    for seed in range(150):
        save(tmp_path / "many" / f"{seed:03}.png", picture(seed, 6, 5))
    one, two = build(tmp_path / "many", tmp_path / "one"), build(tmp_path / "many", tmp_path / "two", threads=2)
    assert one.fingerprint == two.fingerprint
    np.testing.assert_array_equal(one.width, two.width)


def test_fingerprint_follows_contents_and_not_places(folder: Path, tmp_path: Path, save: Save) -> None:
    first = build(folder, tmp_path).fingerprint
    moved = folder.rename(tmp_path / "moved")
    assert build(moved, tmp_path).fingerprint == first
    assert build(moved, tmp_path, limit=3).fingerprint == first
    assert build(moved, tmp_path, classes=["dog", "cat"]).fingerprint != first
    assert build(moved, tmp_path, limit=2).fingerprint != first
    save(moved / "dog" / "1.png", picture(9, 10, 20))
    changed = build(moved, tmp_path).fingerprint
    assert changed != first
    (moved / "dog" / "1.png").rename(moved / "dog" / "2.png")
    assert build(moved, tmp_path).fingerprint not in (first, changed)


SCENES = {"source": "scenes", "train": 6, "test": 3, "size": 32}


def test_scenes_are_painted_once(tmp_path: Path) -> None:
    build_manifest(SCENES, tmp_path / "manifest.h5")
    found = read_manifest(tmp_path / "manifest.h5")
    assert set(found.width.tolist()) == {32} and found.index.categories[0] == "color"
    stored = open_dataset(SCENES, tmp_path / "manifest.h5")
    painted = open_dataset(SCENES)
    for row in range(9):
        np.testing.assert_array_equal(stored.image(row), painted.image(row))
        np.testing.assert_array_equal(stored.segmentation(row).layers, painted.segmentation(row).layers)
        np.testing.assert_array_equal(stored.segmentation(row).image_labels, painted.segmentation(row).image_labels)


def test_painted_images_are_read_from_their_file(tmp_path: Path) -> None:
    build_manifest(SCENES, tmp_path / "manifest.h5")
    with h5py.File(tmp_path / "images.h5", "r+") as file:
        file["images"][4] = 7
    stored = open_dataset(SCENES, tmp_path / "manifest.h5")
    assert (stored.image(4) == 7).all()
    build_manifest(SCENES, tmp_path / "manifest.h5")  # the file is another one now
    np.testing.assert_array_equal(stored.image(4), open_dataset(SCENES).image(4))


def test_scenes_fingerprint_follows_every_parameter(tmp_path: Path) -> None:
    keys: tuple[dict[str, Any], ...] = (
        {},
        {"seed": 1},
        {"size": 34},
        {"train": 7},
        {"shift": "palette"},
        {"shift": "palette", "shift_strength": 0.5},
    )
    prints = []
    for more in keys:
        build_manifest(SCENES | more, tmp_path / "manifest.h5")
        prints.append(read_manifest(tmp_path / "manifest.h5").fingerprint)
    assert len(set(prints)) == len(keys)


def test_scenes_with_a_limit(tmp_path: Path) -> None:
    build_manifest(SCENES | {"limit": 4}, tmp_path / "manifest.h5")
    stored = open_dataset(SCENES | {"limit": 4}, tmp_path / "manifest.h5")
    whole = open_dataset(SCENES)
    for row, name in enumerate(stored.ids):
        np.testing.assert_array_equal(stored.image(row), whole.image(whole.ids.tolist().index(name)))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with store.create(tmp_path / "manifest.h5") as file:
        file["pooled"] = np.zeros(3)
    with pytest.raises(UserError, match="lacks id, split, label"):
        read_manifest(tmp_path / "manifest.h5")


def test_the_manifest_of_another_source_is_refused(folder: Path, tmp_path: Path) -> None:
    build(folder, tmp_path)
    with pytest.raises(UserError, match="source 'folder', expected 'scenes'"):
        open_dataset(SCENES, tmp_path / "manifest.h5")

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel.data.dataset import Dataset
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError

from .conftest import picture

Save = Callable[..., Path]


def read(path: Path, **keys: Any) -> Dataset:
    return open_dataset({"source": "folder", "path": str(path), **keys})


def test_classes(tmp_path: Path, save: Save) -> None:
    for seed, name in enumerate(("dog/1.png", "cat/1.png", "cat/deep/2.png", "ant hill/x.png")):
        save(tmp_path / name, seed)
    (tmp_path / "README.md").write_text("")
    dataset = read(tmp_path)
    assert dataset.classes == ("ant hill", "cat", "dog")
    assert dataset.ids.tolist() == ["ant hill/x.png", "cat/1.png", "cat/deep/2.png", "dog/1.png"]
    assert dataset.labels.tolist() == [0, 1, 1, 2]
    assert set(dataset.splits) == {""}
    assert dataset.has_labels and not dataset.has_masks
    assert dataset.index.notes == {"files that are no images": 1, "images left out": 0}
    np.testing.assert_array_equal(dataset.image(3), picture(0))


def test_choice_and_order_of_classes(tmp_path: Path, save: Save) -> None:
    for name in ("dog/1.png", "cat/1.png", "ant/x.png"):
        save(tmp_path / name)
    dataset = read(tmp_path, classes=["dog", "ant"])
    assert dataset.classes == ("dog", "ant")
    assert dict(zip(dataset.ids.tolist(), dataset.labels.tolist())) == {"dog/1.png": 0, "ant/x.png": 1}
    assert dataset.index.notes["images left out"] == 1
    with pytest.raises(UserError, match="no class folder 'bird'; it has ant, cat, dog"):
        read(tmp_path, classes=["bird"])
    with pytest.raises(UserError, match="name a class twice"):
        read(tmp_path, classes=["dog", "dog"])


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train", "test"), {"train": "train", "test": "test"}),
        (("train", "val"), {"train": "train", "val": "test"}),
        (("train", "val", "test"), {"train": "train", "val": "train", "test": "test"}),
        (("training", "validation"), {"training": "train", "validation": "test"}),
    ],
)
def test_splits(tmp_path: Path, save: Save, folders: tuple[str, ...], expected: dict[str, str]) -> None:
    for folder in folders:
        save(tmp_path / folder / "cat" / "1.png")
        save(tmp_path / folder / "dog" / "1.png")
    dataset = read(tmp_path)
    assert dataset.classes == ("cat", "dog")
    assert {str(name).split("/")[0]: str(split) for name, split in zip(dataset.ids, dataset.splits)} == expected
    assert dataset.splits.tolist() == sorted(dataset.splits.tolist(), reverse=True)  # train first


def test_splits_without_classes(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "train" / "1.png")
    save(tmp_path / "test" / "1.png")
    dataset = read(tmp_path)
    assert dataset.labels.tolist() == [-1, -1] and dataset.splits.tolist() == ["train", "test"]


def test_flat(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "b.png")
    save(tmp_path / "a.jpg")
    dataset = read(tmp_path)
    assert dataset.ids.tolist() == ["a.jpg", "b.png"]
    assert not dataset.has_labels and dataset.classes == ()


def test_flat_takes_subfolders_on_request(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "b.png")
    save(tmp_path / "sub" / "a.png")
    assert read(tmp_path, layout="flat").ids.tolist() == ["b.png", "sub/a.png"]
    with pytest.raises(UserError, match=r"1 images beside subfolders .* set `layout`"):
        read(tmp_path)
    with pytest.raises(UserError, match="remove `classes`"):
        read(tmp_path, layout="flat", classes=["sub"])


def test_unclear_splits(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "train" / "cat" / "a.png")
    save(tmp_path / "extra" / "cat" / "a.png")
    with pytest.raises(UserError, match="splits and others \\('extra'\\)"):
        read(tmp_path)
    assert read(tmp_path, layout="splits").index.notes["images left out"] == 1
    assert read(tmp_path, layout="classes").classes == ("extra", "train")


def test_empty_and_wrong(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(UserError, match=r"holds no image \(1 other files\)"):
        read(tmp_path)
    with pytest.raises(UserError, match="needs the key 'path'"):
        open_dataset({"source": "folder"})
    with pytest.raises(UserError, match="unknown key 'clases'"):
        read(tmp_path, clases=[])
    with pytest.raises(UserError, match="source 'folders'; expected one of scenes, folder"):
        open_dataset({"source": "folders", "path": str(tmp_path)})


def test_content_follows_bytes(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "a.png", 1)
    save(tmp_path / "b.png", 1)
    save(tmp_path / "c.png", 2)
    dataset = read(tmp_path)
    assert dataset.content(0) == dataset.content(1) != dataset.content(2)


def test_without_masks(tmp_path: Path, save: Save) -> None:
    save(tmp_path / "a.png")
    with pytest.raises(UserError, match="no concept masks"):
        read(tmp_path).segmentation(0)

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel.data.dataset import Dataset, Label
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError
from PIL import Image

Save = Callable[..., Path]


def read(path: Path, **keys: Any) -> Dataset:
    return open_dataset({"source": "segmentation", "path": str(path), **keys})


def test_splits_and_labels(segmented: Path) -> None:
    dataset = read(segmented)
    assert dataset.ids.tolist() == ["train/images/a.png", "train/images/b.jpg", "val/images/c.png"]
    assert dataset.splits.tolist() == ["train", "train", "test"]
    assert dataset.concepts == (Label(1, "sky", "object"), Label(2, "road", "object"), Label(3, "wheel", "part"))
    assert dataset.categories == ("object", "part")
    assert not dataset.has_labels and dataset.has_masks
    for row, name in enumerate(("train/labels/a.png", "train/labels/b.png", "val/labels/c.png")):
        values = np.asarray(Image.open(segmented / name))
        found = dataset.segmentation(row)
        assert found.layers.shape == (1, 12, 16) and found.layers.dtype == np.uint16
        # Value c is label c + 1, since 0 means unlabelled.
        np.testing.assert_array_equal(found.layers[0], np.where(values == 9, 0, values + 1))
        assert found.valid is not None
        np.testing.assert_array_equal(found.valid, values != 9)
        assert found.image_labels.size == 0


def test_splits_inside_of_the_image_folder(tmp_path: Path, save: Save) -> None:
    (tmp_path / "classes.json").write_text('["sky"]')
    for name in ("train/a", "val/a"):
        save(tmp_path / "photos" / f"{name}.jpg")
        save(tmp_path / "maps" / f"{name}.png", np.zeros((12, 16), np.uint8))
    dataset = read(tmp_path, images="photos", masks="maps")
    assert dataset.ids.tolist() == ["photos/train/a.jpg", "photos/val/a.jpg"]
    assert dataset.splits.tolist() == ["train", "test"]
    assert (dataset.segmentation(1).layers == 1).all() and dataset.segmentation(1).valid is None


def test_other_size_is_an_error_that_names_both(segmented: Path, save: Save) -> None:
    save(segmented / "train/labels/b.png", np.zeros((12, 15), np.uint8))
    with pytest.raises(UserError, match=r"labels/b\.png' has 15 x 12 pixels, its image 16 x 12"):
        read(segmented).segmentation(1)


def test_unknown_value(segmented: Path, save: Save) -> None:
    save(segmented / "val/labels/c.png", np.full((12, 16), 77, np.uint8))
    with pytest.raises(UserError, match=r"labels/c\.png' has the value 77 at 192 pixels"):
        read(segmented).segmentation(2)
    assert not read(segmented, unlabelled=77).segmentation(2).layers.any()


def test_missing_and_superfluous_maps(segmented: Path, save: Save) -> None:
    save(segmented / "val/labels/spare.png", np.zeros((12, 16), np.uint8))
    assert read(segmented).index.notes["label maps without image"] == 1
    (segmented / "train/labels/a.png").unlink()
    with pytest.raises(UserError, match=r"1 of 2 images .* have no label map .* 'a\.png'; expected a\.png"):
        read(segmented)


def test_stems_that_are_not_unique(segmented: Path, save: Save) -> None:
    save(segmented / "train/images/a.jpg")
    with pytest.raises(UserError, match=r"'a\.jpg' and 'a\.png' .* differ in their suffix alone"):
        read(segmented)


def test_missing_folders(tmp_path: Path, save: Save) -> None:
    (tmp_path / "classes.json").write_text('["sky"]')
    with pytest.raises(UserError, match="no subfolder 'images'"):
        read(tmp_path)
    save(tmp_path / "images" / "a.png")
    with pytest.raises(UserError, match="no subfolder 'labels'"):
        read(tmp_path)


@pytest.mark.parametrize("key", ["images", "masks"])
@pytest.mark.parametrize("name", ["../elsewhere", "/etc"])
def test_subfolders_stay_inside(segmented: Path, key: str, name: str) -> None:
    with pytest.raises(UserError, match=rf"The data set's `{key}` names '{name}', which lies outside of"):
        read(segmented, **{key: name})


def test_turned_photographs_are_measured_upright(tmp_path: Path, save: Save) -> None:
    (tmp_path / "classes.json").write_text(json.dumps(["sky"]))
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "images" / "a.jpg", 0, exif=exif)
    save(tmp_path / "labels" / "a.png", np.zeros((16, 12), np.uint8))
    dataset = read(tmp_path)
    assert dataset.image(0).shape[:2] == dataset.segmentation(0).layers.shape[1:] == (16, 12)

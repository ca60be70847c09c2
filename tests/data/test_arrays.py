from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from intermodel.data.dataset import Dataset
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (5, 6, 7, 3), dtype=np.uint8)
LABELS = np.array([0, 2, 1, 0, 2])


def write(path: Path, **arrays: Any) -> str:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    return str(path)


def read(path: str, **keys: Any) -> Dataset:
    return open_dataset({"source": "arrays", "path": path, **keys})


@pytest.mark.parametrize("name", ["data.npz", "data.h5"])
def test_images_and_labels(tmp_path: Path, name: str) -> None:
    dataset = read(write(tmp_path / name, images=IMAGES, labels=LABELS, classes=np.array([b"a", b"b", b"c"])))
    assert dataset.ids.tolist() == [f"{number:06}" for number in range(5)]
    assert dataset.labels.tolist() == LABELS.tolist() and dataset.classes == ("a", "b", "c")
    assert set(dataset.splits) == {""}
    again = pickle.loads(pickle.dumps(dataset))
    for row in range(5):
        np.testing.assert_array_equal(dataset.image(row), IMAGES[row])
        np.testing.assert_array_equal(again.image(row), IMAGES[row])


@pytest.mark.parametrize("name", ["data.npz", "data.h5"])
def test_usual_names_of_splits(tmp_path: Path, name: str) -> None:
    path = write(
        tmp_path / name, x_train=IMAGES[:3], x_test=IMAGES[3:], y_train=LABELS[:3, None], y_test=LABELS[3:, None]
    )
    dataset = read(path)
    assert dataset.ids.tolist() == ["train/000000", "train/000001", "train/000002", "test/000000", "test/000001"]
    assert dataset.splits.tolist() == ["train"] * 3 + ["test"] * 2
    assert dataset.labels.tolist() == LABELS.tolist() and dataset.classes == ("0", "1", "2")
    np.testing.assert_array_equal(dataset.image(4), IMAGES[4])


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (IMAGES[..., 0], np.repeat(IMAGES[..., :1], 3, 3)),
        (IMAGES[..., :1], np.repeat(IMAGES[..., :1], 3, 3)),
        (IMAGES.transpose(0, 3, 1, 2), IMAGES),
        (IMAGES[:, None, :, :, 0], np.repeat(IMAGES[..., :1], 3, 3)),
        (IMAGES.astype(np.float32) / 255, IMAGES),
        (np.concatenate([IMAGES, np.full((5, 6, 7, 1), 255, np.uint8)], 3), IMAGES),
    ],
)
def test_shapes_and_types(tmp_path: Path, stored: np.ndarray, expected: np.ndarray) -> None:
    dataset = read(write(tmp_path / "data.npz", pictures=stored), images="pictures")
    np.testing.assert_array_equal(np.stack([dataset.image(row) for row in range(5)]), expected)
    assert not dataset.has_labels


@pytest.mark.parametrize("name", ["data.npz", "data.h5"])
def test_masks(tmp_path: Path, name: str) -> None:
    (tmp_path / "concepts.json").write_text(json.dumps({"1": "sky", "4": "road"}))
    masks = RNG.choice(np.array([0, 1, 4, 255], np.uint8), (5, 2, 6, 7))
    path = write(tmp_path / name, images=IMAGES, masks=masks)
    dataset = read(path, masks="masks", concepts=str(tmp_path / "concepts.json"), void=255)
    assert [label.name for label in dataset.concepts] == ["sky", "road"]
    found = dataset.segmentation(3)
    np.testing.assert_array_equal(found.layers, np.select([masks[3] == 1, masks[3] == 4], [1, 2], 0))
    assert found.valid is not None
    np.testing.assert_array_equal(found.valid, (masks[3] != 255).all(axis=0))
    single = read(write(tmp_path / f"one_{name}", images=IMAGES, masks=masks[:, 0] % 255), masks="masks",
                  concepts=str(tmp_path / "concepts.json"))  # fmt: skip
    assert single.segmentation(0).layers.shape == (1, 6, 7) and single.segmentation(0).valid is None


@pytest.mark.parametrize(
    ("arrays", "keys", "message"),
    [
        ({"other": IMAGES}, {}, "holds the arrays other; set `images`"),
        ({"images": IMAGES}, {"images": "pictures"}, "has no array 'pictures'; it holds images"),
        ({"images": IMAGES[0, 0]}, {}, r"has the shape \(7, 3\), expected"),
        ({"images": IMAGES.astype(np.int64)}, {}, "has the type int64, expected uint8"),
        ({"images": IMAGES, "labels": LABELS[:4]}, {}, r"shape \(4,\) .* expected 5 whole numbers"),
        ({"images": IMAGES, "labels": LABELS * 0.5}, {}, "expected 5 whole numbers"),
        ({"images": IMAGES, "labels": LABELS, "classes": np.array(["a"])}, {}, "class numbers from 0 to 2"),
        ({"images": IMAGES, "labels": LABELS}, {"images": {"dev": "images"}}, "the split 'dev'"),
        ({"images": IMAGES, "m": IMAGES[..., 0]}, {"masks": "m"}, "needs `concepts`"),
        ({"images": IMAGES, "m": IMAGES[:, :3, :, 0]}, {"masks": "m"}, r"shape \(5, 3, 7\)"),
        ({"images": IMAGES, "labels": LABELS + 2**32}, {"classes": ["a", "b", "c"]}, "from 4294967296 to 4294967298"),
        ({"images": IMAGES, "labels": LABELS + 10**6}, {}, "class number 1000002, expected 0 to 99,999"),
        ({"images": IMAGES, "labels": LABELS - 2}, {}, "class numbers from -2 to 0, expected 0 to 0"),
        ({"x_train": IMAGES, "x_test": IMAGES, "y_train": LABELS}, {}, "`labels` name arrays for train, its `images`"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, arrays: dict[str, Any], keys: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "data.npz", **arrays)
    with pytest.raises(UserError, match=message):
        read(path, **keys)


def test_floats_out_of_range(tmp_path: Path) -> None:
    dataset = read(write(tmp_path / "data.npz", images=IMAGES.astype(np.float32)))
    with pytest.raises(UserError, match="expected 0 to 1 for floats"):
        dataset.image(0)
    broken = np.zeros((1, 4, 4, 3))
    broken[0, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match="expected 0 to 1 for floats"):
        read(write(tmp_path / "nan.npz", images=broken)).image(0)


def test_broken_files(tmp_path: Path) -> None:
    for name in ("bad.npz", "bad.h5"):
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(UserError, match=rf"{name}' is not a readable"):
            read(str(tmp_path / name))
    with pytest.raises(UserError, match="There is no file"):
        read(str(tmp_path / "none.npz"))
    np.savez(tmp_path / "objects.npz", images=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="Python objects are not read"):
        read(str(tmp_path / "objects.npz"))

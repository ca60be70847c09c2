from __future__ import annotations

import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError

pytest.importorskip("torchvision", reason="torchvision is not installed in this environment")

RNG = np.random.default_rng(0)
DIGITS = {
    "train": RNG.integers(0, 256, (6, 28, 28), dtype=np.uint8),
    "t10k": RNG.integers(0, 256, (3, 28, 28), np.uint8),
}
LABELS = {"train": np.array([3, 1, 4, 1, 5, 9], np.uint8), "t10k": np.array([2, 6, 5], np.uint8)}


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """The files of MNIST in their published format, with random pixels."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part in DIGITS:
        images, labels = DIGITS[part], LABELS[part]
        (raw / f"{part}-images-idx3-ubyte").write_bytes(struct.pack(">4i", 2051, *images.shape) + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(struct.pack(">2i", 2049, len(labels)) + labels.tobytes())
    return tmp_path


def test_both_splits(mnist: Path) -> None:
    dataset = open_dataset({"source": "torchvision", "name": "MNIST", "path": str(mnist)})
    assert dataset.ids.tolist() == [f"train/{n:06}" for n in range(6)] + [f"test/{n:06}" for n in range(3)]
    assert dataset.labels.tolist() == [3, 1, 4, 1, 5, 9, 2, 6, 5]
    assert dataset.splits.tolist() == ["train"] * 6 + ["test"] * 3
    assert len(dataset.classes) == 10 and dataset.classes[3].startswith("3")
    again = pickle.loads(pickle.dumps(dataset))
    np.testing.assert_array_equal(again.image(7), np.repeat(DIGITS["t10k"][1][..., None], 3, 2))
    assert dataset.content(0) != dataset.content(1)


def test_wrong_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no data set 'NoSuchSet'"):
        open_dataset({"source": "torchvision", "name": "NoSuchSet", "path": str(tmp_path)})
    with pytest.raises(UserError, match=r"MNIST cannot be opened in .*download it there first"):
        open_dataset({"source": "torchvision", "name": "MNIST", "path": str(tmp_path)})


def test_options_that_are_set_here(tmp_path: Path) -> None:
    spec = {"source": "torchvision", "name": "MNIST", "path": str(tmp_path), "options": {"download": True}}
    with pytest.raises(UserError, match="hold 'download'"):
        open_dataset(spec)

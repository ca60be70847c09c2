"""From a data set and a recipe to the files of a trained model."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from intermodel.csv_tables import read_table
from intermodel.data.dataset import Dataset, make_index
from intermodel.engine.errors import UserError
from intermodel.models.load import load_model
from intermodel.models.preprocessing import Preprocessing
from intermodel.training.run import train_model, training_images
from intermodel.training.weights import read_metadata

MODEL = {
    "architecture": "resnet14t",
    "kwargs": {"channels": [4, 4, 8, 8], "stem_width": 8, "output_stride": 16},
    "preprocessing": {"size": 32, "resize": "none", "crop": "none", "mean": [0.5] * 3, "std": [0.25] * 3},
}
VIT = {
    **MODEL,
    "architecture": "test_vit",
    "kwargs": {
        "patch_size": 8,
        "img_size": 32,
        "class_token": False,
        "global_pool": "avg",
        "embed_dim": 16,
        "depth": 1,
    },
}
RECIPE = {"objective": "supervised", "steps": 3, "batch_size": 8}


class Memory(Dataset):
    """Images of noise; every third one is for testing."""

    source = "memory"

    def __init__(self, count: int = 30, splits: bool = True, size: int = 32, labelled: bool = True):
        self.images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        names = ["test" if i % 3 == 2 else "train" for i in range(count)] if splits else None
        labels = [i % 4 for i in range(count)] if labelled else None
        super().__init__(make_index([f"image-{i}" for i in range(count)], labels, names, classes=list("abcd")))

    def image(self, i):
        return self.images[i]

    def content(self, i):
        return self.images[i].tobytes()


def run(folder, name="small", dataset=None, model=MODEL, recipe=RECIPE, seed=0):
    paths = folder / f"{name}.safetensors", folder / f"{name}.history.csv"
    train_model(dataset or Memory(), *paths, name=name, model=model, recipe=recipe, seed=seed, device="cpu")
    return paths


@pytest.mark.parametrize("model", [MODEL, VIT], ids=["resnet", "vit"])
def test_written_weights_load_as_a_model_of_the_study(tmp_path, model):
    weights, history = run(tmp_path, model=model)
    loaded = load_model({**model, "weights": {"source": "train"}}, weights)
    features = loaded.network(torch.zeros((2, 3, 32, 32)))
    assert features.ndim == 2
    assert torch.isfinite(features).all()
    np.testing.assert_array_equal(read_table(history)["step"], [1, 2, 3])


def test_metadata_tells_how_it_was_trained(tmp_path):
    metadata = read_metadata(run(tmp_path, seed=7)[0])
    assert metadata["model"] == "small"
    assert metadata["kwargs"]["num_classes"] == 0
    assert metadata["recipe"] == RECIPE
    assert metadata["seed"] == 7
    assert metadata["images"] == 20
    assert metadata["device"] == "cpu"
    assert set(metadata["versions"]) == {"torch", "timm", "lightly"}


def test_equal_trainings_give_equal_files_and_names_are_seeds(tmp_path):
    first = [path.read_bytes() for path in run(tmp_path / "a")]
    again = [path.read_bytes() for path in run(tmp_path / "b")]
    assert first == again
    other = run(tmp_path, name="other")[0]
    assert load_state(other) != load_state(tmp_path / "a" / "small.safetensors")


def load_state(path):
    from safetensors.torch import load_file

    return {name: value.numpy().tobytes() for name, value in load_file(path).items()}


def test_training_and_features_see_the_same_pixels():
    """What enters the network in training is what `Preprocessing` gives at extraction, before normalisation."""
    dataset = Memory(9, size=48)
    preprocessing = Preprocessing.from_dict({"size": 32, "resize": "shorter", "crop_fraction": 0.8})
    images, labels = training_images(dataset, preprocessing, "m")
    rows = np.flatnonzero(dataset.splits == "train")
    np.testing.assert_array_equal(labels, dataset.labels[rows])
    for image, row in zip(images, rows, strict=True):
        np.testing.assert_array_equal(image, preprocessing.pixels(dataset.image(row)))


def test_without_splits_all_images_are_used_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        images, _ = training_images(Memory(splits=False), Preprocessing.from_dict(MODEL["preprocessing"]), "m")
    assert len(images) == 30
    assert "m has no splits, so it is trained on all 30 images" in caplog.text


def test_errors_say_what_is_wrong(tmp_path):
    tests_only = Memory(6)
    tests_only.index = tests_only.index.take(np.array([2, 5]))
    with pytest.raises(UserError, match="model small has no images of the split 'train'"):
        run(tmp_path, dataset=tests_only)
    with pytest.raises(UserError, match="20 of 20 training images have no label"):
        run(tmp_path, dataset=Memory(labelled=False))
    with pytest.raises(UserError, match="has no key 'lr'"):
        run(tmp_path, recipe={**RECIPE, "lr": 1.0})
    with pytest.raises(UserError, match="resnet14x"):
        run(tmp_path, model={**MODEL, "architecture": "resnet14x"})
    assert not list(tmp_path.iterdir())


def test_images_that_cannot_fit_into_memory_are_refused_before_reading():
    huge = Preprocessing.from_dict({"size": 2_000_000, "resize": "none", "crop": "none"})
    with pytest.raises(UserError, match="GiB of memory, but this machine has"):
        training_images(Memory(), huge, "m")

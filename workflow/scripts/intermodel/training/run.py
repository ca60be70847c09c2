"""From a data set and a recipe to the files of a trained model."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.data.dataset import Dataset
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.seeds import derive_seed
from intermodel.models.architecture import build
from intermodel.models.device import choose_device, device_name, exact_arithmetic
from intermodel.models.load import architecture_of, resolve_preprocessing
from intermodel.models.preprocessing import Preprocessing
from intermodel.training.recipe import read_recipe
from intermodel.training.train import train
from intermodel.training.weights import write_history, write_weights

logger = logging.getLogger(__name__)

# Share of the machine's memory that the decoded training images may take.
MEMORY_SHARE = 0.5


def train_model(
    dataset: Dataset,
    weights: str | os.PathLike[str],
    history: str | os.PathLike[str],
    *,
    name: str,
    model: Mapping[str, Any],
    recipe: Mapping[str, Any],
    seed: int = 0,
    device: str = "auto",
    threads: int = 1,
) -> None:
    """Train a model on the training images of a data set and write its weights and its history.

    Parameters
    ----------
    dataset
        Its images of the split "train" are used, or all where it has no splits.
    weights, history
        The safetensors and the CSV file to write.
    name
        The model's name; part of the seed, so that two models of equal settings differ.
    model
        The model's record as `intermodel.models.load.load_model` takes it: `architecture`, `kwargs`, `python_path`,
        `preprocessing`.
    recipe
        Settings as `intermodel.training.recipe.read_recipe` takes them.
    seed
        The study's or the model's seed.
    device
        "auto" (CUDA where there is a GPU, else the CPU), "cpu", "cuda" or "cuda:1".
    threads
        Threads of the CPU.

    Raises
    ------
    UserError
        If the network, the settings or the images do not serve.
    """
    checked = read_recipe(recipe)
    record = {**model, "weights": {"source": "train"}}
    own_seed = derive_seed(seed, "training", name)
    architecture, kwargs = architecture_of(record)
    backbone = build(architecture, kwargs, derive_seed(own_seed, "backbone"), record.get("python_path"))
    preprocessing = resolve_preprocessing(record, backbone, record["weights"])
    images, labels = training_images(dataset, preprocessing, name)
    chosen = choose_device(device)
    exact_arithmetic()
    steps = train(
        backbone,
        images,
        labels if dataset.has_labels else None,
        checked,
        seed=own_seed,
        mean=preprocessing.mean or (0.0, 0.0, 0.0),
        std=preprocessing.std or (1.0, 1.0, 1.0),
        channel_order=preprocessing.channel_order,
        device=chosen,
        threads=threads,
        name=name,
    )
    metadata = {
        "model": name,
        "architecture": architecture,
        "kwargs": kwargs,
        "preprocessing": preprocessing.to_dict(),
        "recipe": dict(recipe),
        "seed": seed,
        "images": len(images),
        "device": device_name(chosen),
        "versions": {package: version(package) for package in ("torch", "timm", "lightly")},
    }
    write_weights(weights, backbone.state_dict(), metadata, checked.dtype)
    write_history(history, steps)


def training_images(
    dataset: Dataset, preprocessing: Preprocessing, name: str
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Read the training images of a data set as the network will see them, except for normalisation.

    Parameters
    ----------
    dataset
        Its images of the split "train" are used, or all where it has no splits.
    preprocessing
        Resize and crop.
    name
        The model's name, for messages.

    Returns
    -------
    images : ndarray
        (N, H, W, 3) uint8.
    labels : ndarray
        (N,) int32, -1 for none.

    Raises
    ------
    UserError
        If there are splits but no training images, or if the images would not fit into memory.
    """
    chosen = np.flatnonzero(dataset.splits == "train")
    if (dataset.splits == "").all():
        logger.warning(
            "The data set of model %s has no splits, so it is trained on all %d images; probes on this data set will "
            "be optimistic.",
            name,
            len(dataset),
        )
        chosen = np.arange(len(dataset))
    if not len(chosen):
        raise UserError(f"The data set of model {name} has no images of the split 'train'; train it on another one.")
    height, width = preprocessing.size
    needed = len(chosen) * height * width * 3
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > MEMORY_SHARE * memory:
        raise UserError(
            f"Model {name} is trained on {len(chosen)} images of {height}x{width} pixels, which take "
            f"{needed / 2**30:.1f} GiB of memory, but this machine has {memory / 2**30:.1f} GiB; use fewer images "
            "(limit) or a smaller preprocessing.size."
        )
    images = np.empty((len(chosen), height, width, 3), np.uint8)
    for position, index in enumerate(progress(chosen, unit="training image", label=f"read for {name}")):
        images[position] = preprocessing.pixels(dataset.image(int(index)), str(dataset.ids[index]))
    return images, dataset.labels[chosen]

"""A CLIP model of open-clip: built without a connection, loaded from the user's file, applied to images and words."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from intermodel.clip_dissect.words import read_words
from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.features.prefetch import Images, batches
from intermodel.models.checkpoint import locate, read_checkpoint, unwrap
from intermodel.models.device import choose_device, device_name, exact_arithmetic
from intermodel.models.preprocessing import Preprocessing
from intermodel.models.record import one_line
from intermodel.store import PathLike, create, write_strings

KEY = "analyses.clip_dissect"
# How open-clip's ways of resizing are called here; "longest" pads, which is not supported.
RESIZE = {"shortest": ("shorter", "center"), "squash": ("squash", "none")}
# Words in a batch.
WORDS = 256


@dataclass(frozen=True)
class Clip:
    """A CLIP model with what turns images and words into its inputs."""

    model: torch.nn.Module
    preprocessing: Preprocessing
    tokenizer: Any
    name: str
    sha256: str | None


def load_clip(model: str, weights: str, sha256: str | None = None) -> Clip:
    """Build a model and load its weights.

    Parameters
    ----------
    model
        A name of open-clip's, e.g. ``ViT-B-16``, or a JSON file of its model configuration.
    weights
        A checkpoint that holds tensors only: safetensors, or what ``torch.save`` writes.
    sha256
        Digest that the checkpoint must have.

    Raises
    ------
    UserError
        If the model is unknown or needs files from elsewhere, or the checkpoint is not one of this model.
    """
    # What is missing shall be told, not fetched.
    os.environ["HF_HUB_OFFLINE"] = "1"
    import open_clip

    name = _registered(model)
    path = locate(weights, None, sha256)
    try:
        # Weights are loaded below; that there are none yet is no news.
        logging.disable(logging.WARNING)
        network = open_clip.create_model(name, load_weights=False)
        tokenizer = open_clip.get_tokenizer(name)
        config = open_clip.get_model_preprocess_cfg(network)
    except Exception as error:  # other packages' towers and tokenizers fail in every way
        raise UserError(
            f"{KEY}.model: open-clip cannot build {model!r} without a connection ({one_line(error)}); choose a model "
            "whose towers and tokenizer come with open-clip, such as ViT-B-16."
        ) from error
    finally:
        logging.disable(logging.NOTSET)
    _load_weights(network, path, model)
    network.eval().requires_grad_(False)
    return Clip(network, _preprocessing(config), tokenizer, name, sha256)


def _registered(model: str) -> str:
    import open_clip

    if model.endswith(".json"):
        file = Path(expand(model))
        try:
            config = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UserError(f"{KEY}.model: {file} cannot be read as JSON ({one_line(error)}).") from error
        missing = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in config]
        if missing:
            raise UserError(f"{KEY}.model: {file} lacks {missing[0]!r}; expected a model configuration of open-clip.")
        open_clip.add_model_config(file)
        return file.stem
    known = open_clip.list_models()
    if model not in known:
        import difflib

        close = difflib.get_close_matches(model, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else "open_clip.list_models() lists them"
        raise UserError(f"{KEY}.model: found {model!r}, which open-clip does not know; {hint}")
    return model


def _load_weights(network: torch.nn.Module, path: Path, model: str) -> None:
    state = unwrap(read_checkpoint(path), None, path)
    if all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    # A buffer that older versions of the text tower saved.
    state = {key: value for key, value in state.items() if not key.endswith("position_ids")}
    expected = network.state_dict()
    missing, unknown = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or unknown:
        what = f"lacks {missing[0]!r}" if missing else f"has {unknown[0]!r}"
        raise UserError(
            f"{KEY}.weights: {path} is no checkpoint of {model}: it {what} ({len(missing)} tensors are missing, "
            f"{len(unknown)} unknown); give the file and the model that belong together."
        )
    for key, value in state.items():
        if value.shape != expected[key].shape:
            raise UserError(
                f"{KEY}.weights: {path} is no checkpoint of {model}: {key!r} has the shape {tuple(value.shape)}, "
                f"expected {tuple(expected[key].shape)}; give the file and the model that belong together."
            )
    network.load_state_dict(state)


def _preprocessing(config: Mapping[str, Any]) -> Preprocessing:
    mode = config["resize_mode"]
    if mode not in RESIZE or config["interpolation"] not in ("bicubic", "bilinear"):
        raise UserError(
            f"{KEY}.model: images are prepared with resize_mode {mode!r} and interpolation "
            f"{config['interpolation']!r}, which is not supported; choose a model with shortest or squash, and bicubic "
            "or bilinear."
        )
    size = config["size"]
    height, width = size if isinstance(size, tuple | list) else (size, size)
    resize, crop = RESIZE[mode]
    return Preprocessing(
        size=(height, width),
        resize=resize,
        crop=crop,
        interpolation=config["interpolation"],
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
    )


def image_embeddings(clip: Clip, images: Images, device: torch.device, batch_size: int, workers: int) -> NDArray[Any]:
    """Normalised embeddings of all images, (N, E) float32."""
    model = clip.model.to(device)
    found = []
    bar: progress[int] = progress(total=len(images), label="embedding images")
    with bar, torch.inference_mode():
        for _, pixels in batches(images, clip.preprocessing, range(len(images)), batch_size, workers):
            tensor = clip.preprocessing.normalise(pixels.to(device))
            found.append(model.encode_image(tensor, normalize=True).float().cpu().numpy())  # type: ignore[operator]
            bar.advance(len(pixels))
    return np.concatenate(found)


def word_embeddings(clip: Clip, words: Sequence[str], device: torch.device) -> NDArray[Any]:
    """Normalised embeddings of the bare words, without a sentence around them, (C, E) float32."""
    model = clip.model.to(device)
    found = []
    with torch.inference_mode():
        for start in progress(range(0, len(words), WORDS), unit="batch", label="embedding words"):
            tokens = clip.tokenizer(list(words[start : start + WORDS])).to(device)
            found.append(model.encode_text(tokens, normalize=True).float().cpu().numpy())  # type: ignore[operator]
    return np.concatenate(found)


def embed_images(
    clip: Clip,
    images: Images,
    path: PathLike,
    *,
    dataset: str,
    dataset_fingerprint: str,
    device: str = "auto",
    batch_size: int = 64,
    workers: int = 1,
    threads: int | None = None,
) -> None:
    """Write the embeddings of a data set: `embedding` (N, E) float32 and `index` (N,) image ids."""
    exact_arithmetic(threads)
    chosen = choose_device(device)
    values = image_embeddings(clip, images, chosen, batch_size, workers)
    _check_finite(values, images.ids)
    about = {"dataset": dataset, "dataset_fingerprint": dataset_fingerprint, "device": device_name(chosen)}
    with create(path, clip=clip.name, clip_sha256=clip.sha256 or "", **about) as file:
        file["embedding"] = values
        write_strings(file, "index", np.asarray(images.ids))


def embed_words(clip: Clip, words: str | Sequence[str], path: PathLike, threads: int | None = None) -> None:
    """Write the embeddings of the words: `embedding` (C, E) float32 and `word` (C,)."""
    exact_arithmetic(threads)
    chosen = read_words(words)
    values = word_embeddings(clip, chosen, torch.device("cpu"))
    _check_finite(values, chosen)
    with create(path, clip=clip.name, clip_sha256=clip.sha256 or "") as file:
        file["embedding"] = values
        write_strings(file, "word", chosen)


def _check_finite(values: NDArray[Any], names: Sequence[str] | NDArray[np.str_]) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise UserError(
            f"{KEY}.weights: the embedding of {str(names[int(bad[0])])!r} is not finite; the checkpoint is damaged or "
            "belongs to another model."
        )

"""The files that a training leaves: weights and history."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from intermodel.csv_tables import write_table
from intermodel.engine.errors import UserError
from intermodel.engine.publish import publish
from intermodel.training.train import History

# Largest finite float16.
LARGEST_HALF = 65504.0


def write_weights(
    path: str | os.PathLike[str], state: Mapping[str, Tensor], metadata: dict[str, Any], dtype: str = "float32"
) -> None:
    """Write a state dict as safetensors, atomically.

    Parameters
    ----------
    path
        The file.
    state
        Names and tensors.
    metadata
        JSON values that are stored with the tensors, as one text under the key "intermodel": the order in which the
        format writes several keys is random, and equal trainings shall give equal files.
    dtype
        "float32", or "float16" for half the size: see `compact`.
    """
    tensors = compact(state) if dtype == "float16" else state
    text = {"intermodel": json.dumps(metadata, sort_keys=True)}
    with publish(path) as temporary:
        save_file({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, temporary, text)


def compact(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round matrices and kernels to float16.

    Scales, biases and running statistics are small in number and sensitive, since a running variance may be smaller
    than float16's smallest number; they stay as they are, and so does a matrix with a value that float16 cannot hold.

    Parameters
    ----------
    state
        Names and tensors.

    Returns
    -------
    dict
        The same names; floating point tensors of two or more dimensions are float16.
    """

    def rounded(value: Tensor) -> Tensor:
        fits = value.is_floating_point() and value.ndim > 1 and bool(value.abs().max() <= LARGEST_HALF)
        return value.to(torch.float16) if fits else value

    return {key: rounded(value) for key, value in state.items()}


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What `write_weights` stored with the tensors.

    Raises
    ------
    UserError
        If the file is missing, damaged, or was not written by a training of this project.
    """
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("intermodel")
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read as safetensors ({error}); train the model again.") from error
    if text is None:
        raise UserError(f"{path} does not say how it was trained; it was not written by train_model.")
    metadata: dict[str, Any] = json.loads(text)
    return metadata


def write_history(path: str | os.PathLike[str], history: History) -> None:
    """Write the columns step (from 1), loss, learning_rate and embedding_std as CSV, atomically."""
    columns = {
        "step": list(range(1, len(history.loss) + 1)),
        "loss": history.loss.tolist(),
        "learning_rate": history.learning_rate.tolist(),
        "embedding_std": history.embedding_std.tolist(),
    }
    write_table(path, columns)

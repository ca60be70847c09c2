"""A network made ready for a pass over a data set, as every pass needs it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from intermodel.engine.errors import UserError
from intermodel.features.forward import Forward, images_in_cache
from intermodel.features.simplify import Simplified, simplified
from intermodel.models.device import choose_device, exact_arithmetic
from intermodel.models.layers import Layer, check_layers, layer_table
from intermodel.models.load import LoadedModel
from intermodel.models.tokens import arrange

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Ready:
    """The network on its device, the rows of its layer table that were asked for, and how it was simplified."""

    forward: Forward
    layers: tuple[Layer, ...]
    simplified: Simplified


@contextmanager
def ready(
    model: LoadedModel,
    names: Sequence[str],
    *,
    batch_size: int = 32,
    device: str = "auto",
    threads: int | None = None,
    precision: str = "float32",
) -> Iterator[Ready]:
    """Put a network on a device and simplify it for the time of a pass.

    What a layer gives depends on `names` in its last digits, since operators are joined where nobody looks between
    them; passes whose results must be equal name the same layers.

    Parameters
    ----------
    model
        From `models.load.load_model`; its network is moved to the device.
    names
        Layers.
    batch_size, device, threads, precision
        As for `extract.extract`.

    Raises
    ------
    UserError
        If a layer does not exist or cannot be extracted, or an argument is out of its range.
    """
    if batch_size < 1:
        raise UserError(f"batch_size is {batch_size}, expected at least 1.")
    if precision not in PRECISIONS:
        raise UserError(f"precision is {precision!r}, expected {' or '.join(PRECISIONS)}.")
    exact_arithmetic(threads)
    chosen = choose_device(device)
    network = model.network.eval().to(chosen).to(memory_format=torch.channels_last)
    size = model.preprocessing.size
    table = layer_table(network, size)
    layers = check_layers(list(dict.fromkeys(names)), table)
    arrangements = {
        layer.name: arrange((1, *(layer.shape or ())), size, model.tokens, network, model.layout, layer.name)
        for layer in layers
    }
    if chosen.type == "cpu":
        batch_size = min(batch_size, images_in_cache(table, torch.get_num_threads()))
    forward = Forward(network, model.preprocessing, arrangements, chosen, batch_size, PRECISIONS[precision])
    with simplified(network, layers, arrangements, size, batch_size, fusing=precision == "float32") as done:
        yield Ready(forward, tuple(layers), done)

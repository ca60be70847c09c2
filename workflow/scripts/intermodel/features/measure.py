"""What a network costs before it is run over a data set: seconds per image, and the shapes of its layers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intermodel.features.forward import Forward
from intermodel.models.architecture import build
from intermodel.models.device import choose_device, device_name, exact_arithmetic
from intermodel.models.layers import check_layers, layer_table
from intermodel.models.load import architecture_of, resolve_preprocessing
from intermodel.models.tokens import Tokens, arrange

# Enough for a steady rate, little enough to be over at once.
LEAST_SECONDS = 0.5
MOST_IMAGES = 16


@dataclass(frozen=True)
class NetworkCost:
    """What one forward pass costs and gives.

    Attributes
    ----------
    seconds
        Seconds per image (on the CPU: of one core), from pixels in memory to maps in memory, in batches.
    shapes
        Layer name -> units, height, width of its maps.
    device
        Where that was measured.
    """

    seconds: float
    shapes: dict[str, tuple[int, int, int]]
    device: str


def measure_network(
    record: Mapping[str, Any], layers: Sequence[str], batch_size: int = 64, device: str = "auto", threads: int = 1
) -> NetworkCost:
    """Time a network with random weights on random pixels.

    Parameters
    ----------
    record
        A model record; its weights are not loaded, which does not change the time.
    layers
        Layers whose maps are taken; the network is run as far as the last of them.
    batch_size
        Images in a batch; on the CPU at most `MOST_IMAGES` are used.
    device
        ``"auto"``, ``"cpu"`` or ``"cuda"``.
    threads
        Threads of torch on the CPU.

    Raises
    ------
    UserError
        If the network cannot be built, or a layer does not exist or cannot be extracted.
    """
    exact_arithmetic(threads)
    chosen = choose_device(device)
    architecture, kwargs = architecture_of(record)
    network = build(architecture, kwargs, python_path=record.get("python_path"))
    preprocessing = resolve_preprocessing(record, network, record.get("weights") or {})
    network = network.to(chosen).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    size = preprocessing.size
    rows = check_layers(list(layers), layer_table(network, size))
    tokens, layout = Tokens.from_dict(record.get("tokens")), record.get("layout") or "auto"
    arrangements = {row.name: arrange((1, *(row.shape or ())), size, tokens, network, layout, row.name) for row in rows}
    forward = Forward(network, preprocessing, arrangements, chosen, batch_size)
    images = min(batch_size, MOST_IMAGES) if chosen.type == "cpu" else batch_size
    pixels = torch.randint(0, 256, (images, *size, 3), dtype=torch.uint8)
    dtypes = dict.fromkeys(layers, torch.float16)

    # Other programs on this machine do not count where the work is this process's own.
    now = time.process_time if chosen.type == "cpu" else time.perf_counter

    def once() -> float:
        begin = now()
        for _ in forward.run(pixels, rows, dtypes):
            pass
        return now() - begin

    once()  # the first pass pays for allocations and, on a GPU, for loading kernels
    # The fastest of several passes is the one that nothing else disturbed.
    passes = [once()]
    while sum(passes) < LEAST_SECONDS and len(passes) < 20:
        passes.append(once())
    shapes = {name: arrangement.shape for name, arrangement in arrangements.items()}
    return NetworkCost(min(passes) / len(pixels), shapes, device_name(chosen))

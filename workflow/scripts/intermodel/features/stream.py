"""Maps that go from the network to whoever wants them, without a file between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import torch

from intermodel.engine.progress import progress
from intermodel.features.extract import check_rows
from intermodel.features.forward import Rows
from intermodel.features.prefetch import Images, batches
from intermodel.features.ready import Ready


def stream(
    network: Ready,
    images: Images,
    span: range,
    dtypes: Mapping[str, torch.dtype],
    *,
    model: str,
    dataset: str,
    workers: int = 1,
    leave_maps: bool = False,
) -> Iterator[tuple[int, dict[str, Rows]]]:
    """Yield (first image, layer -> rows with maps) in order, the same values as a feature file would hold.

    At most one batch is held. Images pass as in `extract`: in batches that begin at multiples of the batch size, so
    shards change no bit.

    Parameters
    ----------
    network
        From `ready`.
    images, span
        The data set, and which of its images are wanted.
    dtypes
        Layer -> dtype of its maps; the network is not run beyond the last of these layers.
    model, dataset
        Names for error messages.
    workers
        Threads that decode images.
    leave_maps
        Leave maps on the network's device (`Rows.on_device`).

    Raises
    ------
    UserError
        If an activation is NaN or infinite.
    """
    forward = network.forward
    layers = [layer for layer in network.layers if layer.name in dtypes]
    size = forward.limit
    wanted = range(span.start - span.start % size, min(len(images), -(-span.stop // size) * size))
    source = batches(images, forward.preprocessing, wanted, size, workers, pin=forward.device.type == "cuda")
    bar: progress[Any] = progress(total=len(wanted), unit="image", label=f"{model} on {dataset}")
    with closing(source), bar:
        for first, pixels in source:
            for offset, rows in forward.run(pixels, layers, dtypes, leave_maps):
                begin = first + offset
                end = begin + len(next(iter(rows.values())).finite)
                bar.advance(end - begin)
                own = slice(max(begin, span.start) - begin, min(end, span.stop) - begin)
                if own.start < own.stop:
                    rows = {name: result[own] for name, result in rows.items()}
                    check_rows(rows, images, begin + own.start, model, dataset)
                    yield begin + own.start, rows

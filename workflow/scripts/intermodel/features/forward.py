"""Batches through a network on a device, smaller ones when memory runs out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from intermodel.engine.errors import UserError
from intermodel.features.capture import Captured, capture
from intermodel.models.device import is_out_of_memory
from intermodel.models.layers import Layer
from intermodel.models.preprocessing import Preprocessing
from intermodel.models.tokens import Arrangement

logger = logging.getLogger(__name__)

# Bytes of one layer's output for which each thread of a processor has room in its cache, or its share of a common one.
CACHE_BYTES = 16 * 2**20


def images_in_cache(layers: Sequence[Layer], threads: int) -> int:
    """Images, a power of 2, whose largest layer output stays in a processor's cache until the next layer takes it."""
    largest = max((prod(layer.shape) for layer in layers if layer.shape), default=1)
    images = max(1, CACHE_BYTES * threads // (4 * largest))
    return 1 << (images.bit_length() - 1)


@dataclass(frozen=True)
class Rows:
    """What one layer gave for n images, in the memory of the machine.

    Attributes
    ----------
    pooled
        (n, C) float32, rounded once from float64.
    finite
        (n,) bool: whether all values of the image's output are finite.
    maps
        (n, C, h, w) in the dtype asked for, or None.
    largest
        (n,) float32: largest absolute value of the image's maps before conversion, or None.
    on_device
        The maps as a tensor on the network's device, where they were to be left there (`maps` is None then).
    """

    pooled: NDArray[np.float32]
    finite: NDArray[np.bool_]
    maps: NDArray[np.floating] | None
    largest: NDArray[np.float32] | None
    on_device: torch.Tensor | None = None

    def __getitem__(self, part: slice) -> Rows:
        """The rows of some of the images."""
        columns = (self.pooled, self.finite, self.maps, self.largest, self.on_device)
        return Rows(*(None if column is None else column[part] for column in columns))  # type: ignore[arg-type]


class Forward:
    """A network on a device with the largest batch that fits.

    Parameters
    ----------
    network
        In evaluation mode, on `device`.
    preprocessing
        Normalisation, and what the input must look like.
    arrangements
        Layer name -> how its output becomes maps.
    device
        Where the network is.
    limit
        Images in one batch; `limit` is halved for good when memory runs out.
    precision
        dtype of products and convolutions; what is summed from them stays exact.
    """

    def __init__(
        self,
        network: nn.Module,
        preprocessing: Preprocessing,
        arrangements: Mapping[str, Arrangement],
        device: torch.device,
        limit: int,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.network, self.preprocessing, self.arrangements = network, preprocessing, arrangements
        self.device, self.limit, self.precision = device, limit, precision

    def run(
        self,
        pixels: torch.Tensor,
        layers: Sequence[Layer],
        map_dtypes: Mapping[str, torch.dtype],
        leave_maps: bool = False,
    ) -> Iterator[tuple[int, dict[str, Rows]]]:
        """Yield (number of the first image in `pixels`, layer name -> rows), in order, until all images are through.

        Parameters
        ----------
        pixels
            (n, h, w, 3) uint8, RGB, in the memory of the machine.
        layers
            What to capture.
        map_dtypes
            Layer name -> dtype of its maps, for the layers whose maps are wanted.
        leave_maps
            Leave the maps on the device (`Rows.on_device`).

        Raises
        ------
        UserError
            If one image alone does not fit into memory.
        """
        position = 0
        while position < len(pixels):
            batch = pixels[position : position + self.limit]
            rows = self._try(batch, layers, map_dtypes, leave_maps)
            if rows is not None:
                yield position, rows
                position += len(batch)
                continue
            if len(batch) == 1:
                raise UserError(
                    f"A single image of {batch.shape[1]}x{batch.shape[2]} pixels does not fit into the memory of "
                    f"{self.device}; ask for fewer layers with maps, a smaller preprocessing.size, or another device."
                )
            self.limit = len(batch) // 2
            logger.warning("%s is out of memory with %d images; going on with %d", self.device, len(batch), self.limit)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _try(
        self,
        batch: torch.Tensor,
        layers: Sequence[Layer],
        map_dtypes: Mapping[str, torch.dtype],
        leave_maps: bool,
    ) -> dict[str, Rows] | None:
        """One forward pass; None when memory runs out (the exception, which holds the tensors, is gone by then)."""
        try:
            tensor = self.preprocessing.normalise(batch.to(self.device, non_blocking=True))
            self.preprocessing.check_input(tensor)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == torch.bfloat16):
                captured = capture(self.network, tensor, layers, self.arrangements, map_dtypes)
            return {name: _to_host(result, leave_maps) for name, result in captured.items()}
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                return None
            raise


def _to_host(captured: Captured, leave_maps: bool) -> Rows:
    maps = captured.maps
    return Rows(
        captured.pooled.float().cpu().numpy(),
        captured.finite.cpu().numpy(),
        None if maps is None or leave_maps else maps.cpu().numpy(),
        None if captured.largest is None else captured.largest.cpu().numpy(),
        maps if leave_maps else None,
    )

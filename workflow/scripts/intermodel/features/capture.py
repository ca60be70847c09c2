"""Several layers out of one forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from intermodel.models.layers import Layer, single_tensor
from intermodel.models.tokens import Arrangement


@dataclass(frozen=True)
class Captured:
    """What one layer gave for a batch of n images, on the network's device.

    Attributes
    ----------
    pooled
        (n, C) float64.
    finite
        (n,) bool: whether all values of the image's output are finite.
    maps
        (n, C, h, w) in the dtype asked for, in memory of their own; None where no maps are wanted.
    largest
        (n,) float32: largest absolute value of the image's maps before conversion; None without maps.
    """

    pooled: torch.Tensor
    finite: torch.Tensor
    maps: torch.Tensor | None
    largest: torch.Tensor | None


class _LastLayerReached(Exception):
    """Ends a forward pass after the last layer that is wanted."""


def capture(
    network: nn.Module,
    batch: torch.Tensor,
    layers: Sequence[Layer],
    arrangements: Mapping[str, Arrangement],
    map_dtypes: Mapping[str, torch.dtype] | None = None,
    tracked: bool = False,
) -> dict[str, Captured]:
    """Run a batch through a network as far as its last wanted layer.

    Each output is reduced the moment its layer returns, because a layer that follows may overwrite it in place.

    Parameters
    ----------
    network
        In evaluation mode.
    batch
        (n, 3, H, W) float32, on the network's device.
    layers
        Rows of `layer_table`, each called exactly once in a forward pass.
    arrangements
        Layer name -> how its output becomes maps.
    map_dtypes
        Layer name -> dtype of its maps, for the layers whose maps are wanted, not only their pooled values.
    tracked
        Count the changes of tensors in place, which inference mode does not.
    """
    captured: dict[str, Captured] = {}
    last = max(layers, key=lambda layer: layer.position).name
    modules = dict(network.named_modules())

    def note(name: str) -> Any:
        dtype = (map_dtypes or {}).get(name)

        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            tensor = single_tensor(output)
            assert tensor is not None
            captured[name] = _reduce(tensor, arrangements[name], dtype)
            if name == last:
                raise _LastLayerReached

        return hook

    with ExitStack() as stack:
        for layer in layers:
            stack.callback(modules[layer.name].register_forward_hook(note(layer.name)).remove)
        with torch.no_grad() if tracked else torch.inference_mode(), suppress(_LastLayerReached):
            network(batch)
    return captured


def _reduce(tensor: torch.Tensor, arrangement: Arrangement, dtype: torch.dtype | None) -> Captured:
    pooled = arrangement.pooled(tensor)
    # A sum of finite float32 values cannot overflow float64, so the mean of a map tells about all of its values.
    finite = torch.isfinite(pooled).all(dim=1)
    if arrangement.kind == "tokens":
        finite &= torch.isfinite(tensor.flatten(1).sum(dim=1, dtype=torch.float64))
    if dtype is None:
        return Captured(pooled, finite, None, None)
    maps = arrangement.maps(tensor)
    lowest, highest = maps.amin(dim=(1, 2, 3)), maps.amax(dim=(1, 2, 3))
    largest = torch.maximum(lowest.abs(), highest.abs()).float()
    # Converted first, so that less is moved.
    stored = maps.to(dtype).contiguous()
    return Captured(pooled, finite, stored.clone() if stored is maps else stored, largest)

"""Batch norms folded into the convolutions before them: the same function with fewer operations.

In evaluation a batch norm multiplies and shifts each channel by constants, which a convolution can do with its own
weights and bias (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 3.2).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from intermodel.features.capture import capture
from intermodel.models.layers import Layer
from intermodel.models.tokens import Arrangement

logger = logging.getLogger(__name__)

# Largest change of a layer's output, as a share of its largest value, that is taken for rounding. Other orders of
# summation (another batch size, another device) change outputs of deep networks by up to some 3e-6.
TOLERANCE = 5e-6


class _Rest(nn.Module):
    """What is left of a timm batch norm with activation once the norm itself is folded away."""

    def __init__(self, drop: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.drop, self.act = drop, act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.act(self.drop(x))
        return result


@contextmanager
def folded(
    network: nn.Module, layers: Sequence[Layer], arrangements: Mapping[str, Arrangement], size: tuple[int, int]
) -> Iterator[int]:
    """Run a block with batch norms folded wherever no wanted layer can tell, and undo it afterwards.

    Outputs of the wanted layers for noise are compared before and after; if one changes by more than rounding, nothing
    is folded.

    Parameters
    ----------
    network
        In evaluation mode.
    layers
        The layers that are wanted.
    arrangements
        Layer name -> how its output becomes maps.
    size
        Height and width of the input.

    Yields
    ------
    int
        Number of batch norms that were folded.
    """
    device = next((value.device for value in network.parameters()), torch.device("cpu"))
    noise = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)
    pairs = _pairs(network, {layer.name for layer in layers}, noise)
    dtypes = {layer.name: torch.float32 for layer in layers}
    undo: list[tuple[nn.Module, str, Any]] = []
    try:
        if pairs:
            before = capture(network, noise, layers, arrangements, dtypes)
            for conv, norm in pairs:
                _fold(network, conv, norm, undo)
            after = capture(network, noise, layers, arrangements, dtypes)
            changes = {name: _change(before[name].maps, after[name].maps) for name in before}
            worst = max(changes, key=lambda name: changes[name])
            if not changes[worst] <= TOLERANCE:
                logger.info("batch norms are not folded: layer %s would change by %.1e", worst, changes[worst])
                _restore(undo)
                pairs = []
        yield len(pairs)
    finally:
        _restore(undo)


def _pairs(network: nn.Module, wanted: set[str], batch: torch.Tensor) -> list[tuple[str, str]]:
    """Names of (convolution, batch norm) where the norm is all that modules make of the convolution's output."""
    modules = dict(network.named_modules())
    made: dict[str, list[torch.Tensor]] = {}
    taken: dict[str, list[torch.Tensor]] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
            made.setdefault(name, []).append(output)
            taken.setdefault(name, []).extend(value for value in inputs if isinstance(value, torch.Tensor))

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in modules.items()]
    try:
        with torch.inference_mode():
            network(batch)
    finally:
        for handle in handles:
            handle.remove()
    seen = {id(output) for name in wanted for output in made.get(name, [])}
    pairs = []
    for name, module in modules.items():
        if type(module) is not nn.Conv2d or len(made.get(name, [])) != 1 or name in wanted:
            continue
        output = made[name][0]
        users = [other for other, tensors in taken.items() if any(tensor is output for tensor in tensors)]
        # A wanted container may end with the convolution, and so return the very same tensor.
        if len(users) != 1 or id(output) in seen:
            continue
        if _is_batch_norm(modules[users[0]]) and len(made[users[0]]) == 1:
            pairs.append((name, users[0]))
    return pairs


def _is_batch_norm(module: nn.Module) -> bool:
    plain = type(module) is nn.BatchNorm2d
    with_activation = type(module).__name__ == "BatchNormAct2d" and hasattr(module, "act") and hasattr(module, "drop")
    return (plain or with_activation) and getattr(module, "running_mean", None) is not None


def _fold(network: nn.Module, conv: str, norm: str, undo: list[tuple[nn.Module, str, Any]]) -> None:
    convolution: Any = network.get_submodule(conv)
    batch_norm: Any = network.get_submodule(norm)
    scale = (batch_norm.running_var.double() + batch_norm.eps).rsqrt()
    if batch_norm.weight is not None:
        scale = scale * batch_norm.weight.double()
    bias = -batch_norm.running_mean.double()
    if convolution.bias is not None:
        bias = bias + convolution.bias.double()
    bias = bias * scale
    if batch_norm.bias is not None:
        bias = bias + batch_norm.bias.double()
    weight = (convolution.weight.double() * scale.view(-1, 1, 1, 1)).float()
    weight = weight.contiguous(memory_format=torch.channels_last)
    parent_name, _, own_name = norm.rpartition(".")
    parent = network.get_submodule(parent_name)
    plain = type(batch_norm) is nn.BatchNorm2d
    for owner, name, value in (
        (convolution, "weight", nn.Parameter(weight, requires_grad=False)),
        (convolution, "bias", nn.Parameter(bias.float(), requires_grad=False)),
        (parent, own_name, (nn.Identity() if plain else _Rest(batch_norm.drop, batch_norm.act)).eval()),
    ):
        undo.append((owner, name, getattr(owner, name)))
        setattr(owner, name, value)


def _restore(undo: list[tuple[nn.Module, str, Any]]) -> None:
    while undo:
        owner, name, value = undo.pop()
        setattr(owner, name, value)


def _change(before: torch.Tensor | None, after: torch.Tensor | None) -> float:
    """Largest difference as a share of the largest value; of NaN, NaN."""
    assert before is not None
    assert after is not None
    return float((after - before).abs().max() / before.abs().max().clamp_min(torch.finfo(torch.float32).tiny))

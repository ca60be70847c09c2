"""Batch norms folded into the convolutions before them: the same function with fewer operations.

In evaluation a batch norm multiplies and shifts each channel by constants, which a convolution can do with its own
weights and bias (Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference", section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from intermodel.features.trace import Trace

# Sets an attribute of a module so that it can be undone.
Put = Callable[[nn.Module, str, Any], None]


class _Rest(nn.Module):
    """What is left of a timm batch norm with activation once the norm itself is folded away."""

    def __init__(self, drop: nn.Module, act: nn.Module) -> None:
        super().__init__()
        self.drop, self.act = drop, act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.act(self.drop(x))
        return result


def foldable(trace: Trace, wanted: set[str]) -> list[tuple[str, str]]:
    """Names of (convolution, batch norm) where the norm is all that modules make of the convolution's output."""
    seen = {id(output) for name in wanted for output in trace.made.get(name, [])}
    pairs = []
    for name, module in trace.modules.items():
        if type(module) is not nn.Conv2d or len(trace.made.get(name, [])) != 1 or name in wanted:
            continue
        output = trace.made[name][0]
        users = {user for user, _ in trace.users(output)}
        # A wanted container may end with the convolution, and so return the very same tensor.
        if len(users) != 1 or id(output) in seen:
            continue
        norm = users.pop()
        if _is_batch_norm(trace.modules[norm]) and len(trace.made[norm]) == 1:
            pairs.append((name, norm))
    return pairs


def fold(network: nn.Module, conv: str, norm: str, put: Put) -> None:
    """Give a convolution the constants of the batch norm that follows it, and take the norm out."""
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
    parent, _, own_name = norm.rpartition(".")
    plain = type(batch_norm) is nn.BatchNorm2d
    put(convolution, "weight", nn.Parameter(weight, requires_grad=False))
    put(convolution, "bias", nn.Parameter(bias.float(), requires_grad=False))
    rest = nn.Identity() if plain else _Rest(batch_norm.drop, batch_norm.act)
    put(network.get_submodule(parent), own_name, rest.eval())


def _is_batch_norm(module: nn.Module) -> bool:
    plain = type(module) is nn.BatchNorm2d
    with_activation = type(module).__name__ == "BatchNormAct2d" and hasattr(module, "act") and hasattr(module, "drop")
    return (plain or with_activation) and getattr(module, "running_mean", None) is not None

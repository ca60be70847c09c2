"""Operators that compute a product and the activation after it in one go, with weights laid out once.

On a processor, torch lays out the weights of a convolution anew in every forward pass, which a batch that fits the
cache cannot pay for, and walks through the whole output once more for the activation. The operators used here are those
that torch's own compiler makes of a network on a processor (oneDNN).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from intermodel.features.fold import Put
from intermodel.features.trace import Trace

# What the operators call an activation: its name and its variant.
ACTIVATIONS: dict[type[nn.Module], Callable[[Any], tuple[str, str]]] = {
    nn.ReLU: lambda module: ("relu", ""),
    nn.SiLU: lambda module: ("swish", ""),
    nn.GELU: lambda module: ("gelu", module.approximate),
}


def fusible(trace: Trace, wanted: set[str], norms: dict[str, str]) -> dict[str, str | None]:
    """Convolutions and linear layers in the order of their names, each with the activation that it can take over.

    Parameters
    ----------
    trace
        A forward pass before anything was changed.
    wanted
        Names of the layers whose outputs must stay what they are.
    norms
        Convolution -> batch norm that was folded into it.

    Returns
    -------
    dict
        Name of a product -> name of an activation, or None where it has to stay by itself.
    """
    seen = {id(output) for name in wanted for output in trace.made.get(name, [])}
    result: dict[str, str | None] = {}
    for name, module in trace.modules.items():
        if name not in trace.made or not _is_product(module):
            continue
        last = norms.get(name, name)
        result[name] = None if {name, last} & wanted else _activation(trace, last, seen)
    return result


def fuse(network: nn.Module, trace: Trace, name: str, activation: str | None, batch: int, put: Put) -> None:
    """Compute a product, and the activation after it, by one operator.

    Parameters
    ----------
    network
        With batch norms folded already.
    trace
        As for `fusible`.
    name, activation
        An item of `fusible`.
    batch
        Images in a forward pass, for which weights are laid out best; others work too.
    put
        Sets an attribute so that it can be undone.
    """
    module: Any = network.get_submodule(name)
    kind, variant = "none", ""
    if activation is not None:
        parent, _, own_name = activation.rpartition(".")
        act = trace.modules[activation]
        kind, variant = ACTIVATIONS[type(act)](act)
        # A batch norm with activation left its activation in what replaced it, under the same name.
        put(network.get_submodule(parent), own_name, nn.Identity().eval())
    shape = trace.input(name).shape
    weight, bias = module.weight.detach(), None if module.bias is None else module.bias.detach()
    operators: Any = torch.ops.mkldnn
    if isinstance(module, nn.Conv2d):
        geometry = (list(module.padding), list(module.stride), list(module.dilation), module.groups)
        weight = operators._reorder_convolution_weight(weight, *geometry, [batch, *shape[1:]])

        def forward(x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = operators._convolution_pointwise(x, weight, bias, *geometry, kind, [], variant)
            return result
    else:
        weight = operators._reorder_linear_weight(weight, batch * shape[1:-1].numel())

        def forward(x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = operators._linear_pointwise(x, weight, bias, kind, [], variant)
            return result

    # The module stays in its place, and with it whatever hooks it has.
    put(module, "forward", forward)


def available() -> bool:
    """Whether this build of torch has the operators."""
    names = (
        "_convolution_pointwise",
        "_reorder_convolution_weight",
        "_linear_pointwise",
        "_reorder_linear_weight",
    )
    known: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return known and all(hasattr(torch.ops.mkldnn, name) for name in names)


def _is_product(module: Any) -> bool:
    if type(module) is nn.Conv2d:
        known = module.padding_mode == "zeros" and not isinstance(module.padding, str)
    else:
        known = type(module) is nn.Linear
    return known and module.weight.dtype == torch.float32


def _activation(trace: Trace, name: str, seen: set[int]) -> str | None:
    """The activation that is the first, and unless it works in place the only, module to use what another makes."""
    if type(trace.modules[name]).__name__ == "BatchNormAct2d":
        inner = f"{name}.act"
        return inner if type(trace.modules[inner]) in ACTIVATIONS and len(trace.made[inner]) == 1 else None
    if len(trace.made[name]) != 1 or id(trace.made[name][0]) in seen:
        return None
    output = trace.made[name][0]
    users = [
        (user, version)
        for user, version in trace.users(output)
        if user in trace.made and not any(trace.modules[user].children()) and not trace.passes_on(user, output, version)
    ]
    if not users:
        return None
    # A residual connection is often added in place, and its sum is the same tensor in another version.
    (first, version), others = users[0], users[1:]
    if type(trace.modules[first]) not in ACTIVATIONS or version != trace.version[name] or len(trace.made[first]) != 1:
        return None
    in_place = trace.made[first][0] is output
    return first if in_place or not others else None

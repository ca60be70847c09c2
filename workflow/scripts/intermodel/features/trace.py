"""Which tensors the modules of a network hand to one another in a forward pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Trace:
    """What modules took and made, in the order of the calls. Its tensors are alive, so ids are unique.

    Attributes
    ----------
    modules
        Name -> module.
    made
        Name -> what each call returned.
    version
        Name -> how often what the last call returned had been changed in place by then.
    taken
        (name, tensor, version) for each tensor that a call was given by position.
    """

    modules: dict[str, nn.Module]
    made: dict[str, list[Any]] = field(default_factory=dict)
    version: dict[str, int] = field(default_factory=dict)
    taken: list[tuple[str, torch.Tensor, int]] = field(default_factory=list)

    def users(self, tensor: torch.Tensor) -> list[tuple[str, int]]:
        """Modules that took a tensor, and its version then; containers come before what is in them."""
        return [(name, version) for name, given, version in self.taken if given is tensor]

    def input(self, name: str) -> torch.Tensor:
        """What the first call of a module was given first."""
        return next(given for taker, given, _ in self.taken if taker == name)

    def passes_on(self, name: str, tensor: torch.Tensor, version: int) -> bool:
        """Whether a module returned a tensor as it was given, as an identity does."""
        return self.made[name][-1] is tensor and self.version[name] == version


@contextmanager
def traced(network: nn.Module) -> Iterator[Trace]:
    """Note what the modules of a network take and make in the one forward pass of a block, without inference mode."""
    result = Trace(dict(network.named_modules()))

    def before(name: str) -> Any:
        def hook(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            result.taken.extend((name, value, value._version) for value in inputs if isinstance(value, torch.Tensor))

        return hook

    def after(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            result.made.setdefault(name, []).append(output)
            if isinstance(output, torch.Tensor):
                result.version[name] = output._version

        return hook

    handles = [module.register_forward_pre_hook(before(name)) for name, module in result.modules.items()]
    handles += [module.register_forward_hook(after(name)) for name, module in result.modules.items()]
    try:
        yield result
    finally:
        for handle in handles:
            handle.remove()

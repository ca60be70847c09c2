"""The same network with fewer operations, for as long as features are extracted."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from intermodel.features.capture import Captured, capture
from intermodel.features.fold import fold, foldable
from intermodel.features.fuse import available, fuse, fusible
from intermodel.features.trace import traced
from intermodel.models.layers import Layer
from intermodel.models.tokens import Arrangement

logger = logging.getLogger(__name__)

# Largest change of a layer's output, as a share of its largest value, that is taken for rounding. Other orders of
# summation (another batch size, another device) change outputs of deep networks by up to some 3e-6.
TOLERANCE = 5e-6


@dataclass(frozen=True)
class Simplified:
    """What was done: batch norms folded into convolutions, products that got an operator of their own."""

    folded: int
    fused: int


@contextmanager
def simplified(
    network: nn.Module,
    layers: Sequence[Layer],
    arrangements: Mapping[str, Arrangement],
    size: tuple[int, int],
    batch: int = 8,
    fusing: bool = True,
) -> Iterator[Simplified]:
    """Run a block with batch norms folded and operators fused wherever no wanted layer can tell; undo it afterwards.

    Outputs of the wanted layers for noise are compared before and after: what changes one by more than rounding is
    undone.

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
    batch
        Images in a forward pass, for which weights are laid out.
    fusing
        Whether to fuse operators, where this build of torch can and the network is on the CPU. Not for arithmetic other
        than float32, which they do not follow.
    """
    device = next((value.device for value in network.parameters()), torch.device("cpu"))
    noise = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)
    wanted = {layer.name for layer in layers}
    undo: list[tuple[nn.Module, str, Any]] = []

    def put(owner: nn.Module, name: str, value: Any) -> None:
        undo.append((owner, name, owner.__dict__.get(name) if name == "forward" else getattr(owner, name)))
        setattr(owner, name, value)

    def outputs(tracked: bool = False) -> dict[str, Captured]:
        return capture(network, noise, layers, arrangements, dict.fromkeys(wanted, torch.float32), tracked)

    def same(what: str) -> bool:
        """Whether the wanted layers still give what they gave; otherwise all is as it was."""
        changes = {name: _change(before[name].maps, result.maps) for name, result in outputs().items()}
        worst = max(changes, key=lambda name: changes[name])
        if changes[worst] <= TOLERANCE:
            return True
        logger.info("%s: layer %s would change by %.1e", what, worst, changes[worst])
        _restore(undo)
        return False

    def fold_all() -> int:
        for conv, norm in pairs:
            fold(network, conv, norm, put)
        return len(pairs)

    try:
        with traced(network) as known:
            before = outputs(tracked=True)
        pairs = foldable(known, wanted)
        products = fusible(known, wanted, dict(pairs)) if fusing and device.type == "cpu" and available() else {}
        done = Simplified(0, 0)
        if pairs or products:
            norms = fold_all()
            for name, activation in products.items():
                fuse(network, known, name, activation, batch, put)
            del known
            if same("operators are not fused" if products else "batch norms are not folded"):
                done = Simplified(norms, len(products))
            elif products and pairs:
                norms = fold_all()
                if same("batch norms are not folded"):
                    done = Simplified(norms, 0)
        yield done
    finally:
        _restore(undo)


def _restore(undo: list[tuple[nn.Module, str, Any]]) -> None:
    while undo:
        owner, name, value = undo.pop()
        if name == "forward" and value is None:
            del owner.forward  # the class's own shows again
        else:
            setattr(owner, name, value)


def _change(before: torch.Tensor | None, after: torch.Tensor | None) -> float:
    """Largest difference as a share of the largest value; of NaN, NaN."""
    assert before is not None
    assert after is not None
    return float((after - before).abs().max() / before.abs().max().clamp_min(torch.finfo(torch.float32).tiny))

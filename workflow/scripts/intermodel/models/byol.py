"""BYOL's published checkpoints (JAX, Haiku) as the tables of a torchvision ResNet.

The files are Python pickles that need code to be read, so they are converted once, in a place that the user trusts
(see docs/models.md); this module holds the part that is arithmetic on arrays.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

Arrays = Mapping[str, Mapping[str, NDArray[np.floating]]]

_BLOCK = re.compile(r"block_group_(\d+)\W.*?block_(\d+)\W.*?(shortcut_)?(conv|batchnorm)(?:_(\d+))?(?=/|$)")
_INITIAL = re.compile(r"initial_(conv|batchnorm)(?:_\d+)?(?=/|$)")


def byol_to_torchvision(params: Arrays, state: Arrays) -> dict[str, NDArray[np.float32]]:
    """Rename and reorder the arrays of a BYOL ResNet.

    Convolutions go from height-width-input-output order to output-input-height-width; scale, offset and the running
    averages of the batch norms become vectors. The projector and the predictor are left out. Haiku pads
    convolutions of stride 2 asymmetrically and torchvision symmetrically, so maps are shifted by a fraction of a
    stride.

    Parameters
    ----------
    params
        ``experiment_state.online_params`` of the pickle: module name -> name -> array.
    state
        ``experiment_state.online_state``: likewise, with ``.../mean_ema`` and ``.../var_ema``.

    Returns
    -------
    dict
        Names of a torchvision ResNet without classifier -> float32 arrays.

    Raises
    ------
    UserError
        If the names are not those of a Haiku ResNet, or a batch norm lacks its running averages.
    """
    table: dict[str, NDArray[np.float32]] = {}
    for module, arrays in params.items():
        target = _target(module)
        if target is None:
            continue
        if "w" in arrays:
            table[f"{target}.weight"] = np.ascontiguousarray(np.transpose(arrays["w"], (3, 2, 0, 1)), dtype=np.float32)
        else:
            table[f"{target}.weight"] = np.asarray(arrays["scale"], dtype=np.float32).reshape(-1)
            table[f"{target}.bias"] = np.asarray(arrays["offset"], dtype=np.float32).reshape(-1)
    for module, arrays in state.items():
        target = _target(module)
        if target is None or "average" not in arrays:
            continue
        kind = "running_mean" if "mean_ema" in module else "running_var"
        table[f"{target}.{kind}"] = np.asarray(arrays["average"], dtype=np.float32).reshape(-1)
    norms = [name.removesuffix(".bias") for name in table if name.endswith(".bias")]
    lacking = [name for name in norms if {f"{name}.running_mean", f"{name}.running_var"} - set(table)]
    if not norms or lacking:
        raise UserError(
            "The arrays are not those of a BYOL ResNet: "
            + (f"{lacking[0]} has no running averages" if lacking else f"no batch norm among {list(params)[:3]}")
            + "; give experiment_state.online_params and experiment_state.online_state."
        )
    return table


def _target(module: str) -> str | None:
    """Name in torchvision of a module in Haiku, without the name of its tensor."""
    if "projector" in module or "predictor" in module:
        return None
    initial = _INITIAL.search(module)
    if initial:
        return "conv1" if initial[1] == "conv" else "bn1"
    block = _BLOCK.search(module)
    if not block:
        return None
    stage, number, shortcut, kind, position = block.groups()
    base = f"layer{int(stage) + 1}.{int(number)}"
    if shortcut:
        return f"{base}.downsample.{0 if kind == 'conv' else 1}"
    return f"{base}.{'conv' if kind == 'conv' else 'bn'}{int(position or 0) + 1}"

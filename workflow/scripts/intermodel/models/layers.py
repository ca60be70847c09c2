"""Layers of a network: their names, what they give, and how to look at several in one forward pass.

On the command line::

    python -m intermodel.models.layers --architecture resnet18 --input-size 64
    python -m intermodel.models.layers --check records.json

The first prints a table of all layers. The second reads ``{model: record}`` and prints, as JSON, the layer names of
each model, or one sentence on what is wrong with its record.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from intermodel.engine.errors import UserError
from intermodel.models.architecture import build
from intermodel.models.load import RECORD_KEYS, architecture_of, resolve_preprocessing
from intermodel.models.record import check_keys, one_line, suggestion


@dataclass(frozen=True)
class Layer:
    """One module of a network, as one forward pass sees it.

    Attributes
    ----------
    name
        As `named_modules()` names it.
    kind
        Class of the module.
    shape
        Shape of its output for one image, without the batch; None where the output is not one tensor or the module is
        never called.
    calls
        How often one forward pass calls it. Only a layer that is called once can be extracted.
    parameters
        Number of its parameters, submodules included.
    position
        When its (last) call ends, counted in calls; -1 where it is never called.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None
    calls: int
    parameters: int
    position: int


def layer_names(network: nn.Module) -> list[str]:
    """Names of all modules of a network but the network itself, in the order of `named_modules()`."""
    return [name for name, _ in network.named_modules() if name]


def layer_table(network: nn.Module, input_size: tuple[int, int]) -> list[Layer]:
    """Run one black image through a network and note what every layer gives.

    Parameters
    ----------
    network
        On any device, the meta device included.
    input_size
        Height and width of the image.

    Raises
    ------
    UserError
        If the network cannot take an image of this size.
    """
    outputs: dict[str, list[tuple[int, ...] | None]] = {name: [] for name in layer_names(network)}
    order: dict[str, int] = {}
    calls = itertools.count()

    def note(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            tensor = single_tensor(output)
            outputs[name].append(None if tensor is None else tuple(tensor.shape[1:]))
            order[name] = next(calls)

        return hook

    handles = [module.register_forward_hook(note(name)) for name, module in network.named_modules() if name]
    first = next(iter(network.parameters()), None)
    device = first.device if first is not None else torch.device("cpu")
    training = [(module, module.training) for module in network.modules()]
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 3, *input_size, device=device))
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The network cannot take an image of {input_size[0]}x{input_size[1]} pixels ({type(error).__name__}: "
            f"{one_line(error)}); correct preprocessing.size or the architecture's kwargs."
        ) from error
    finally:
        for module, mode in training:
            module.training = mode
        for handle in handles:
            handle.remove()
    return [
        Layer(
            name,
            type(module).__name__,
            outputs[name][-1] if outputs[name] else None,
            len(outputs[name]),
            sum(parameter.numel() for parameter in module.parameters()),
            order.get(name, -1),
        )
        for name, module in network.named_modules()
        if name
    ]


def single_tensor(output: Any) -> torch.Tensor | None:
    """The tensor that a module returned, also where it is the only one in a tuple or list; otherwise None."""
    if isinstance(output, torch.Tensor):
        return output
    if isinstance(output, tuple | list):
        tensors = [item for item in output if isinstance(item, torch.Tensor)]
        return tensors[0] if len(tensors) == 1 else None
    return None


def check_layers(names: Sequence[str], table: Sequence[Layer]) -> list[Layer]:
    """The rows of `table` for the layers `names`.

    Raises
    ------
    UserError
        If a layer does not exist, is not called exactly once in a forward pass, or does not return one tensor.
    """
    rows = {layer.name: layer for layer in table}
    chosen = []
    for name in names:
        layer = rows.get(name)
        if layer is None:
            raise UserError(unknown_layer(name, list(rows)))
        if layer.calls == 0:
            raise UserError(
                f"The layer {name!r} ({layer.kind}) is never called in a forward pass, so it has no output; "
                "choose another."
            )
        if layer.calls > 1:
            raise UserError(
                f"The layer {name!r} ({layer.kind}) is called {layer.calls} times in a forward pass, so its "
                "output is not unique; choose the block that contains it."
            )
        if layer.shape is None:
            raise UserError(f"The layer {name!r} ({layer.kind}) does not return one tensor; choose a layer inside it.")
        chosen.append(layer)
    return chosen


def unknown_layer(name: str, known: Sequence[str]) -> str:
    """A sentence on a layer name that the network does not have."""
    top = [word for word in known if "." not in word]
    hint = (
        suggestion(name, known) or f"; its outermost layers are {', '.join(top[:12])}{', ...' if len(top) > 12 else ''}"
    )
    return f"The network has no layer {name!r}{hint} (python -m intermodel.models.layers lists all)."


def meta_network(record: Mapping[str, Any]) -> nn.Module:
    """The network of a model record without memory for its weights, as far as its code allows that."""
    check_keys(record, RECORD_KEYS, "the model")
    architecture, kwargs = architecture_of(record)
    python_path = record.get("python_path")
    try:
        with torch.device("meta"):
            return build(architecture, kwargs, python_path=python_path)
    except UserError:
        # Code that computes with values while it builds cannot run without memory; a real mistake fails again.
        return build(architecture, kwargs, python_path=python_path)


def known_layers(record: Mapping[str, Any]) -> list[str]:
    """Layer names of the network that a model record describes; its weights are not loaded.

    Raises
    ------
    UserError
        If the architecture cannot be built.
    """
    return layer_names(meta_network(record))


def check_records(records: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str] | str]:
    """For each model its layer names, or a sentence on what is wrong with its record."""
    result: dict[str, list[str] | str] = {}
    for model, record in records.items():
        try:
            result[model] = known_layers(record)
        except UserError as error:
            result[model] = str(error)
    return result


def format_table(table: Sequence[Layer]) -> str:
    """The table as aligned text."""
    lines = [("layer", "module", "output", "parameters", "")]
    for layer in table:
        shape = "-" if layer.shape is None else " x ".join(map(str, layer.shape))
        remark = "" if layer.calls == 1 else "never called" if layer.calls == 0 else f"called {layer.calls} times"
        lines.append((layer.name, layer.kind, shape, f"{layer.parameters:,}", remark))
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    aligned = []
    for name, kind, shape, parameters, remark in lines:
        cells = (
            name.ljust(widths[0]),
            kind.ljust(widths[1]),
            shape.ljust(widths[2]),
            parameters.rjust(widths[3]),
            remark,
        )
        aligned.append("  ".join(cells).rstrip())
    return "\n".join(aligned)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m intermodel.models.layers", description="List the layers of models."
    )
    parser.add_argument(
        "--check", metavar="FILE", help="JSON file {model: record}; print {model: [layers] or a sentence}"
    )
    parser.add_argument("--architecture", metavar="NAME", help="name of timm, or package.module:callable")
    parser.add_argument("--kwargs", default="{}", metavar="JSON", help="its keyword arguments, as JSON")
    parser.add_argument("--python-path", metavar="FOLDER", help="folder of the module of package.module:callable")
    parser.add_argument(
        "--input-size", type=int, nargs="+", metavar="PIXELS", help="side, or height and width, of the input"
    )
    options = parser.parse_args(arguments)
    try:
        if options.check is not None:
            records = json.loads(Path(options.check).read_text(encoding="utf-8"))
            print(json.dumps(check_records(records)))
            return 0
        if options.architecture is None:
            parser.error("give --architecture, or --check")
        record = {"architecture": options.architecture, "python_path": options.python_path}
        try:
            record["kwargs"] = json.loads(options.kwargs)
        except json.JSONDecodeError as error:
            raise UserError(f"--kwargs is {options.kwargs!r}, which is not JSON ({error}).") from error
        print(format_table(_table_of(record, options.input_size)))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _table_of(record: Mapping[str, Any], input_size: Sequence[int] | None) -> list[Layer]:
    network = meta_network(record)
    if input_size is None:
        size = resolve_preprocessing(record, network, {}).size
    else:
        size = (input_size[0], input_size[-1])
    try:
        return layer_table(network, size)
    except UserError:
        if all(parameter.device.type != "meta" for parameter in network.parameters()):
            raise
    # Code that looks at values in its forward pass needs memory.
    architecture, kwargs = architecture_of(record)
    return layer_table(build(architecture, kwargs, python_path=record.get("python_path")), size)


if __name__ == "__main__":
    sys.exit(main())

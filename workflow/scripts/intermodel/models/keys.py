"""From the keys of a checkpoint to the keys of a network, with an account of every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from intermodel.engine.errors import UserError
from intermodel.models.formats import IGNORED, Format

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class LoadReport:
    """What became of the keys.

    Attributes
    ----------
    used
        (key of the file, key of the network) of every tensor that was loaded.
    dropped
        Keys of the file that were left out on purpose.
    missing
        Keys of the network that the file does not have.
    unexpected
        Keys of the file that were not left out and that the network does not have.
    """

    used: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON types; `used` as a mapping."""
        return {
            "used": dict(self.used),
            "dropped": list(self.dropped),
            "missing": list(self.missing),
            "unexpected": list(self.unexpected),
        }

    def summary(self) -> str:
        """One line with the four counts."""
        return (
            f"{len(self.used)} tensors loaded, {len(self.dropped)} dropped, {len(self.missing)} missing, "
            f"{len(self.unexpected)} unexpected"
        )


def remap(state: Mapping[str, torch.Tensor], layout: Format) -> tuple[State, dict[str, str], tuple[str, ...]]:
    """Rename and drop the keys of a checkpoint as its format says.

    Returns
    -------
    renamed : dict
        The tensors under their new names. A key that lacks the format's prefix keeps its name, so that the network
        will not know it.
    origin : dict
        New name -> key of the checkpoint.
    dropped : tuple of str
        Keys that were left out.

    Raises
    ------
    UserError
        If two keys get the same name.
    """
    rules = [(re.compile(pattern), replacement) for pattern, replacement in layout.rename.items()]
    renamed: State = {}
    origin: dict[str, str] = {}
    dropped = []
    for key, tensor in state.items():
        # Only at the start: a prefix such as `module.` may occur again inside a key.
        inside = key.startswith(layout.prefix)
        name = key.removeprefix(layout.prefix)
        if any(fnmatchcase(text, pattern) for text in (key, name) for pattern in (*layout.drop, *IGNORED)):
            dropped.append(key)
            continue
        if inside:
            for pattern, replacement in rules:
                match = pattern.match(name)
                if match:
                    name = match.expand(replacement) + name[match.end() :]
                    break
        else:
            name = key
        if name in renamed:
            raise UserError(
                f"The checkpoint's keys {origin[name]!r} and {key!r} both become {name!r}; correct weights.prefix "
                "or rename."
            )
        renamed[name], origin[name] = tensor, key
    return renamed, origin, tuple(dropped)


def load_state(
    model: nn.Module,
    state: Mapping[str, torch.Tensor],
    layout: Format,
    strict: bool = True,
    what: str = "the checkpoint",
) -> LoadReport:
    """Load the tensors of a checkpoint into a network, in place.

    Parameters
    ----------
    model
        The network.
    state
        Table of tensors, as `checkpoint.unwrap` returns it.
    layout
        How its keys become the network's.
    strict
        Refuse missing and unexpected keys; otherwise they are only reported.
    what
        The checkpoint, for error messages.

    Raises
    ------
    UserError
        If keys are missing or unexpected (when strict), a shape differs, a value is NaN or infinite, or nothing at all
        fits.
    """
    renamed, origin, dropped = remap(state, layout)
    wanted = {name: tensor for name, tensor in model.state_dict().items() if not _ignored(name)}
    used = {name: tensor for name, tensor in renamed.items() if name in wanted}
    missing = tuple(name for name in wanted if name not in renamed)
    unexpected = tuple(origin[name] for name in renamed if name not in wanted)
    report = LoadReport(tuple((origin[name], name) for name in used), dropped, missing, unexpected)
    if not used or (strict and (missing or unexpected)):
        raise UserError(_misfit(what, report, wanted, state, layout))
    for name, tensor in used.items():
        if tensor.shape != wanted[name].shape:
            raise UserError(
                f"In {what} the tensor {origin[name]!r} has the shape {tuple(tensor.shape)}, but the network's "
                f"{name!r} has {tuple(wanted[name].shape)}; correct the architecture or its kwargs."
            )
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(
                f"In {what} the tensor {origin[name]!r} has NaN or infinite values; use another checkpoint."
            )
    model.load_state_dict(used, strict=False)
    return report


def _ignored(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in IGNORED)


def _misfit(what: str, report: LoadReport, wanted: Mapping[str, Any], state: Mapping[str, Any], layout: Format) -> str:
    """One sentence on what does not fit and, where it can be guessed, what to write instead."""
    parts = [
        f"{len(keys)} {kind} ({_few(keys)})"
        for kind, keys in (("missing", report.missing), ("unexpected", report.unexpected))
        if keys
    ]
    text = f"{what} does not fit the network: {len(report.used)} tensors fit, {' and '.join(parts)}"
    prefix = _guess_prefix(state, wanted)
    if prefix is not None and prefix != layout.prefix and not report.used:
        return f"{text}; its keys begin with {prefix!r}: set weights.prefix to it."
    head = {name.split(".")[0] for name in report.missing}
    if not report.unexpected and len(head) == 1 and head <= {"fc", "head", "classifier"}:
        return f"{text}; the file has no classifier: build the network without one (kwargs: {{num_classes: 0}})."
    if not report.missing:
        return f"{text}; leave these out with weights.drop, or set weights.strict: false."
    return f"{text}; correct weights.format, prefix, rename or drop, or the architecture and its kwargs."


def _few(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:4]) + (", ..." if len(keys) > 4 else "")


def _guess_prefix(state: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """The start of the file's keys after which the most keys of the network follow."""
    counts: dict[str, int] = {}
    for key in state:
        for position in range(len(key)):
            if (position == 0 or key[position - 1] == ".") and key[position:] in wanted:
                counts[key[:position]] = counts.get(key[:position], 0) + 1
    return max(counts, key=lambda prefix: counts[prefix]) if counts else None

"""Digests that say when two sets of features came from the same network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch

# Part of every digest; raise it when the meaning of features changes.
SCHEME = "intermodel-features-1"


def state_digest(state: Mapping[str, torch.Tensor]) -> str:
    """sha256 over the names, types, shapes and values of a network's weights, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().to("cpu").contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def record_digest(record: Mapping[str, Any]) -> str:
    """sha256 of a mapping of plain values, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def model_fingerprint(
    architecture: str,
    kwargs: Mapping[str, Any],
    weights: str,
    source: str | None,
    preprocessing: Mapping[str, Any],
    tokens: Mapping[str, Any],
    layout: str,
) -> str:
    """sha256 of everything about a model that its features depend on.

    Parameters
    ----------
    architecture, kwargs
        As in the model record.
    weights
        `state_digest` of the loaded network, so that equal weights from different files are equal.
    source
        Digest of the file that defines a user's own network; None for timm.
    preprocessing, tokens, layout
        As resolved, every key written out.
    """
    return record_digest(
        {
            "scheme": SCHEME,
            "architecture": architecture,
            "kwargs": dict(kwargs),
            "weights": weights,
            "source": source,
            "preprocessing": dict(preprocessing),
            "tokens": dict(tokens),
            "layout": layout,
        }
    )

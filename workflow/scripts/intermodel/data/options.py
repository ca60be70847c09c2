"""The keys of a data set's specification, checked at the door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from intermodel.engine.errors import UserError

#: Keys that every source understands.
COMMON: dict[str, Any] = {"source": None, "limit": None}

REQUIRED = object()


def options(spec: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the keys in `known`, which maps names to defaults (or `REQUIRED`).

    Raises
    ------
    UserError
        If a key is unknown or a required one is missing.
    """
    source = spec.get("source")
    unknown = sorted(set(spec) - set(known) - set(COMMON))
    if unknown:
        raise UserError(
            f"A data set of source {source!r} has the unknown key {unknown[0]!r}; known keys are "
            f"{', '.join(sorted({*known, *COMMON}))}."
        )
    values = {}
    for key, default in known.items():
        value = spec.get(key, default)
        if value is REQUIRED or (value is None and default is REQUIRED):
            raise UserError(f"A data set of source {source!r} needs the key {key!r}; add it.")
        values[key] = value
    return values

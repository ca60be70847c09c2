"""Helpers that read a model record: a plain dict as a study holds it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from intermodel.engine.errors import UserError


def check_keys(record: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Raise `UserError` if `record` is not a mapping or has a key outside `known`."""
    if not isinstance(record, Mapping):
        raise UserError(f"{what} is {record!r}, expected a mapping with keys out of {', '.join(known)}.")
    for key in record:
        if key not in known:
            raise UserError(f"{what} has the unknown key {key!r}{suggestion(str(key), known)}.")


def suggestion(name: str, known: Iterable[str]) -> str:
    """``"; did you mean ...?"`` where a known name is close, otherwise the list of known names (if short)."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(repr(word) for word in close)}"
    if len(known) <= 20:
        return f"; known are {', '.join(known)}"
    return ""


def one_line(error: BaseException) -> str:
    """The first line of an exception's message, or its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__

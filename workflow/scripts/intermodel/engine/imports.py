"""Importing packages without what they import for uses that are none of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(package: str) -> Iterator[None]:
    """Import others as if a package that they can do without was not installed; nothing changes if it is loaded.

    It works as usual when it is imported later. What was imported here will go on without it.
    """
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]

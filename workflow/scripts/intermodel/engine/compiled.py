"""Compiling inner loops with numba, which is imported without scipy's linear algebra.

numba imports it, some 0.3 CPU seconds in every job that compiles, to be able to compile products of matrices; nothing
here compiles one.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from intermodel.engine.imports import without

# The module that asks for scipy, whether another version has it or not.
with without("scipy"), suppress(ImportError):
    import numba.np.arraymath  # noqa: F401

from numba import njit

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function at its first call, once for all processes where any folder for that can be written.

    Other threads of Python go on while it runs. Compiled code is kept on disk beside the file of the function, or where
    that cannot be written in the user's cache, and is made anew when that file changes: such files hold nothing else.
    """
    try:
        fast: Function = njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder can
        fast = njit(nogil=True)(function)
    return fast

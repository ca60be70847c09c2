"""Importing timm without torch's compiler.

timm and torchvision import the compiler (torch._dynamo, sympy) for a decorator and a helper that nothing here calls.
That costs some 6 CPU seconds in every job that loads a network, more than torch and timm themselves.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

logger = logging.getLogger(__name__)

_HELPERS = "torch._dynamo.utils"


def import_timm() -> ModuleType:
    """The module timm, imported without torch's compiler where that has not been imported yet.

    The compiler itself is untouched and works when it is imported later; only the functions of timm that ask not to be
    compiled will not have been marked so.
    """
    if "timm" in sys.modules or "torch._dynamo" in sys.modules or "torchvision" in sys.modules:
        return importlib.import_module("timm")
    try:
        with _without_compiler():
            return importlib.import_module("timm")
    except Exception:
        # Another version may need more of the compiler than is stood in for.
        logger.debug("timm could not be imported without torch's compiler", exc_info=True)
        for name in [name for name in sys.modules if name.split(".")[0] in ("timm", "torchvision")]:
            del sys.modules[name]
        return importlib.import_module("timm")


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Stand in for the two things that timm and torchvision take from the compiler when they are imported."""
    stand_in = ModuleType(_HELPERS)
    vars(stand_in)["is_compile_supported"] = _is_compile_supported
    disable = torch.compiler.disable
    sys.modules[_HELPERS] = stand_in
    vars(torch.compiler)["disable"] = _leave_alone
    try:
        yield
    finally:
        vars(torch.compiler)["disable"] = disable
        if sys.modules.get(_HELPERS) is stand_in:
            del sys.modules[_HELPERS]


def _is_compile_supported(device_type: Any) -> Any:
    """The helper itself, looked up when it is called."""
    return importlib.import_module(_HELPERS).is_compile_supported(device_type)


def _leave_alone(function: Callable[..., Any] | None = None, *arguments: Any, **options: Any) -> Any:
    """As a decorator, with or without arguments: the function itself."""
    return function if function is not None else lambda wrapped: wrapped

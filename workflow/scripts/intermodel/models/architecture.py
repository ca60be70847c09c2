"""Networks by name: out of timm, or out of a module of the user's own."""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.models.record import one_line, suggestion
from intermodel.models.timm_import import import_timm


def is_import_path(architecture: str) -> bool:
    """Whether an architecture is written as ``package.module:callable`` (otherwise it is a name of timm)."""
    return ":" in architecture


def build(
    architecture: str,
    kwargs: Mapping[str, Any] | None = None,
    seed: int = 0,
    python_path: str | None = None,
    **loading: Any,
) -> nn.Module:
    """Build a network in evaluation mode on the CPU (or the current default device).

    Parameters
    ----------
    architecture
        A name of timm, or ``package.module:callable`` for a callable that returns a network, or a tuple whose first
        entry is one.
    kwargs
        Its keyword arguments.
    seed
        Of the initial weights. The state of the global random generators is left as it was.
    python_path
        Folder in which the module of the callable is looked for first.
    **loading
        Further arguments for `timm.create_model` (``pretrained``, ``cache_dir``).

    Raises
    ------
    UserError
        If there is no such architecture, or it cannot be built from these arguments.
    """
    kwargs = dict(kwargs or {})
    with seeded(seed):
        if not is_import_path(architecture):
            model = _build_timm(architecture, kwargs, loading)
        else:
            function = find_callable(architecture, python_path)
            with _first_on_path(python_path):
                model = _call(architecture, function, kwargs)
    return model.eval().requires_grad_(False)


def _build_timm(architecture: str, kwargs: dict[str, Any], loading: dict[str, Any]) -> nn.Module:
    timm = import_timm()
    if "/" in architecture:
        raise UserError(
            f"architecture is {architecture!r}, expected a name out of timm.list_models() such as 'resnet18', or an "
            "import path such as 'my_networks:build'."
        )
    name = architecture.split(".")[0]
    if not timm.is_model(name):
        raise UserError(
            f"architecture is {architecture!r}, which timm {timm.__version__} does not know"
            f"{suggestion(name, timm.list_models())}; see timm.list_models()."
        )
    try:
        model: nn.Module = timm.create_model(architecture, **kwargs, **loading)
    except (TypeError, ValueError, AssertionError, KeyError, NotImplementedError) as error:
        raise UserError(
            f"The architecture {architecture!r} could not be built with kwargs {kwargs!r}: {one_line(error)}; "
            "correct its kwargs."
        ) from error
    return model


def _call(architecture: str, function: Any, kwargs: dict[str, Any]) -> nn.Module:
    try:
        result = function(**kwargs)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"The architecture {architecture!r} raised {type(error).__name__} when called with {kwargs!r}: "
            f"{one_line(error)}; correct its kwargs or its code."
        ) from error
    model = result[0] if isinstance(result, tuple) and result else result
    if not isinstance(model, nn.Module):
        raise UserError(
            f"The architecture {architecture!r} returned {type(model).__name__}, expected a torch.nn.Module (or a "
            "tuple that begins with one)."
        )
    return model


def find_callable(architecture: str, python_path: str | None = None) -> Any:
    """Import ``package.module:callable``.

    Raises
    ------
    UserError
        If the text has another form, or module or callable do not exist.
    """
    module_name, _, attribute = architecture.partition(":")
    if not module_name or not attribute or ":" in attribute:
        raise UserError(
            f"architecture is {architecture!r}, expected 'package.module:callable', e.g. 'my_networks:build'."
        )
    with _first_on_path(python_path) as folder:
        _forget_namesake(module_name, folder)
        try:
            module = importlib.import_module(module_name)
        except Exception as error:
            where = f" in {expand(python_path)}" if python_path else ""
            raise UserError(
                f"The module {module_name!r} of the architecture {architecture!r} could not be imported{where} "
                f"({type(error).__name__}: {one_line(error)}); set python_path to the folder that holds it."
            ) from error
    found: Any = module
    for name in attribute.split("."):
        if not hasattr(found, name):
            public = [word for word in vars(module) if not word.startswith("_") and callable(getattr(module, word))]
            raise UserError(f"The module {module_name!r} has no {attribute!r}{suggestion(attribute, public)}.")
        found = getattr(found, name)
    if not callable(found):
        raise UserError(f"{architecture!r} is {type(found).__name__}, expected something that can be called.")
    return found


def source_file(architecture: str, python_path: str | None = None) -> Path | None:
    """The file of the module that an import path names; None for an architecture of timm.

    Nothing of the module itself is executed (a parent package is).
    """
    if not is_import_path(architecture):
        return None
    with _first_on_path(python_path) as folder:
        _forget_namesake(architecture.partition(":")[0], folder)
        try:
            found = importlib.util.find_spec(architecture.partition(":")[0])
        except (ImportError, ValueError):
            found = None
    return Path(found.origin) if found and found.origin and Path(found.origin).is_file() else None


def source_digest(architecture: str, python_path: str | None = None) -> str | None:
    """sha256 of `source_file`: the code of a user's own network is part of what its features depend on."""
    file = source_file(architecture, python_path)
    return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()


@contextmanager
def _first_on_path(python_path: str | None) -> Iterator[Path | None]:
    """Look for modules in the folder `python_path` first; yields the folder."""
    if python_path is None:
        yield None
        return
    folder = Path(expand(python_path)).resolve()
    if not folder.is_dir():
        raise UserError(f"python_path is {python_path!r}, but {folder} is not a folder.")
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield folder
    finally:
        sys.path.remove(str(folder))


def _forget_namesake(module_name: str, folder: Path | None) -> None:
    """Forget a module that was imported from elsewhere under the name of one in `folder`.

    Two models of a study may each bring a `networks.py` of their own.
    """
    top = module_name.partition(".")[0]
    spec = importlib.machinery.PathFinder.find_spec(top, [str(folder)]) if folder is not None else None
    loaded = sys.modules.get(top)
    if spec is None or spec.origin is None or loaded is None or getattr(loaded, "__file__", None) == spec.origin:
        return
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        del sys.modules[name]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run a block with seeded global generators (torch on the CPU, numpy, random) and restore them afterwards."""
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)

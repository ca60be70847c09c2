"""Checkpoint files: fetched, verified, and read without running anybody's code."""

from __future__ import annotations

import argparse
import hashlib
import http.client
import logging
import os
import pickle
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.models.formats import CONTAINERS
from intermodel.models.record import one_line

logger = logging.getLogger(__name__)

State = dict[str, torch.Tensor]


def file_digest(path: str | os.PathLike[str]) -> str:
    """sha256 of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def locate(path: str | None, url: str | None, sha256: str | None, cache: str | None = None) -> Path:
    """Find a checkpoint on this machine, fetching it if it is remote, and verify its digest.

    Parameters
    ----------
    path, url
        Exactly one of them: a local file, or an ``https:``, ``http:`` or ``file:`` address.
    sha256
        Expected digest, 64 hexadecimal digits; a remote file needs one.
    cache
        Folder of downloads, which are named by their digest; default ``$INTERMODEL_CACHE``, or
        ``~/.cache/intermodel``.

    Raises
    ------
    UserError
        If the file is missing, cannot be fetched, or has another digest.
    """
    if (path is None) == (url is None):
        raise UserError("weights with source: checkpoint need exactly one of `path` (a local file) and `url`.")
    if sha256 is not None:
        sha256 = sha256.lower()
        if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
            raise UserError(f"weights.sha256 is {sha256!r}, expected 64 hexadecimal digits (see `sha256sum`).")
    if path is not None:
        file = Path(expand(path))
        if not file.is_file():
            raise UserError(f"The checkpoint {file} does not exist; correct weights.path.")
        if sha256 is not None:
            _verify(file, sha256, f"The checkpoint {file}")
        return file
    assert url is not None
    if sha256 is None:
        raise UserError(f"weights.url is {url} but weights.sha256 is missing; every remote file needs its sha256.")
    folder = Path(expand(cache or os.environ.get("INTERMODEL_CACHE") or "~/.cache/intermodel"))
    file = folder / f"{sha256}{Path(url.split('?')[0]).suffix}"
    if file.is_file() and file_digest(file) == sha256:
        return file
    _fetch(url, file, sha256)
    return file


def _fetch(url: str, file: Path, sha256: str) -> None:
    if url.split(":")[0] not in ("https", "http", "file"):
        raise UserError(f"weights.url is {url!r}, expected an address that begins with https:, http: or file:.")
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".download.", dir=file.parent)
    try:
        logger.info("fetching %s", url)
        try:
            with os.fdopen(handle, "wb") as target, urllib.request.urlopen(url, timeout=60) as source:
                shutil.copyfileobj(source, target, 2**20)
        except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
            raise UserError(
                f"The checkpoint {url} could not be fetched ({one_line(error)}); check the address and the "
                "connection, or fetch it by hand and give its `path`."
            ) from error
        _verify(Path(name), sha256, f"The checkpoint fetched from {url}")
        Path(name).replace(file)
    finally:
        Path(name).unlink(missing_ok=True)


def _verify(file: Path, sha256: str, what: str) -> None:
    found = file_digest(file)
    if found != sha256:
        raise UserError(
            f"{what} has the sha256 {found}, expected {sha256}; it is not the file that the study means, or is damaged."
        )


def read_checkpoint(path: Path) -> Any:
    """Read a checkpoint file (safetensors, or what `torch.save` writes) onto the CPU.

    A pickle is read with ``weights_only=True``: tensors, containers and plain values, and nothing that would run code.
    Training options saved as `argparse.Namespace`, as several published checkpoints do, are plain values too.

    Raises
    ------
    UserError
        If the file is truncated, of another kind, or holds objects that need code to be read.
    """
    with open(path, "rb") as file:
        head = file.read(64)
    if head.startswith(b"version https://git-lfs"):
        raise UserError(f"{path} is a Git LFS pointer, not the checkpoint itself; fetch it with `git lfs pull`.")
    # The length that begins a safetensors file may have the first byte of a pickle, so its header is looked at first.
    if head[8:9] == b"{":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise UserError(
                f"{path} is a truncated or damaged safetensors file ({one_line(error)}); fetch or write it again."
            ) from error
    if head.startswith(b"PK") or head[:1] == b"\x80":
        return _read_pickle(path)
    raise UserError(
        f"{path} is neither a safetensors file nor one written by torch.save (it begins with {head[:8]!r}, "
        f"{path.stat().st_size} bytes); give a checkpoint in one of these two formats."
    )


def _read_pickle(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        damaged = "" if "GLOBAL" in str(error) else "is damaged, or "
        raise UserError(
            f"{path} {damaged}holds objects that can only be read by running code from the file, which is refused "
            f"({_culprit(error)}); in a place that you trust, load it and save only its tensors: "
            'safetensors.torch.save_file(state_dict, "weights.safetensors").'
        ) from error
    except Exception as error:  # on damaged bytes torch's reader fails in every way that Python knows
        if "TorchScript" in str(error):
            raise UserError(
                f"{path} is a TorchScript program, which is not run; where you trust it, save the tensors of its "
                'state_dict(): safetensors.torch.save_file(state_dict, "weights.safetensors").'
            ) from error
        raise UserError(f"{path} is a truncated or damaged checkpoint ({one_line(error)}); fetch it again.") from error


def _culprit(error: pickle.UnpicklingError) -> str:
    """What the pickle asked for, out of torch's long explanation."""
    for line in str(error).splitlines():
        if "GLOBAL" in line or "Unsupported" in line:
            return line.strip().removeprefix("WeightsUnpickler error: ").split(" was not")[0]
    return one_line(error)


def unwrap(content: Any, keys: Sequence[str] | None, path: Path) -> State:
    """The table of tensors inside a checkpoint.

    Parameters
    ----------
    content
        What `read_checkpoint` returned.
    keys
        Keys to follow, one after the other; None goes into the first of the usual containers as long as the content
        is no flat table of tensors.
    path
        The file, for error messages.

    Raises
    ------
    UserError
        If a key is missing, or no table of tensors is found.
    """
    if keys is None:
        found = content
        while isinstance(found, Mapping) and not _is_state(found):
            inner = next((key for key in CONTAINERS if isinstance(found.get(key), Mapping)), None)
            if inner is None:
                break
            found = found[inner]
    else:
        found = content
        for key in keys:
            if not isinstance(found, Mapping) or key not in found:
                raise UserError(f"{path} has no entry {key!r} ({_contents(found)}); correct weights.unwrap or format.")
            found = found[key]
    if not isinstance(found, Mapping) or not _is_state(found):
        raise UserError(
            f"{path} holds no table of named tensors where one was looked for ({_contents(found)}); set "
            "weights.unwrap to the keys that lead to it."
        )
    return {key: value for key, value in found.items() if isinstance(key, str) and isinstance(value, torch.Tensor)}


def _is_state(content: Mapping[Any, Any]) -> bool:
    """Whether a mapping holds tensors of its own (other values beside them do no harm)."""
    return any(isinstance(key, str) and isinstance(value, torch.Tensor) for key, value in content.items())


def _contents(content: Any) -> str:
    if not isinstance(content, Mapping):
        return f"found {type(content).__name__}"
    names = [repr(key) for key in list(content)[:6]]
    return f"it has {', '.join(names)}{', ...' if len(content) > 6 else ''}" if names else "it is empty"

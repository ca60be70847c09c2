"""Cheap digests of a data folder, by which the workflow notices that its contents have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict

from intermodel.data.walk import entries
from intermodel.engine.errors import UserError


class Digests(TypedDict):
    """Two digests of one folder."""

    images: str
    everything: str


def listing_digests(spec: Mapping[str, Any]) -> Digests:
    """Digests of (relative path, size, modification time in ns) of the files that a data set is read from.

    Files are not opened. Hidden files and folders are left out, as they are by the readers. Generated data sets have
    no files: their digests are empty.

    Parameters
    ----------
    spec
        See `intermodel.data.open.open_dataset`.

    Returns
    -------
    Digests
        `everything` sees all files; `images` sees no more than the names of label maps that have a folder of their
        own, so that a corrected label map leaves the images' features as they are.

    Raises
    ------
    UserError
        If the folder or file does not exist.
    """
    if spec.get("source") == "scenes":
        return {"images": "", "everything": ""}
    if not spec.get("path"):
        raise UserError(f"A data set of source {spec.get('source')!r} needs the key 'path'; add it.")
    root = Path(str(spec["path"]))
    if not root.exists():
        raise UserError(f"The data set's path {str(root)!r} does not exist; correct `path`.")
    files = [(root.name, _state(root))] if root.is_file() else [(name, _state(entry)) for name, entry in entries(root)]
    files += [(name, _state(path)) for name, path in _tables(spec)]
    masks = spec.get("masks") if spec.get("source") == "segmentation" else None
    images = [(name, "" if masks and _lies_below(name, masks) else state) for name, state in files]
    return {"images": _digest(images), "everything": _digest(files)}


def _digest(files: list[tuple[str, str]]) -> str:
    lines = "\n".join(f"{name}\0{state}" for name, state in files)
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()[:32]


def _lies_below(name: str, folder: str) -> bool:
    """Whether a file lies in a folder, itself below the root or below a split's folder."""
    return name.startswith(f"{folder}/") or name.partition("/")[2].startswith(f"{folder}/")


def _state(file: Path | os.DirEntry[str]) -> str:
    try:
        status = file.stat()
    except OSError:  # a broken link: the reader tells about it
        return "unreadable"
    return f"{status.st_size}\0{status.st_mtime_ns}"


def _tables(spec: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """Class tables, which may lie anywhere."""
    if spec.get("source") == "arrays" and isinstance(spec.get("concepts"), str):
        yield "concepts", Path(spec["concepts"])
    if spec.get("source") == "segmentation" and isinstance(spec.get("classes"), str):
        yield "classes", Path(spec["path"], spec["classes"])

"""A cheap digest of a data folder, by which the workflow notices that its contents have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from intermodel.data.walk import entries
from intermodel.engine.errors import UserError


def listing_digest(spec: Mapping[str, Any]) -> str:
    """Digest of (relative path, size, modification time in ns) of all files that a data set is read from.

    Files are not opened. Hidden files and folders are left out, as they are by the readers. Generated data sets have
    no files: their digest is empty.

    Parameters
    ----------
    spec
        See `intermodel.data.open.open_dataset`.

    Raises
    ------
    UserError
        If the folder or file does not exist.
    """
    if spec.get("source") == "scenes":
        return ""
    if not spec.get("path"):
        raise UserError(f"A data set of source {spec.get('source')!r} needs the key 'path'; add it.")
    root = Path(str(spec["path"]))
    if not root.exists():
        raise UserError(f"The data set's path {str(root)!r} does not exist; correct `path`.")
    lines = [_line(root.name, root)] if root.is_file() else [_line(name, entry) for name, entry in entries(root)]
    lines += [_line(name, path) for name, path in _tables(spec)]
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()[:32]


def _line(name: str, file: Path | os.DirEntry[str]) -> str:
    try:
        status = file.stat()
    except OSError:  # a broken link: the reader tells about it
        return f"{name}\0unreadable"
    return f"{name}\0{status.st_size}\0{status.st_mtime_ns}"


def _tables(spec: Mapping[str, Any]) -> Iterator[tuple[str, Path]]:
    """The class table of an arrays data set, which may lie anywhere."""
    if spec.get("source") == "arrays" and isinstance(spec.get("concepts"), str):
        yield "concepts", Path(spec["concepts"])

"""A cheap digest of a data folder, by which the workflow notices that its contents have changed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

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
    digest = hashlib.sha256()
    for name, path in [*_files(root), *_tables(spec)]:
        try:
            status = os.stat(path)  # noqa: PTH116  a million files: Path is slow
            digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode(errors="surrogateescape"))
        except OSError:  # a broken link: the reader tells about it
            digest.update(f"{name}\0unreadable\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _files(root: Path) -> Iterator[tuple[str, str]]:
    """Relative name and path of every file below `root`, in a fixed order; of a file, itself."""
    if root.is_file():
        yield root.name, str(root)
        return
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                path = os.path.join(folder, name)  # noqa: PTH118
                yield os.path.relpath(path, root), path


def _tables(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The class table of an arrays data set, which may lie anywhere."""
    if spec.get("source") == "arrays" and isinstance(spec.get("concepts"), str):
        yield "concepts", spec["concepts"]

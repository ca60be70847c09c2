"""Find the files of a data folder without leaving it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from intermodel.engine.errors import UserError

#: Suffixes that are taken for images, in any case of letters.
SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm")
)


@dataclass(frozen=True)
class Found:
    """Relative posix paths of the images below a folder, sorted, and how many files (pipes, devices) are none."""

    images: tuple[str, ...]
    others: int


def is_image(name: str) -> bool:
    """Whether a file name has the suffix of an image."""
    return "." + name.rpartition(".")[2].lower() in SUFFIXES and "." in name


def entries(root: str | os.PathLike[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Relative posix path and entry of everything below a folder but folders; hidden entries are passed over.

    Links to folders are yielded and not followed. The order is that of names within each folder.

    Raises
    ------
    UserError
        If a folder cannot be read.
    """
    todo = [("", os.fspath(root))]
    while todo:
        prefix, folder = todo.pop()
        try:
            with os.scandir(folder) as scan:
                found = sorted(
                    (entry for entry in scan if not entry.name.startswith(".")), key=lambda entry: entry.name
                )
        except OSError as error:
            raise UserError(
                f"The folder {folder!r} cannot be read ({error.strerror}); change its permissions."
            ) from error
        for entry in found:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                todo.append((f"{name}/", entry.path))
            else:
                yield name, entry


def find_images(root: Path) -> Found:
    """Images below `root`, by suffix.

    Raises
    ------
    UserError
        If the folder does not exist, a link leads out of it or to a folder, or a name is not valid Unicode.
    """
    if not root.is_dir():
        raise UserError(f"{str(root)!r} is not a folder; correct the data set's `path`.")
    images: list[str] = []
    others = 0
    inside = os.path.realpath(root)
    for name, entry in entries(root):
        if entry.is_symlink():
            if entry.is_dir():
                raise UserError(
                    f"{entry.path!r} is a link to the folder {os.path.realpath(entry.path)!r}; links to folders are "
                    "not followed: put the folder itself there, or give its own path in the study."
                )
            if is_image(name):
                _stay(entry.path, inside)
        if not is_image(name) or not (entry.is_file() or entry.is_symlink()):
            others += 1  # a pipe or a device is no image, whatever it is called
            continue
        try:
            name.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UserError(f"The file name {name!r} is not valid UTF-8; rename the file.") from error
        images.append(name)
    return Found(tuple(sorted(images)), others)


def inner_path(root: Path, name: str, where: str) -> Path:
    """The file or folder `name` below `root`, where `name` was read from a table or a study.

    Raises
    ------
    UserError
        If the name, or a link on its way, leads out of the folder; `where` tells what named it.
    """
    path = root / name
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise UserError(f"{where} names {name!r}, which lies outside of {str(root)!r}; correct it.")
    _stay(str(path), os.path.realpath(root))
    return path


def _stay(path: str, inside: str) -> None:
    target = os.path.realpath(path)
    if not target.startswith(inside + os.sep):
        raise UserError(
            f"{path!r} leads by a link to {target!r}, outside of the data folder; copy the file there, or give the "
            "folder of the originals in the study."
        )

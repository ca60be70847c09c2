"""Find the files of a data folder without leaving it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from intermodel.data.image_file import is_image
from intermodel.engine.errors import UserError


@dataclass(frozen=True)
class Found:
    """Relative posix paths of the images below a folder, sorted, and how many files are none."""

    images: tuple[str, ...]
    others: int


def find_images(root: Path) -> Found:
    """Images below `root`, by suffix. Hidden files and folders are passed over.

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
    for folder, folders, files in os.walk(root, onerror=_fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            path = Path(folder, name)
            if path.is_symlink():
                raise UserError(
                    f"{str(path)!r} is a link to the folder {str(path.readlink())!r}; links to folders are not "
                    "followed: put the folder itself there, or give its own path in the study."
                )
        for name in files:
            if name.startswith("."):
                continue
            if not is_image(name):
                others += 1
                continue
            path = Path(folder, name)
            if path.is_symlink():
                _stay(path, inside)
            images.append(relative_name(path, root))
    return Found(tuple(sorted(images)), others)


def relative_name(path: Path, root: Path) -> str:
    """The id of an image: its path below the data folder, with forward slashes.

    Raises
    ------
    UserError
        If the name is not valid Unicode.
    """
    name = path.relative_to(root).as_posix()
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UserError(f"The file name {name!r} is not valid UTF-8; rename the file.") from error
    return name


def inner_path(root: Path, name: str, where: str) -> Path:
    """The file `name` below `root`, where `name` was read from a table.

    Raises
    ------
    UserError
        If the name leads out of the folder; `where` tells what named it.
    """
    path = root / name
    if os.path.isabs(name) or ".." in Path(name).parts:  # noqa: PTH117
        raise UserError(f"{where} names the file {name!r}, which lies outside of {str(root)!r}; correct it.")
    if path.is_symlink():
        _stay(path, os.path.realpath(root))
    return path


def _stay(path: Path, inside: str) -> None:
    target = os.path.realpath(path)
    if not target.startswith(inside + os.sep):
        raise UserError(
            f"{str(path)!r} is a link to {target!r}, outside of the data folder; copy the file there, or give the "
            "folder of the originals in the study."
        )


def _fail(error: OSError) -> None:
    raise UserError(f"The folder {error.filename!r} cannot be read ({error.strerror}); change its permissions.")

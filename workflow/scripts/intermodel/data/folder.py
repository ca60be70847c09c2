"""Image folders: classes are subfolders, or there are none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.data.dataset import Dataset, Index, make_index
from intermodel.data.image_file import file_digest, read_image
from intermodel.data.options import REQUIRED, options
from intermodel.data.walk import find_images
from intermodel.engine.errors import UserError

KEYS: dict[str, Any] = {"path": REQUIRED, "layout": "auto", "classes": None}
LAYOUTS = ("auto", "flat", "classes", "splits")

TRAIN_NAMES = ("train", "training")
TEST_NAMES = ("test", "testing")
VALIDATION_NAMES = ("val", "valid", "validation")
SPLIT_NAMES = TRAIN_NAMES + TEST_NAMES + VALIDATION_NAMES


def split_of(name: str, present: set[str]) -> str:
    """The split that a folder called `name` stands for, given all split folders that are `present`.

    Validation images serve for testing where there is no test folder, and for training otherwise.
    """
    if name in TRAIN_NAMES:
        return "train"
    if name in TEST_NAMES or not present & set(TEST_NAMES):
        return "test"
    return "train"


def index_folder(spec: Mapping[str, Any]) -> Index:
    """Find the images of a folder; ids are paths below it, in the order train, test, then by name.

    Raises
    ------
    UserError
        If the folder has no image, or does not have the layout that is asked for.
    """
    values = options(spec, KEYS)
    root = Path(values["path"])
    found = find_images(root)
    where = f"The folder {str(root)!r}"
    if not found.images:
        raise UserError(
            f"{where} holds no image ({found.others} other files); expected files such as photo.jpg or photo.png."
        )
    parts = [name.split("/") for name in found.images]
    layout = values["layout"] if values["layout"] not in (None, "auto") else _guess(parts, where)
    if layout not in LAYOUTS:
        raise UserError(f"The data set's `layout` is {layout!r}; expected one of {', '.join(LAYOUTS)}.")
    names = list(found.images)
    splits = [""] * len(names)
    folders: list[str | None] = [None] * len(names)
    outside = 0
    if layout == "splits":
        present = {part[0] for part in parts if len(part) > 1} & set(SPLIT_NAMES)
        if not present:
            raise UserError(f"{where} has no subfolder called train or test; use `layout: classes` or `flat`.")
        inside = [len(part) > 1 and part[0] in present for part in parts]
        outside = inside.count(False)
        names = [name for name, ok in zip(names, inside) if ok]
        parts = [part for part, ok in zip(parts, inside) if ok]
        splits = [split_of(part[0], present) for part in parts]
        folders = [part[1] if len(part) > 2 else None for part in parts]
    elif layout == "classes":
        folders = [part[0] if len(part) > 1 else None for part in parts]
    elif values["classes"] is not None:
        raise UserError(f"{where} is read as a flat folder, which has no classes; remove `classes`.")
    classes, rows = _choose(folders, values["classes"], where)
    order = sorted(rows, key=lambda row: (splits[row] == "test", names[row]))
    return make_index(
        [names[row] for row in order],
        [classes.index(folder) if (folder := folders[row]) is not None else -1 for row in order],
        [splits[row] for row in order],
        classes,
        notes={"files that are no images": found.others, "images left out": outside + len(names) - len(rows)},
        where=where,
    )


class Folder(Dataset):
    """Images in files of their own."""

    source = "folder"

    def __init__(self, spec: Mapping[str, Any], index: Index) -> None:
        super().__init__(index)
        self._root = Path(options(spec, KEYS)["path"])

    def image(self, i: int) -> NDArray[np.uint8]:
        return read_image(self._root / str(self.ids[i]))

    def content(self, i: int) -> bytes:
        return file_digest(self._root / str(self.ids[i]))


def _guess(parts: list[list[str]], where: str) -> str:
    top = {part[0] for part in parts if len(part) > 1}
    loose = sum(len(part) == 1 for part in parts)
    if not top:
        return "flat"
    if loose:
        raise UserError(
            f"{where} holds {loose} images beside subfolders with images, so its layout is not clear; set `layout` to "
            "flat, classes or splits."
        )
    if top <= set(SPLIT_NAMES):
        return "splits"
    if top & set(TRAIN_NAMES) or top & set(TEST_NAMES):
        other = sorted(top - set(SPLIT_NAMES))[0]
        raise UserError(
            f"{where} has subfolders that are splits and others ({other!r}), so its layout is not clear; set `layout` "
            "to classes or splits."
        )
    return "classes"


def _choose(folders: list[str | None], wanted: list[str] | None, where: str) -> tuple[list[str], list[int]]:
    """Classes in order, and the rows that are kept: all, or those of the wanted classes."""
    found = sorted({folder for folder in folders if folder is not None})
    if wanted is None:
        return found, list(range(len(folders)))
    if len(set(wanted)) != len(wanted):
        raise UserError(f"The data set's `classes` name a class twice ({', '.join(wanted)}); name each once.")
    missing = [name for name in wanted if name not in found]
    if missing:
        raise UserError(f"{where} has no class folder {missing[0]!r}; it has {', '.join(found) or 'none'}.")
    return list(wanted), [row for row, folder in enumerate(folders) if folder in wanted]

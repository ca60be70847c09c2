"""Photographs with one label map each."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.data.class_table import ClassTable, read_class_table
from intermodel.data.dataset import Dataset, Index, Segmentation, make_index
from intermodel.data.folder import SPLIT_NAMES, split_of
from intermodel.data.image_file import file_digest, image_size, read_image, read_label_map
from intermodel.data.options import REQUIRED, options
from intermodel.data.walk import find_images, inner_path
from intermodel.engine.errors import UserError

KEYS: dict[str, Any] = {
    "path": REQUIRED,
    "images": "images",
    "masks": "labels",
    "classes": "classes.json",
    "category": "object",
    "void": None,
    "unlabelled": None,
}


def index_segmentation(spec: Mapping[str, Any]) -> Index:
    """Find the photographs and check that each has one label map; ids are paths below the folder.

    Raises
    ------
    UserError
        If folders or label maps are missing, or names do not match one to one.
    """
    values = options(spec, KEYS)
    root = Path(values["path"])
    table = _table(values)
    pairs = _folders(root, values["images"], values["masks"])
    present = {split for split, _, _ in pairs if split}
    ids: list[str] = []
    splits: list[str] = []
    notes = {"files that are no images": 0, "label maps without image": 0}
    for split, images, masks in pairs:
        found = find_images(root / images)
        maps = _by_stem(find_images(root / masks).images, masks)
        stems = _by_stem(found.images, images)
        missing = sorted(set(stems) - set(maps))
        if missing:
            raise UserError(
                f"{len(missing)} of {len(stems)} images in {str(root / images)!r} have no label map in "
                f"{str(root / masks)!r}, the first is {stems[missing[0]]!r}; expected {missing[0]}.png."
            )
        notes["files that are no images"] += found.others
        notes["label maps without image"] += len(set(maps) - set(stems))
        inner = {name.split("/")[0] for name in found.images if "/" in name} & set(SPLIT_NAMES)
        for name in found.images:
            first = name.split("/")[0]
            ids.append(f"{images}/{name}")
            splits.append(split_of(split, present) if split else split_of(first, inner) if first in inner else "")
    order = sorted(range(len(ids)), key=lambda row: (splits[row] == "test", ids[row]))
    return make_index(
        [ids[row] for row in order],
        splits=[splits[row] for row in order],
        categories=table.categories,
        concepts=table.labels,
        notes=notes,
        where=f"The folder {str(root)!r}",
    )


class SegmentationFolder(Dataset):
    """Photographs whose label maps have the same size and the same stem."""

    source = "segmentation"

    def __init__(self, spec: Mapping[str, Any], index: Index) -> None:
        super().__init__(index)
        values = options(spec, KEYS)
        self._root = Path(values["path"])
        self._table = _table(values)
        # A label map's folder follows from its image's, its suffix is looked up.
        self._maps: dict[str, str] = {}
        for _, images, masks in _folders(self._root, values["images"], values["masks"]):
            for stem, name in _by_stem(find_images(self._root / masks).images, masks).items():
                self._maps[f"{images}/{stem}"] = f"{masks}/{name}"

    def image(self, i: int) -> NDArray[np.uint8]:
        return read_image(self._root / str(self.ids[i]))

    def content(self, i: int) -> bytes:
        return file_digest(self._root / str(self.ids[i]))

    def segmentation(self, i: int) -> Segmentation:
        name = str(self.ids[i])
        stem = str(PurePosixPath(name).with_suffix(""))
        if stem not in self._maps:
            raise UserError(
                f"the image {name!r} has no label map any more; put it back, or run again from the manifest"
            )
        path = self._root / self._maps[stem]
        pixels = read_label_map(path)
        width, height = image_size(self._root / name)
        if pixels.shape[:2] != (height, width):
            raise UserError(
                f"the label map {str(path)!r} has {pixels.shape[1]} x {pixels.shape[0]} pixels, its image "
                f"{width} x {height}; they must be equal"
            )
        layer, valid = self._table.decode(pixels, f"the label map {str(path)!r}")
        return Segmentation(layer[None], np.empty(0, np.uint16), valid)


def _table(values: Mapping[str, Any]) -> ClassTable:
    path = Path(values["path"], values["classes"])
    return read_class_table(path, values["category"], values["void"], values["unlabelled"])


def _folders(root: Path, images: str, masks: str) -> list[tuple[str, str, str]]:
    """(split or "", folder of images, folder of label maps), relative to the root."""
    for key, name in (("images", images), ("masks", masks)):
        inner_path(root, name, f"The data set's `{key}`")
    if (root / images).is_dir():
        pairs = [("", images, masks)]
    else:
        splits = sorted(name for name in SPLIT_NAMES if (root / name / images).is_dir())
        pairs = [(split, f"{split}/{images}", f"{split}/{masks}") for split in splits]
    if not pairs:
        raise UserError(
            f"The folder {str(root)!r} has no subfolder {images!r}, neither itself nor below train, val or test; set "
            "`images` to the subfolder with the photographs."
        )
    for _, _, folder in pairs:
        if not (root / folder).is_dir():
            raise UserError(
                f"The folder {str(root)!r} has no subfolder {folder!r}; set `masks` to that of the label maps."
            )
    return pairs


def _by_stem(names: tuple[str, ...], folder: str) -> dict[str, str]:
    stems: dict[str, str] = {}
    for name in names:
        stem = os.path.splitext(name)[0]  # noqa: PTH122
        if stem in stems:
            raise UserError(
                f"{stems[stem]!r} and {name!r} in {folder!r} differ in their suffix alone; rename or remove one."
            )
        stems[stem] = name
    return stems

"""Scenes as a data set: painted on demand, or read back from the file that the manifest's job has written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel import store
from intermodel.data.dataset import Dataset, Index, Segmentation, make_index
from intermodel.data.options import options
from intermodel.data.scenes.render import VERSION, Scene, kind_of, render
from intermodel.data.scenes.shifts import SHIFTS
from intermodel.data.scenes.vocabulary import CATEGORIES, LABELS, NUMBER, SCENES
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress

KEYS: dict[str, Any] = {
    "train": 2048,
    "test": 1000,
    "size": 64,
    "seed": 0,
    "shift": "none",
    "shift_strength": 1.0,
}


_BLOCK = 32  # images that are written at a time


def scenes_options(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The checked keys of a specification with source `scenes`."""
    values = options(spec, KEYS)
    size, strength = values["size"], values["shift_strength"]
    for key in ("train", "test", "seed"):
        if not isinstance(values[key], int) or values[key] < 0:
            raise UserError(f"The scenes' `{key}` is {values[key]!r}; expected a whole number from 0.")
    if not isinstance(size, int) or not 16 <= size <= 1024 or size % 2:
        raise UserError(f"The scenes' `size` is {size!r}; expected an even number of pixels from 16 to 1024.")
    if values["shift"] not in SHIFTS:
        raise UserError(f"The scenes' `shift` is {values['shift']!r}; expected one of {', '.join(SHIFTS)}.")
    if not 0 < float(strength) <= 1:
        raise UserError(f"The scenes' `shift_strength` is {strength!r}; expected more than 0 and at most 1.")
    return values


def index_scenes(spec: Mapping[str, Any]) -> Index:
    """Ids ``train/000000`` onwards, then ``test/000000`` onwards, with their kinds as classes."""
    values = scenes_options(spec)
    names = [(split, number) for split in ("train", "test") for number in range(values[split])]
    return make_index(
        [f"{split}/{number:06}" for split, number in names],
        [kind_of(values["seed"], split, number) for split, number in names],
        [split for split, _ in names],
        SCENES,
        CATEGORIES,
        LABELS,
        where="The scenes data set (train: 0, test: 0)",
    )


class Scenes(Dataset):
    """Procedural scenes.

    Parameters
    ----------
    spec
        See `KEYS`.
    index
        Made by `index_scenes`.
    images
        File written by `write_images`; None paints every image anew.
    """

    source = "scenes"

    def __init__(self, spec: Mapping[str, Any], index: Index, images: Path | None = None) -> None:
        super().__init__(index)
        self._values = scenes_options(spec)
        self._images = None if images is None else str(images)
        if images is not None:
            with store.open_file(images) as file:
                self._rows = store.align(self.ids, store.read_strings(file["id"]), str(images))

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return int(self._values["size"])

    def scene(self, i: int) -> Scene:
        """Paint image i with its masks."""
        split, number = str(self.ids[i]).split("/")
        values = self._values
        return render(
            values["seed"], split, int(number), values["size"], values["shift"], float(values["shift_strength"])
        )

    def image(self, i: int) -> NDArray[np.uint8]:
        if self._images is None:
            return self.scene(i).image
        pixels: NDArray[np.uint8] = self._painted()[0][int(self._rows[i])]
        return pixels

    def segmentation(self, i: int) -> Segmentation:
        layers = self.scene(i).layers if self._images is None else self._painted()[1][int(self._rows[i])]
        kind = NUMBER["scene", SCENES[int(self.labels[i])]]
        return Segmentation(layers.astype(np.uint16), np.array([kind], np.uint16))

    def _painted(self) -> tuple[h5py.Dataset, h5py.Dataset]:
        assert self._images is not None
        try:
            changed = Path(self._images).stat().st_mtime_ns
        except OSError:
            changed = 0  # opening it tells what is wrong
        return _opened(self._images, changed, os.getpid())

    def content(self, i: int) -> bytes:
        keys = ("seed", "size", "shift", "shift_strength")
        return json.dumps([VERSION, str(self.ids[i]), *(self._values[key] for key in keys)]).encode()

    def write_images(self, path: Path) -> None:
        """Paint every image once: `images` (N, size, size, 3) uint8, `layers` (N, 5, size, size) uint8, `id`."""
        size, count = self.size, len(self)
        with store.create(path, source=self.source, version=VERSION) as file:
            store.write_strings(file, "id", self.ids)
            images = file.create_dataset("images", (count, size, size, 3), np.uint8)
            layers = file.create_dataset(
                "layers", (count, 5, size, size), np.uint8, chunks=(1, 5, size, size), compression="lzf"
            )
            bar: progress[None] = progress(total=count, label="paint scenes")
            with bar:
                for start in range(0, count, _BLOCK):
                    scenes = [self.scene(i) for i in range(start, min(start + _BLOCK, count))]
                    images[start : start + len(scenes)] = np.stack([scene.image for scene in scenes])
                    layers[start : start + len(scenes)] = np.stack([scene.layers for scene in scenes])
                    bar.advance(len(scenes))


@lru_cache(maxsize=8)
def _opened(path: str, changed: int, process: int) -> tuple[h5py.Dataset, h5py.Dataset]:
    """Images and layers; anew for each process, since no handle survives a fork, and for each state of the file."""
    file = store.open_file(path)
    store.require(file, "images", "layers")
    return file["images"], file["layers"]

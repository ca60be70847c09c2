"""Images in the arrays of an .npz or HDF5 file."""

from __future__ import annotations

import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.data.class_table import ClassTable, read_class_table
from intermodel.data.dataset import Dataset, Index, Segmentation, make_index
from intermodel.data.options import REQUIRED, options
from intermodel.engine.errors import UserError

KEYS: dict[str, Any] = {
    "path": REQUIRED,
    "images": None,
    "labels": None,
    "masks": None,
    "classes": None,
    "concepts": None,
    "void": None,
}

# Numbers beyond it are no classes but something else; they would each be given a name.
MOST_CLASSES = 100_000

#: Names that are tried where the specification gives none: alone, or one for each split.
USUAL = {
    "images": ("images", {"train": "x_train", "test": "x_test"}),
    "labels": ("labels", {"train": "y_train", "test": "y_test"}),
}


def index_arrays(spec: Mapping[str, Any]) -> Index:
    """Look at the shapes of the arrays and read the labels; ids are ``<split>/000000`` or ``000000``.

    Raises
    ------
    UserError
        If the file is not readable, or arrays are missing or do not fit each other.
    """
    values = options(spec, KEYS)
    content = _content(str(values["path"]))
    images = _names(content, values, "images")
    if images is None:
        raise UserError(
            f"{content.name} holds the arrays {', '.join(content.keys) or 'none'}; set `images` to the one with the "
            "images, or to {train: ..., test: ...}."
        )
    labels, masks = _names(content, values, "labels"), _names(content, values, "masks")
    for key, names in (("labels", labels), ("masks", masks)):
        if names is not None and set(names) != set(images):
            raise UserError(
                f"The data set's `{key}` name arrays for {_told(names)}, its `images` for {_told(images)}; give both "
                "for the same splits."
            )
    ids: list[str] = []
    splits: list[str] = []
    numbers: list[NDArray[np.integer]] = []
    for split, name in images.items():
        shape, kind = content.shape(name), content.dtype(name)
        _check_images(shape, kind, f"the array {name!r} of {content.name}")
        ids += [f"{split}/{number:06}" if split else f"{number:06}" for number in range(shape[0])]
        splits += [split] * shape[0]
        if labels is not None:
            numbers.append(_labels(content, labels[split], shape[0]))
        if masks is not None:
            _check_masks(content, masks[split], shape)
    classes = _classes(content, values["classes"], numbers)
    table = _table(values, masks is not None)
    return make_index(
        ids,
        np.concatenate(numbers) if numbers else None,
        splits,
        classes,
        table.categories if table else (),
        table.labels if table else (),
        where=content.name,
    )


class Arrays(Dataset):
    """Images in an array; label maps in another."""

    source = "arrays"

    def __init__(self, spec: Mapping[str, Any], index: Index) -> None:
        super().__init__(index)
        values = options(spec, KEYS)
        self._path = str(values["path"])
        content = _content(self._path)
        self._images = _names(content, values, "images")
        self._masks = _names(content, values, "masks")
        self._table = _table(values, self._masks is not None)

    def _place(self, i: int) -> tuple[str, int]:
        split, _, number = str(self.ids[i]).rpartition("/")
        return split, int(number)

    def image(self, i: int) -> NDArray[np.uint8]:
        split, row = self._place(i)
        assert self._images is not None
        where = f"the image {str(self.ids[i])!r} of {self._path!r}"
        return _to_rgb(_content(self._path).row(self._images[split], row), where)

    def content(self, i: int) -> bytes:
        return hashlib.sha256(self.image(i).tobytes()).digest()

    def segmentation(self, i: int) -> Segmentation:
        if self._masks is None or self._table is None:
            return super().segmentation(i)
        split, row = self._place(i)
        pixels = _content(self._path).row(self._masks[split], row)
        where = f"the label map of the image {str(self.ids[i])!r} of {self._path!r}"
        layers, valid = self._table.decode(pixels, where)
        if layers.ndim == 2:
            layers = layers[None]
        elif valid is not None:
            valid = np.all(valid, axis=0)  # void in one layer is void
        return Segmentation(layers, np.empty(0, np.uint16), valid)


class _Content:
    """Arrays of a file by name. An .npz file is read whole, an HDF5 file row by row."""

    def __init__(self, path: str) -> None:
        self.name = f"the file {path!r}"
        if not Path(path).is_file():
            raise UserError(f"There is no file {path!r}; correct the data set's `path`.")
        with self._reading():
            if path.lower().endswith(".npz"):
                with np.load(path, allow_pickle=False) as archive:
                    self._arrays: dict[str, Any] = {key: archive[key] for key in archive.files}
            else:
                self._arrays = self._datasets(h5py.File(path, "r", locking=False))
        self.keys = sorted(self._arrays)

    def _datasets(self, file: h5py.File) -> dict[str, Any]:
        """Data sets of an HDF5 file by name, after checking that their values lie in this very file."""
        found = {}
        for name in file:
            if isinstance(file.get(name, getlink=True), h5py.ExternalLink) or getattr(file[name], "external", None):
                raise UserError(
                    f"{self.name} takes the array {name!r} from another file; give a file that holds its arrays itself."
                )
            if isinstance(file[name], h5py.Dataset):
                found[name] = file[name]
        return found

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """What goes wrong in the block is told as damage of this file."""
        try:
            yield
        except (OSError, ValueError, KeyError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(
                f"{self.name} is not a readable .npz or HDF5 file, or is damaged ({_first_line(error)}); arrays of "
                "Python objects are not read."
            ) from error

    def shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._arrays[name].shape)

    def dtype(self, name: str) -> np.dtype[Any]:
        kind: np.dtype[Any] = self._arrays[name].dtype
        return kind

    def whole(self, name: str) -> NDArray[Any]:
        with self._reading():
            return np.asarray(self._arrays[name][...])

    def row(self, name: str, row: int) -> NDArray[Any]:
        with self._reading():
            return np.asarray(self._arrays[name][row])

    def has(self, name: str) -> bool:
        return name in self._arrays


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _content(path: str) -> _Content:
    # One per process (HDF5 handles do not survive a fork), and anew when the file has changed.
    try:
        stamp = Path(path).stat().st_mtime_ns
    except OSError:
        stamp = 0
    return _cached(path, stamp, 0 if path.lower().endswith(".npz") else os.getpid())


@lru_cache(maxsize=4)
def _cached(path: str, stamp: int, process: int) -> _Content:
    return _Content(path)


def _names(content: _Content, values: Mapping[str, Any], key: str) -> dict[str, str] | None:
    """Array of each split; the split is "" where there is one array for all."""
    given = values[key]
    if given is None:
        for usual in USUAL.get(key, ()):
            names = {"": usual} if isinstance(usual, str) else usual
            present = {split: name for split, name in names.items() if content.has(name)}
            if present:
                return present
        return None
    names = {"": given} if isinstance(given, str) else dict(given)
    wrong = sorted(set(names) - {"", "train", "test"})
    if wrong:
        raise UserError(f"The data set's `{key}` name the split {wrong[0]!r}; expected train and test.")
    for name in names.values():
        if not content.has(name):
            raise UserError(f"{content.name} has no array {name!r}; it holds {', '.join(content.keys) or 'none'}.")
    return names


def _told(names: Mapping[str, str]) -> str:
    return " and ".join(split or "all images" for split in names)


def _check_images(shape: tuple[int, ...], kind: np.dtype[Any], where: str) -> None:
    channels_last = len(shape) == 4 and shape[3] in (1, 3, 4)
    channels_first = len(shape) == 4 and shape[1] in (1, 3)
    if not (len(shape) == 3 or channels_last or channels_first):
        raise UserError(f"{where} has the shape {shape}, expected (N, H, W), (N, H, W, 1|3|4) or (N, 1|3, H, W).")
    if kind != np.uint8 and kind.kind != "f":
        raise UserError(f"{where} has the type {kind}, expected uint8, or floats from 0 to 1.")


def _check_masks(content: _Content, name: str, images: tuple[int, ...]) -> None:
    shape, kind = content.shape(name), content.dtype(name)
    height, width = images[2:4] if len(images) == 4 and images[3] not in (1, 3, 4) else images[1:3]
    if len(shape) not in (3, 4) or shape[0] != images[0] or shape[-2:] != (height, width) or kind.kind not in "iub":
        raise UserError(
            f"The array {name!r} of {content.name} has the shape {shape} and the type {kind}, expected integers of the "
            f"shape {(images[0], height, width)} or {(images[0], 'S', height, width)} like its images."
        )


def _labels(content: _Content, name: str, count: int) -> NDArray[np.integer]:
    labels = content.whole(name)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise UserError(
            f"The array {name!r} of {content.name} has the shape {labels.shape} and the type {labels.dtype}, expected "
            f"{count} whole numbers, one for each image."
        )
    return labels


def _classes(content: _Content, given: str | list[str] | None, numbers: list[NDArray[np.integer]]) -> list[str]:
    if isinstance(given, list):
        return [str(name) for name in given]
    if given is not None and not content.has(given):
        raise UserError(f"{content.name} has no array {given!r}; it holds {', '.join(content.keys) or 'none'}.")
    name = given or "classes"
    if content.has(name):
        values = content.whole(name)
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
    highest = max((int(part.max()) for part in numbers if part.size), default=-1)
    if highest >= MOST_CLASSES:
        raise UserError(
            f"{content.name} has the class number {highest}, expected 0 to {MOST_CLASSES - 1:,}; correct its "
            "labels, or name the classes with `classes`."
        )
    return [str(number) for number in range(highest + 1)]


def _table(values: Mapping[str, Any], masks: bool) -> ClassTable | None:
    if not masks:
        return None
    if values["concepts"] is None:
        raise UserError("A data set with `masks` needs `concepts`: the table (JSON or CSV) that names their values.")
    table = read_class_table(values["concepts"], void=values["void"])
    if 0 in table.values or 0 in table.void or 0 in table.unlabelled:
        return table
    # In arrays 0 means unlabelled unless the table says otherwise.
    return ClassTable(table.labels, table.values, table.void, table.unlabelled | {0}, table.colored, table.name)


def _to_rgb(pixels: NDArray[Any], where: str) -> NDArray[np.uint8]:
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.dtype != np.uint8:
        low, high = float(np.min(pixels)), float(np.max(pixels))
        if not (low >= 0 and high <= 1):
            raise UserError(f"{where} has values from {low:g} to {high:g}, expected 0 to 1 for floats (or uint8)")
        pixels = np.rint(pixels * 255).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.shape[2] == 1:
        return np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] == 4:
        wide = pixels.astype(np.uint32)
        color, alpha = wide[..., :3], wide[..., 3:]
        return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(pixels)

"""Label maps: decoded once, at one size, into one file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from intermodel import store
from intermodel.data.dataset import Dataset, Segmentation
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress

_CHUNK = 16  # images that a process decodes at a time
_CHUNK_BYTES = 2**18  # of label maps that are compressed together
_NAMED = 10  # images that an error names


def build_segmentation(
    spec: Mapping[str, Any],
    manifest: str | os.PathLike[str],
    path: str | os.PathLike[str],
    size: int | Sequence[int] | None = None,
    threads: int = 1,
) -> None:
    """Decode all label maps of a data set into one file.

    The file holds `id` (N,), `layers` (N, S, H, W) uint16, `image_label_offset` (N + 1,) and `image_label` (M,), and
    `valid` (N, H, W) if any pixel is void; attributes `categories`, `labels` and `fingerprint` (sha256 of the maps).
    Maps of another size are resized to the nearest neighbour.

    Parameters
    ----------
    spec
        See `intermodel.data.open.open_dataset`.
    manifest
        The data set's manifest.
    path
        The file to write.
    size
        Common side, or height and width, that all maps are brought to; their own, which must be one, if None.
    threads
        Number of processes that decode.

    Raises
    ------
    UserError
        If maps cannot be read or do not fit, or vary in size while no common size is set.
    """
    dataset = open_dataset(spec, manifest)
    count = len(dataset)
    broken: list[str] = []
    with store.create(path) as file:
        writer = _Writer(file, count, _height_and_width(size))
        found = _decode_all(dataset, writer.size, threads)
        for i, segmentation in enumerate(progress(found, total=count, label="read label maps")):
            if isinstance(segmentation, str):
                broken.append(segmentation)
            else:
                writer.add(str(dataset.ids[i]), segmentation)
        if broken:
            more = f" (and {len(broken) - _NAMED} more)" if len(broken) > _NAMED else ""
            named = "; ".join(broken[:_NAMED]) + more + ". Correct them and run again."
            raise UserError(f"The label maps of {len(broken)} of {count} images cannot be used: {named}")
        writer.finish()
        store.write_strings(file, "id", dataset.ids)
        store.write_attributes(
            file,
            {
                "categories": list(dataset.categories),
                "labels": [asdict(label) for label in dataset.concepts],
                "fingerprint": writer.digest.hexdigest(),
            },
        )


class _Writer:
    """Label maps into a file, in blocks of images; the number of layers grows when an image with more of them comes."""

    def __init__(self, file: h5py.File, count: int, size: tuple[int, int] | None) -> None:
        self.size = size
        self.digest = hashlib.sha256()
        self._file, self._count = file, count
        self._first = ""
        self._layers: h5py.Dataset | None = None
        self._valid: h5py.Dataset | None = None
        self._block: list[Segmentation] = []
        self._written = 0
        self._image_labels: list[NDArray[np.uint16]] = []

    def add(self, name: str, found: Segmentation) -> None:
        """Take the label maps of the next image."""
        height, width = found.layers.shape[1:]
        if self.size is None:
            self.size, self._first = (height, width), name
        elif (height, width) != self.size:
            raise UserError(
                f"The label maps vary in size: {self._first!r} has {self.size[0]} x {self.size[1]} pixels (height x "
                f"width), {name!r} has {height} x {width}; set `segmentation_size` in the study."
            )
        for part in (found.layers, found.image_labels, found.valid):
            self.digest.update(b"-" if part is None else str(part.shape).encode() + part.tobytes())
        self._image_labels.append(found.image_labels)
        self._block.append(found)
        if len(self._block) == self._chunk:
            self._flush()

    def finish(self) -> None:
        """Write what is left, and the labels of whole images."""
        self._flush()
        lengths = [len(numbers) for numbers in self._image_labels]
        self._file["image_label_offset"] = np.cumsum([0, *lengths], dtype=np.int64)
        self._file["image_label"] = np.concatenate(self._image_labels).astype(np.uint16)

    @property
    def _chunk(self) -> int:
        assert self.size is not None
        return min(self._count, max(1, _CHUNK_BYTES // (2 * self.size[0] * self.size[1])))

    def _flush(self) -> None:
        if not self._block:
            return
        assert self.size is not None
        depth = max(1, *(len(found.layers) for found in self._block))
        if self._layers is None:
            self._layers = self._create("layers", np.uint16, (depth,), (None,))
        if depth > self._layers.shape[1]:
            self._layers.resize(depth, axis=1)
        rows = slice(self._written, self._written + len(self._block))
        layers = np.zeros((len(self._block), depth, *self.size), np.uint16)
        for row, found in enumerate(self._block):
            layers[row, : len(found.layers)] = found.layers
        self._layers[rows, :depth] = layers
        if any(found.valid is not None for found in self._block):
            if self._valid is None:
                self._valid = self._create("valid", np.bool_, (), (), fillvalue=True)
            everything = np.ones(self.size, np.bool_)
            self._valid[rows] = np.stack([everything if found.valid is None else found.valid for found in self._block])
        self._written = rows.stop
        self._block = []

    def _create(
        self, name: str, dtype: DTypeLike, depth: tuple[int, ...], most: tuple[None, ...], **options: Any
    ) -> h5py.Dataset:
        assert self.size is not None
        return self._file.create_dataset(
            name,
            (self._count, *depth, *self.size),
            dtype,
            maxshape=(self._count, *most, *self.size),
            chunks=(self._chunk, *(1 for _ in depth), *self.size),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
            **options,
        )


def resize_nearest(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize the last two axes to (height, width), each pixel taking the source pixel that its centre falls on."""
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(size, image.shape[-2:]))
    return image[..., rows[:, None], columns[None, :]]


def _height_and_width(size: int | Sequence[int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)


def _decode_all(dataset: Dataset, size: tuple[int, int] | None, threads: int) -> Iterator[Segmentation | str]:
    if threads <= 1 or len(dataset) <= _CHUNK:
        yield from (_decode(dataset, i, size) for i in range(len(dataset)))
        return
    with ProcessPoolExecutor(threads, initializer=_adopt, initargs=(dataset, size)) as pool:
        yield from pool.map(_decode_adopted, range(len(dataset)), chunksize=_CHUNK)


def _decode(dataset: Dataset, i: int, size: tuple[int, int] | None) -> Segmentation | str:
    try:
        found = dataset.segmentation(i)
    except UserError as error:
        return str(error).rstrip(".")
    if size is None or found.layers.shape[1:] == size:
        return found
    valid = None if found.valid is None else resize_nearest(found.valid, size)
    return Segmentation(resize_nearest(found.layers, size), found.image_labels, valid)


_adopted: tuple[Dataset, tuple[int, int] | None] | None = None


def _adopt(dataset: Dataset, size: tuple[int, int] | None) -> None:
    global _adopted
    _adopted = dataset, size


def _decode_adopted(i: int) -> Segmentation | str:
    assert _adopted is not None
    dataset, size = _adopted
    return _decode(dataset, i, size)

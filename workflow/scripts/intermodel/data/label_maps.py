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
from numpy.typing import NDArray

from intermodel import store
from intermodel.data.dataset import Dataset, Segmentation
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress

_CHUNK = 16
_NAMED = 10


def build_segmentation(
    spec: Mapping[str, Any],
    manifest: str | os.PathLike[str],
    path: str | os.PathLike[str],
    threads: int = 1,
) -> None:
    """Decode all label maps of a data set into one file.

    The file holds `id` (N,), `layers` (N, S, H, W) uint16, `image_label_offset` (N + 1,) and `image_label` (M,), and
    `valid` (N, H, W) if any pixel is void; attributes `categories`, `labels` and `fingerprint` (sha256 of the maps).
    Maps of another size are resized to the nearest neighbour.

    Parameters
    ----------
    spec
        See `intermodel.data.open.open_dataset`; `segmentation_size` is the common size.
    manifest
        The data set's manifest.
    path
        The file to write.
    threads
        Number of processes that decode.

    Raises
    ------
    UserError
        If maps cannot be read or do not fit, or vary in size while no common size is set.
    """
    dataset = open_dataset(spec, manifest)
    size = _common_size(spec)
    count = len(dataset)
    offsets, numbers = np.zeros(count + 1, np.int64), []
    broken: list[str] = []
    digest = hashlib.sha256()
    with store.create(path) as file:
        layers: h5py.Dataset | None = None
        valid: h5py.Dataset | None = None
        for i, found in enumerate(progress(_decode_all(dataset, size, threads), total=count, label="read label maps")):
            if isinstance(found, str):
                broken.append(found)
                continue
            shape = found.layers.shape[1:]
            if size is None:
                size, first = shape, str(dataset.ids[i])
            elif shape != size:
                raise UserError(
                    f"The label maps vary in size: {first!r} has {size[0]} x {size[1]} pixels (height x width), "
                    f"{str(dataset.ids[i])!r} has {shape[0]} x {shape[1]}; set `segmentation_size` in the study."
                )
            if layers is None:
                layers = _create_layers(file, count, len(found.layers), size)
            if len(found.layers) > layers.shape[1]:
                layers.resize(len(found.layers), axis=1)
            layers[i, : len(found.layers)] = found.layers
            if found.valid is not None:
                valid = valid or _create_valid(file, count, size)
                valid[i] = found.valid
            offsets[i + 1] = len(found.image_labels)
            numbers.append(found.image_labels)
            for part in (found.layers, found.image_labels, found.valid):
                digest.update(b"-" if part is None else str(part.shape).encode() + part.tobytes())
        _complain(broken, count)
        store.write_strings(file, "id", dataset.ids)
        file["image_label_offset"] = np.cumsum(offsets)
        file["image_label"] = np.concatenate(numbers).astype(np.uint16)
        store.write_attributes(
            file,
            {
                "categories": list(dataset.categories),
                "labels": [asdict(label) for label in dataset.concepts],
                "fingerprint": digest.hexdigest(),
            },
        )


def resize_nearest(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Resize the last two axes to (height, width), each pixel taking the source pixel that its centre falls on."""
    rows, columns = (((np.arange(new) + 0.5) * old / new).astype(np.intp) for new, old in zip(size, image.shape[-2:]))
    return image[..., rows[:, None], columns[None, :]]


def _common_size(spec: Mapping[str, Any]) -> tuple[int, int] | None:
    size = spec.get("segmentation_size")
    if size is None:
        return None
    height, width = (size, size) if isinstance(size, int) else size
    return int(height), int(width)


def _create_layers(file: h5py.File, count: int, depth: int, size: tuple[int, int]) -> h5py.Dataset:
    # The number of layers grows when an image with more labels per pixel comes; absent layers read as 0.
    return file.create_dataset(
        "layers", (count, depth, *size), np.uint16, maxshape=(count, None, *size), chunks=(1, 1, *size),
        compression="gzip", compression_opts=1, shuffle=True,
    )  # fmt: skip


def _create_valid(file: h5py.File, count: int, size: tuple[int, int]) -> h5py.Dataset:
    return file.create_dataset(
        "valid", (count, *size), np.bool_, chunks=(1, *size), compression="gzip", compression_opts=1, fillvalue=True
    )


def _complain(broken: Sequence[str], count: int) -> None:
    if broken:
        more = f" (and {len(broken) - _NAMED} more)" if len(broken) > _NAMED else ""
        raise UserError(
            f"The label maps of {len(broken)} of {count} images cannot be used: {'; '.join(broken[:_NAMED])}{more}. "
            "Correct them and run again."
        )


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

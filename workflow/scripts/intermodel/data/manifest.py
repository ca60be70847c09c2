"""Make a manifest: look at every image once, so that no later job meets a broken one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from intermodel.data.dataset import Dataset, Index
from intermodel.data.manifest_file import Manifest, write_manifest
from intermodel.data.open import IMAGES_FILE, open_dataset
from intermodel.data.scenes.source import Scenes
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress

_CHUNK = 64
_NAMED = 10  # broken images that an error names

#: (width, height, content) of an image, or why it cannot be read.
Measured = tuple[int, int, bytes] | str


def build_manifest(spec: Mapping[str, Any], path: str | os.PathLike[str], threads: int = 1) -> None:
    """Decode every image of a data set and write its manifest; scenes are also painted into a file beside it.

    Parameters
    ----------
    spec
        See `intermodel.data.open.open_dataset`.
    path
        The manifest to write.
    threads
        Number of processes that decode.

    Raises
    ------
    UserError
        If the specification is wrong or images cannot be read; the message names the first of them.
    """
    dataset = open_dataset(spec)
    if isinstance(dataset, Scenes):
        dataset.write_images(Path(path).with_name(IMAGES_FILE))
    sizes = np.empty((len(dataset), 2), np.int32)
    contents: list[bytes] = []
    broken: list[str] = []
    for i, measured in enumerate(progress(_measure_all(dataset, threads), total=len(dataset), label="read images")):
        if isinstance(measured, str):
            broken.append(measured)
            contents.append(b"")
        else:
            sizes[i] = measured[:2]
            contents.append(measured[2])
    if broken:
        more = f" (and {len(broken) - _NAMED} more)" if len(broken) > _NAMED else ""
        raise UserError(
            f"{len(broken)} of {len(dataset)} images cannot be used: {'; '.join(broken[:_NAMED])}{more}. "
            "Replace or remove them and run again."
        )
    width, height = sizes[:, 0].copy(), sizes[:, 1].copy()
    write_manifest(
        path, Manifest(dataset.index, width, height, dataset.source, fingerprint(dataset.index, sizes, contents))
    )


def fingerprint(index: Index, sizes: np.ndarray, contents: list[bytes]) -> str:
    """sha256 of everything that features depend on: order, ids, sizes, classes, splits and contents.

    Parameters
    ----------
    index
        N images.
    sizes
        (N, 2) width and height.
    contents
        N digests.
    """
    digest = hashlib.sha256(json.dumps(index.classes).encode())
    rows = zip(index.ids.tolist(), index.splits.tolist(), index.labels.tolist(), sizes.tolist(), contents)
    for name, split, label, (width, height), content in rows:
        digest.update(json.dumps([name, split, label, width, height, content.hex()]).encode())
    return digest.hexdigest()


def _measure_all(dataset: Dataset, threads: int) -> Iterator[Measured]:
    if isinstance(dataset, Scenes):
        # Painted by this very job: nothing to decode.
        size = int(dataset.size)
        yield from ((size, size, dataset.content(i)) for i in range(len(dataset)))
    elif threads <= 1 or len(dataset) <= _CHUNK:
        yield from (_measure(dataset, i) for i in range(len(dataset)))
    else:
        with ProcessPoolExecutor(threads, initializer=_adopt, initargs=(dataset,)) as pool:
            yield from pool.map(_measure_adopted, range(len(dataset)), chunksize=_CHUNK)


def _measure(dataset: Dataset, i: int) -> Measured:
    try:
        height, width, _ = dataset.image(i).shape
        return width, height, dataset.content(i)
    except UserError as error:
        return str(error).rstrip(".")


_adopted: Dataset | None = None


def _adopt(dataset: Dataset) -> None:
    global _adopted
    _adopted = dataset


def _measure_adopted(i: int) -> Measured:
    assert _adopted is not None
    return _measure(_adopted, i)

"""Feature files of several shards: one dtype for all of them, and one virtual file over them (no torch here)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from intermodel import store
from intermodel.engine.errors import UserError

# Maps are stored as float16 unless one of their values is larger than float16's largest, or all are so small that
# float16, which has 11 binary digits down to 2^-14, would lose digits of most of them.
LARGEST_HALF = 65504.0
SMALLEST_HALF = 2.0**-8

# What shards of a file may differ in.
OWN = {"shard", "first_image", "signed", "device"}


def map_dtype(largest: float) -> str:
    """Stored dtype of the maps of a layer whose largest absolute value over all images is `largest`."""
    return "float32" if largest > LARGEST_HALF or 0 < largest < SMALLEST_HALF else "float16"


def largest_of_siblings(path: Path, shard: tuple[int, int], origin: Mapping[str, Any]) -> float:
    """Largest absolute value in the finished shards of the same file; 0.0 if there are none.

    Parameters
    ----------
    path
        The file of a shard.
    shard
        Its number, from 1, and the number of shards.
    origin
        Attributes that a shard of the same state of model and data set has.
    """
    number, count = shard
    largest = 0.0
    for other in range(1, count + 1):
        sibling = path.parent.parent / f"{other}-of-{count}" / path.name
        # A sibling that is being made at this moment counts as missing.
        if other != number and sibling.exists():
            with suppress(UserError), store.open_file(sibling) as file:
                if all(file.attrs.get(name) == value for name, value in origin.items()):
                    largest = max(largest, _largest(file))
    return largest


def join_shards(shards: Sequence[str | Path], path: str | Path) -> None:
    """Write a feature file as a virtual data set over its shards; no value is copied.

    The shards are found by their place relative to `path`, so the folder of the file can be moved as a whole.

    Parameters
    ----------
    shards
        Finished files of all shards, in order, below the folder of `path`.
    path
        The file to write.

    Raises
    ------
    UserError
        If the shards do not belong together, or if some of them hold maps of another dtype than all values together
        call for: these are removed, so that the next run makes them again.
    """
    path = Path(path)
    with ExitStack() as stack:
        files = [stack.enter_context(store.open_file(shard)) for shard in shards]
        for file in files:
            store.require(file, "index", "blocks")
        what = "maps" if "maps" in files[0] else "pooled"
        _check_that_they_belong_together(files, what)
        if what == "maps":
            _check_dtypes(files)
        names = [Path(shard).relative_to(path.parent).as_posix() for shard in shards]
        attributes = {name: value for name, value in files[0].attrs.items() if name not in OWN | {"complete"}}
        attributes["signed"] = any(file.attrs["signed"] for file in files)
        attributes["device"] = ", ".join(sorted({str(file.attrs["device"]) for file in files}))
        attributes["shards"] = {name: store.shard_digest(file) for name, file in zip(names, files, strict=True)}
        with store.create(path, **attributes) as joined:
            for data in (what, "index"):
                _virtual(joined, data, names, files)


def _virtual(joined: h5py.File, data: str, names: Sequence[str], files: Sequence[h5py.File]) -> None:
    kind, row = files[0][data].dtype, files[0][data].shape[1:]
    layout = h5py.VirtualLayout((sum(len(file[data]) for file in files), *row), kind)
    start = 0
    for name, file in zip(names, files, strict=True):
        stop = start + len(file[data])
        # HDF5 reads % in the name of a source as the beginning of a pattern.
        layout[start:stop] = h5py.VirtualSource(name.replace("%", "%%"), data, file[data].shape, kind)
        start = stop
    joined.create_virtual_dataset(data, layout, fillvalue=np.nan if kind.kind == "f" else None)


def _check_that_they_belong_together(files: Sequence[h5py.File], what: str) -> None:
    first, start = files[0], 0
    expected = _shared(first)
    for number, file in enumerate(files, 1):
        store.require(file, what)
        found = _shared(file)
        different = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        if different:
            raise UserError(
                f"{file.filename} does not belong to {first.filename}, from which it differs in "
                f"{', '.join(different)}; delete the one that is out of date and run again."
            )
        place = str(file.attrs.get("shard")), int(file.attrs.get("first_image", -1))
        if place != (f"{number} of {len(files)}", start) or file[what].shape[1:] != first[what].shape[1:]:
            raise UserError(
                f"{file.filename} holds shard {place[0]} from image {place[1]} on, expected {number} of {len(files)} "
                f"from image {start} on, each image {first[what].shape[1:]}; delete it and run again."
            )
        start += len(file[what])
    if start != expected.get("images"):
        raise UserError(
            f"The shards of {first.filename} hold {start} images, expected {expected.get('images')}; delete them and "
            "run again."
        )


def _shared(file: h5py.File) -> dict[str, Any]:
    return {name: value for name, value in store.plain_attributes(file).items() if name not in OWN}


def _check_dtypes(files: Sequence[h5py.File]) -> None:
    """Rows that were rounded to float16 do not fit to others: one dtype for all, as if there were one shard."""
    largest = max(_largest(file) for file in files)
    dtype = map_dtype(largest)
    wrong = [Path(file.filename) for file in files if file["maps"].dtype != dtype]
    for shard in wrong:
        shard.unlink()
    if wrong:
        raise UserError(
            f"The maps of layer {files[0].attrs['layer']!r} have to be {dtype}, since their largest value is "
            f"{largest:g}, which was found after {len(wrong)} of {len(files)} shards had been stored otherwise "
            f"({wrong[0]}{', …' if len(wrong) > 1 else ''}); these have been removed: run again, which makes them anew."
        )


def _largest(file: h5py.File) -> float:
    return float(file["blocks"]["largest"].max(initial=0.0))

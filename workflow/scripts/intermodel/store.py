"""HDF5 files: written atomically, verified at the door, joined by image id.

Every file carries the attribute `complete`, written last; a file without it is not read. Feature files hold
`pooled` (N, C) float32 and `index` (N,) image ids; beside them `{layer}.maps.h5` holds `maps` (N, C, h, w) in
float16, or float32 where a value exceeds float16's range. A feature file may be a virtual data set over shards, which
lie below its folder; its attribute `shards` tells them.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.engine.publish import publish

PathLike = str | os.PathLike[str]

# Strings that are held as objects of Python at a time, which take many times the room of their text.
STRINGS = 4096
# Bytes of texts, and of what else is no data, that HDF5 keeps meanwhile.
KEPT = 1 << 17
# Blocks of units are no larger than this, or than a chunk of the file where that is more.
CHEAP_MB = 32


@contextmanager
def create(path: PathLike, **attributes: Any) -> Iterator[h5py.File]:
    """Yield a new HDF5 file that is published under `path` when the block succeeds.

    Attributes that HDF5 cannot hold (dict, list, tuple, None) are stored as JSON text.
    """
    with publish(path) as temporary, h5py.File(temporary, "w", libver="latest") as file:
        write_attributes(file, attributes)
        yield file
        file.attrs["complete"] = True


def write_attributes(target: h5py.Group, attributes: Mapping[str, Any]) -> None:
    """Write attributes of a file or group; dict, list, tuple and None become JSON text with sorted keys."""
    for name, value in attributes.items():
        if isinstance(value, dict | list | tuple) or value is None:
            value = json.dumps(value, sort_keys=True)
        target.attrs[name] = value


class FinishedFile(h5py.File):  # type: ignore[misc]
    """A finished HDF5 file for reading; damage that is met inside its `with` block becomes a `UserError`."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        damage = error if isinstance(error, OSError | KeyError | RuntimeError) else None
        if damage is not None and not (self and _is_read_from(self, traceback)):
            damage = None
        path = self.filename if damage is not None else ""
        super().__exit__(kind, error, traceback)
        if damage is not None:
            raise UserError(f"{path} is damaged ({_first_line(damage)}); delete it and run again.") from error


def _is_read_from(file: h5py.File, traceback: TracebackType | None) -> bool:
    """Whether an exception came out of h5py while it read this file (several may be open)."""
    while traceback is not None:
        source = traceback.tb_frame.f_locals.get("self")
        if isinstance(source, h5py.HLObject | h5py.AttributeManager):
            return bool(h5py.h5i.get_file_id(source._id) == file.id)
        traceback = traceback.tb_next
    return False


def open_file(path: PathLike) -> FinishedFile:
    """Open a finished file for reading, best in a `with` statement (see `FinishedFile`).

    Raises
    ------
    UserError
        If the file is missing, is not HDF5, is truncated, or was never finished.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; run the workflow to make it.")
    try:
        file = FinishedFile(path, "r", locking=False)
        complete = file.attrs.get("complete", False)
    except (OSError, RuntimeError, KeyError) as error:
        raise UserError(
            f"{path} is not a readable HDF5 file ({_first_line(error)}); delete it and run again."
        ) from error
    if not complete:
        file.close()
        raise UserError(f"{path} is not complete (its writer was interrupted); delete it and run again.")
    if "shards" in file.attrs:
        try:
            _check_shards(path, file)
        except BaseException:
            file.close()
            raise
    return file


def _check_shards(path: Path, file: h5py.File) -> None:
    """HDF5 reads rows of a missing shard as NaN and as empty ids, without a word."""
    shards: dict[str, int] = json.loads(file.attrs["shards"])
    for name, digest in shards.items():
        shard = path.parent / name
        if not shard.exists():
            raise UserError(
                f"{path} consists of {len(shards)} shards, of which {shard} is missing; bring it back, or run the "
                "target `features`, which makes what is missing."
            )
        with open_file(shard) as part:
            if shard_digest(part) != digest:
                raise UserError(
                    f"{shard} has changed since {path} was put together from it; delete {path} and run again."
                )


def shard_digest(shard: h5py.File) -> int:
    """A number that tells the contents of an open shard, from the checksums of its blocks."""
    require(shard, "blocks")
    return zlib.crc32(shard["blocks"][...].tobytes())


def read_attributes(path: PathLike) -> dict[str, Any]:
    """Attributes of a finished file as plain Python values, JSON text left as it is."""
    with open_file(path) as file:
        return plain_attributes(file)


def plain_attributes(target: h5py.Group) -> dict[str, Any]:
    """Attributes of an open file or group as plain Python values."""
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in target.attrs.items()}


def require(file: h5py.File, *names: str) -> None:
    """Raise `UserError` unless the open file holds all the data sets (or groups) in `names`."""
    missing = [name for name in names if name not in file]
    if missing:
        raise UserError(
            f"{file.filename} lacks {', '.join(missing)} (it holds {', '.join(sorted(file)) or 'nothing'}); "
            "it is not the expected kind of file: delete it and run again."
        )


def unbuffered(file: h5py.File, name: str) -> h5py.Dataset:
    """A data set of which no chunk is kept once it is read, where HDF5 would keep 8 MB.

    For reading everything once in order, or small pieces of what is not compressed in no order.
    """
    place = file[name].name.encode()  # a damaged file is told of here
    access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
    access.set_chunk_cache(1, 0, 0.0)
    return h5py.Dataset(h5py.h5d.open(file.id, place, access), readonly=True)


def read_strings(dataset: h5py.Dataset) -> NDArray[np.str_]:
    """A string data set as a numpy array of str."""
    text = dataset.asstr()
    if dataset.ndim != 1 or len(dataset) <= STRINGS:
        return np.asarray(text[...], dtype=np.str_).reshape(dataset.shape)
    blocks = range(0, len(dataset), STRINGS)
    with _little_kept(dataset.file):
        return np.concatenate([np.asarray(text[start : start + STRINGS], dtype=np.str_) for start in blocks])


@contextmanager
def _little_kept(file: h5py.File) -> Iterator[None]:
    """Keep HDF5 from holding on to the texts that it reads, of which it would keep up to 32 MB."""
    usual, small = file.id.get_mdc_config(), file.id.get_mdc_config()
    small.set_initial_size = True
    small.initial_size = small.min_size = small.max_size = KEPT
    file.id.set_mdc_config(small)
    try:
        yield
    finally:
        file.id.set_mdc_config(usual)


def write_strings(group: h5py.Group, name: str, values: Sequence[str] | NDArray[np.str_]) -> None:
    """Write strings as variable-length UTF-8."""
    dataset = group.create_dataset(name, np.shape(values), h5py.string_dtype("utf-8"))
    for start in range(0, len(values), STRINGS):
        block = slice(start, start + STRINGS)
        dataset[block] = np.asarray(list(values[block]), dtype=object)


@dataclass(frozen=True)
class Pooled:
    """Pooled features of one layer: `values[i]`, (N, C) float32, belongs to the image `ids[i]`."""

    ids: NDArray[np.str_]
    values: NDArray[np.float32]
    attributes: dict[str, Any]


class Rows(Protocol):
    """An (N, C) array, or whatever else is read in ranges of rows, such as an HDF5 data set."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]: ...


@contextmanager
def open_pooled(path: PathLike) -> Iterator[tuple[NDArray[np.str_], Rows, dict[str, Any]]]:
    """Yield the image ids, (N,), the features, (N, C) float32, to be read in ranges of rows, and the attributes."""
    with open_file(path) as file:
        require(file, "pooled", "index")
        ids, values = read_strings(file["index"]), unbuffered(file, "pooled")
        if values.ndim != 2 or len(ids) != len(values):
            raise UserError(
                f"{path} holds pooled features of shape {values.shape} for {len(ids)} image ids, expected (N, C) with "
                "one row for each id; delete it and run again."
            )
        yield ids, values, plain_attributes(file)


def read_pooled(path: PathLike) -> Pooled:
    """Read a feature file whole (N·C·4 bytes)."""
    with open_pooled(path) as (ids, rows, attributes):
        return Pooled(ids, np.asarray(rows[:], dtype=np.float32), attributes)


class Maps:
    """A reader of activation maps, (N, C, h, w), that never holds more than one block.

    Use as a context manager. Values are converted exactly from the stored dtype to float32.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        self._file = open_file(path)
        try:
            require(self._file, "maps", "index")
            self._maps = self._file["maps"]
            self.ids = read_strings(self._file["index"])
            self.attributes = plain_attributes(self._file)
            if self._maps.ndim != 4 or len(self.ids) != self._maps.shape[0]:
                raise UserError(
                    f"{self.path} holds maps of shape {self._maps.shape} for {len(self.ids)} image ids, expected "
                    "(N, C, h, w) with one row for each id; delete it and run again."
                )
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Maps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.__exit__(kind, error, traceback)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Images, units, height, width."""
        images, units, height, width = self._maps.shape
        return int(images), int(units), int(height), int(width)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The stored dtype (float16 or float32)."""
        dtype: np.dtype[Any] = np.dtype(self._maps.dtype)
        return dtype

    def images(self, start: int, stop: int) -> NDArray[np.float32]:
        """Maps of the images start..stop-1 as float32, (n, C, h, w)."""
        return np.asarray(self._maps[start:stop], dtype=np.float32)

    def units(self, start: int, stop: int) -> NDArray[np.float32]:
        """Maps of the units start..stop-1 over all images as float32, (N, u, h, w)."""
        return np.asarray(self._maps[:, start:stop], dtype=np.float32)

    def unit_blocks(self, memory_mb: float = 256.0) -> Iterator[tuple[int, int]]:
        """Ranges of units whose float32 maps over all images fit into `memory_mb`, at least one unit each.

        Ranges are smaller where that costs nothing: memory that a process has used already is far cheaper than new
        memory, but chunks of the file are to be read once.
        """
        images, units, height, width = self.shape
        each = max(1, images * height * width * 4)
        size = max(1, int(memory_mb * 2**20 / each))
        chunk = self._maps.chunks[1] if self._maps.chunks else units
        size = min(size, chunk * max(1, CHEAP_MB * 2**20 // (each * chunk)))
        for start in range(0, units, size):
            yield start, min(units, start + size)


def check_origin(path: PathLike, **expected: str) -> None:
    """Make sure that a file holds what its place says, e.g. after files of another study were copied there.

    Parameters
    ----------
    path
        A finished file.
    expected
        Attributes and their values, e.g. ``dataset``, ``model``, ``layer``, ``dataset_fingerprint``; those that the
        file lacks are not compared.

    Raises
    ------
    UserError
        If one of them differs.
    """
    attributes = read_attributes(path)
    wrong = [name for name in sorted(expected) if attributes.get(name, expected[name]) != expected[name]]
    if wrong:
        found, wanted = (
            ", ".join(f"{name.replace('_', ' ')} {values[name]!r}" for name in wrong)
            for values in (attributes, expected)
        )
        raise UserError(
            f"{path} holds {found} where {wanted} was expected; it belongs to another study or another place: put it "
            "back there, or delete it, and run again."
        )


def align(
    reference: Sequence[str] | NDArray[np.str_], other: Sequence[str] | NDArray[np.str_], what: str
) -> NDArray[np.intp]:
    """Positions in `other` of the ids of `reference`, so that `rows_of_other[align(...)]` follows `reference`.

    Parameters
    ----------
    reference, other
        Image ids, (N,) and (M,), M >= N.
    what
        What `other` is, for the error message, e.g. the name of its file.

    Raises
    ------
    UserError
        If an id occurs twice in either, or an id of `reference` is missing in `other`.
    """
    reference, other = np.asarray(reference, dtype=np.str_), np.asarray(other, dtype=np.str_)
    for ids, name in ((reference, "the reference"), (other, what)):
        unique, count = np.unique(ids, return_counts=True)
        if len(unique) != len(ids):
            raise UserError(
                f"{name} holds the image id {str(unique[count > 1][0])!r} more than once; ids must be unique."
            )
    order = np.argsort(other)
    if len(other) == 0 and len(reference):
        raise UserError(f"{what} holds no image, expected {len(reference)}; delete it and run again.")
    position = np.searchsorted(other, reference, sorter=order)
    found = order[np.minimum(position, max(len(other) - 1, 0))] if len(other) else np.empty(0, dtype=np.intp)
    missing = other[found] != reference
    if missing.any():
        raise UserError(
            f"{what} lacks {int(missing.sum())} of {len(reference)} images, the first is "
            f"{str(reference[missing][0])!r}; it was made from another state of the data set: delete it and run again."
        )
    return found


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__

"""A feature file that grows: it survives being killed at any moment and is resumed where it was.

While it grows the file is called ``.{layer}.part.h5`` (or ``.{layer}.maps.part.h5``) beside its final name, which it
takes when the last row is in. All structure is laid out when the file is made, with space for every row; from then on
only numbers are written into that space, one block of rows after the other, each followed by its checksum. So a
process that is killed leaves a readable file, whose finished blocks are those with a right checksum.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.engine.publish import orphaned
from intermodel.store import open_file, write_attributes, write_strings

logger = logging.getLogger(__name__)

# Rows between two writes: as many as fit into this many bytes, at most MOST_ROWS.
BLOCK_BYTES = 16 * 2**20
MOST_ROWS = 64
# A chunk holds all rows of a block for a few units, so that both images and units can be read in pieces.
CHUNK_BYTES = 512 * 2**10

# Seconds to wait for another process that writes the same file, and between two looks at it.
PATIENCE, PAUSE = 60.0, 3.0

# One record for each block: the checksum of its bytes (CRC-32, with bit 32 set once the block is written), the lowest
# pooled value and the largest absolute value in it.
BLOCK_RECORD = np.dtype([("checksum", "<u8"), ("lowest", "<f4"), ("largest", "<f4")])
WRITTEN = 1 << 32


class Part:
    """One feature file on its way: open it, `append` rows in order, `finish`.

    Parameters
    ----------
    path
        Final name of the file.
    what
        Name of its data set, ``"pooled"`` or ``"maps"``.
    ids
        Image ids, (N,).
    row_shape
        Shape of one row, (C,) or (C, h, w).
    dtype
        Stored dtype of a new file; a file that is resumed keeps its own.
    key
        Digest of everything that the rows depend on; a part with another key is thrown away.
    attributes
        Attributes of the finished file.

    Raises
    ------
    UserError
        If the disk is full, or another process does not stop writing the file.
    SystemExit
        If the process that started this one is gone, as from `append` and `finish`.
    """

    def __init__(
        self,
        path: Path,
        what: str,
        ids: Sequence[str],
        row_shape: tuple[int, ...],
        dtype: str,
        key: str,
        attributes: Mapping[str, Any],
    ) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(f".{self.path.stem}.part.h5")
        self.what, self.ids, self.row_shape, self.key = what, list(ids), row_shape, key
        self.attributes = dict(attributes)
        self.rows = 0
        self._buffer: list[tuple[NDArray[Any], NDArray[np.float32], NDArray[np.float32]]] = []
        self._buffered = 0
        _stop_if_orphaned(self.path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._resume() or self._make(dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Stored dtype."""
        dtype: np.dtype[Any] = self._file[self.what].dtype
        return dtype

    @property
    def done(self) -> bool:
        """Whether every row is in the file."""
        return self.rows == len(self.ids)

    @property
    def expected(self) -> int:
        """Number of the row that `append` takes next."""
        return self.rows + self._buffered

    def append(self, values: NDArray[Any], lowest: NDArray[np.float32], largest: NDArray[np.float32]) -> None:
        """Add rows; they reach the file in whole blocks.

        Parameters
        ----------
        values
            (n, *row_shape) in the stored dtype.
        lowest, largest
            (n,) lowest pooled value and largest absolute value of each row.
        """
        if self.expected + len(values) > len(self.ids):
            raise ValueError(f"{len(values)} rows after row {self.expected} are too many for {len(self.ids)} images")
        self._buffer.append((values, lowest, largest))
        self._buffered += len(values)
        block = self._block
        while self._buffered >= block or (self._buffered and self.expected == len(self.ids)):
            merged = tuple(np.concatenate(column) for column in zip(*self._buffer, strict=True))
            self._write(*(column[:block] for column in merged))
            rest = tuple(column[block:] for column in merged)
            self._buffered = len(rest[0])
            self._buffer = [rest] if self._buffered else []  # type: ignore[list-item]

    def restart(self, dtype: str) -> None:
        """Throw all rows away and begin again with another stored dtype."""
        self._buffer, self._buffered, self.rows = [], 0, 0
        self._file.close()
        self._file = self._make(dtype)

    def largest(self) -> float:
        """Largest absolute value of all rows."""
        return float(self._file["blocks"]["largest"].max(initial=0.0))

    def finish(self) -> None:
        """Complete the attributes and give the file its final name.

        Raises
        ------
        SystemExit
            If the process that started this one is gone: the file keeps its temporary name.
        """
        assert self.done, "rows are missing"
        signed = bool((self._file["blocks"]["lowest"] < 0).any())
        del self._file.attrs["part_key"]
        write_attributes(self._file, {**self.attributes, "signed": signed, "complete": True})
        self._file.close()
        _stop_if_orphaned(self.path)
        with open(self.part, "rb+") as file:
            os.fsync(file.fileno())
        self.part.replace(self.path)

    def close(self) -> None:
        """Leave the file as it is, to be resumed; but an orphan whose successor has finished leaves nothing behind."""
        self._file.close()
        if orphaned() and self.path.exists():
            self.part.unlink(missing_ok=True)

    @property
    def _block(self) -> int:
        return int(self._file[self.what].chunks[0])

    def _write(self, values: NDArray[Any], lowest: NDArray[np.float32], largest: NDArray[np.float32]) -> None:
        _stop_if_orphaned(self.path)
        values = np.ascontiguousarray(values)
        record = np.array((WRITTEN | zlib.crc32(values.data), lowest.min(), largest.max()), dtype=BLOCK_RECORD)
        try:
            self._file[self.what][self.rows : self.rows + len(values)] = values
            self._file.flush()
            self._file["blocks"][self.rows // self._block] = record
            self._file.flush()
        except OSError as error:
            raise _disk_error(self.path, error) from error
        self.rows += len(values)

    def _make(self, dtype: str) -> h5py.File:
        """A new file with space for all rows."""
        kind = np.dtype(dtype)
        row_bytes = int(np.prod(self.row_shape)) * kind.itemsize
        needed, free = len(self.ids) * row_bytes, shutil.disk_usage(self.path.parent).free
        if needed > free:
            raise UserError(
                f"{self.path} needs {needed / 1e9:.1f} GB, but its disk has only {free / 1e9:.1f} GB free; free "
                "some space, or ask for fewer layers with maps."
            )
        self.part.unlink(missing_ok=True)
        try:
            # The oldest file layout has no mark of an open writer, so a file whose writer was killed opens again.
            file = h5py.File(self.part, "w", libver=("earliest", "v108"), locking="best-effort")
            self._lay_out(file, kind, row_bytes)
            file.flush()
        except OSError as error:
            raise _disk_error(self.path, error) from error
        return file

    def _lay_out(self, file: h5py.File, kind: np.dtype[Any], row_bytes: int) -> None:
        count = len(self.ids)
        block = max(1, min(MOST_ROWS, count, BLOCK_BYTES // row_bytes))
        units = max(1, min(self.row_shape[0], CHUNK_BYTES * self.row_shape[0] // (row_bytes * block)))
        layout = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout.set_chunk((block, units, *self.row_shape[1:]))
        layout.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        layout.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((count, *self.row_shape))
        h5py.h5d.create(file.id, self.what.encode(), h5py.h5t.py_create(kind), space, layout)
        file.create_dataset("blocks", data=np.zeros(-(-count // block), dtype=BLOCK_RECORD))
        write_strings(file, "index", self.ids)
        file.attrs["part_key"] = self.key

    def _resume(self) -> h5py.File | None:
        """The file that an earlier attempt left, positioned after its last finished block; None if there is none."""
        if not self.part.exists():
            return None
        try:
            file = _open_when_free(self.part)
        except OSError:
            logger.warning("%s is unreadable and is begun again", self.part)
            return None
        try:
            stored = file.attrs.get("part_key"), file[self.what].shape, file["blocks"].dtype
            if stored != (self.key, (len(self.ids), *self.row_shape), BLOCK_RECORD):
                logger.warning("%s was made from another state of model, data set or settings; begun again", self.part)
                file.close()
                return None
            self.rows = _finished_rows(file[self.what], file["blocks"][...])
        except (KeyError, OSError, RuntimeError):
            logger.warning("%s is damaged and is begun again", self.part)
            file.close()
            return None
        logger.info("%s is resumed at row %d of %d", self.part, self.rows, len(self.ids))
        return file


def _open_when_free(path: Path) -> h5py.File:
    """Open a file that an orphan of an earlier run may still be writing: it ends with its next block."""
    begin = time.monotonic()
    while True:
        try:
            return h5py.File(path, "r+", locking="best-effort")
        except BlockingIOError as error:
            if time.monotonic() - begin > PATIENCE:
                raise UserError(f"{path} is being written by another process; wait for it, or end it.") from error
        logger.info("%s is being written by another process; waiting for its end", path)
        time.sleep(PAUSE)


def _finished_rows(data: h5py.Dataset, blocks: NDArray[Any]) -> int:
    """Number of rows in the leading blocks whose bytes have the checksum that was written after them."""
    block = data.chunks[0]
    for number, record in enumerate(blocks):
        start = number * block
        if not record["checksum"] & WRITTEN or record["checksum"] != WRITTEN | zlib.crc32(data[start : start + block]):
            return int(start)
    return int(data.shape[0])


def verify(path: Path) -> None:
    """Compare every block of a feature file, or of the shards that it consists of, with its checksum.

    Raises
    ------
    UserError
        If a block has changed since it was written.
    """
    with open_file(path) as file:
        if "shards" in file.attrs:
            for shard in json.loads(file.attrs["shards"]):
                verify(Path(path).parent / shard)
            return
        data = file["maps" if "maps" in file else "pooled"]
        rows = _finished_rows(data, file["blocks"][...])
        if rows != data.shape[0]:
            raise UserError(f"{path} is damaged from row {rows} on (wrong checksum); delete it and run again.")


def part_key(record: Mapping[str, Any]) -> str:
    """Text that is equal for equal records of plain values."""
    return json.dumps(record, sort_keys=True)


def _stop_if_orphaned(path: Path) -> None:
    if orphaned():
        raise SystemExit(f"The workflow that started this job is gone; {path} is left unfinished.")


def _disk_error(path: Path, error: OSError) -> Exception:
    """A sentence for what the user can mend, otherwise the error itself."""
    codes = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
    for code, reason in codes.items():
        if error.errno == code or f"errno = {code}," in str(error):
            return UserError(f"{path} cannot be written: {reason}; free some space and run again, which resumes it.")
    return error

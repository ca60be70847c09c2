"""One representation as every comparison sees it, and its file."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.similarity.basis import Basis, Room, factorise, not_finite
from intermodel.similarity.neighbours import Neighbours, nearest_neighbours
from intermodel.statistics.folds import chosen_images
from intermodel.store import (
    Rows,
    create,
    open_file,
    open_pooled,
    plain_attributes,
    read_strings,
    require,
    write_strings,
)

LOG = logging.getLogger(__name__)
PathLike = str | os.PathLike[str]

# Shares above which a peculiarity of the features is worth a warning.
DUPLICATES = 0.01
TIES = 0.01
FEW_IMAGES = 10
# Values up to which features are read at once; beyond it they stay in their file, and the basis in another.
MOST_VALUES = 1 << 26
# Rows that are copied at a time.
BLOCK = 4096


@dataclass(frozen=True)
class Representation:
    """Basis and neighbours of one layer.

    Attributes
    ----------
    basis
        The factorisation, see `intermodel.similarity.basis`.
    neighbours
        The nearest images, or None where they are undefined.
    without_neighbours
        Why they are undefined; empty where they are not.
    """

    basis: Basis
    neighbours: Neighbours | None
    without_neighbours: str = ""

    def rows(self, order: NDArray[np.intp]) -> Representation:
        """The same representation with its images in another order (a permutation of all N)."""
        if np.array_equal(order, np.arange(len(order))):
            return self
        basis = replace(self.basis, left=self.basis.left[order], row_square_norms=self.basis.row_square_norms[order])
        neighbours = None if self.neighbours is None else self.neighbours.rows(order)
        return replace(self, basis=basis, neighbours=neighbours)


def represent(values: Rows, neighbours: int, room: Room = np.empty) -> Representation:
    """Factorise features and find their neighbours, (N, D) finite; a failure of the latter is kept as its reason.

    `room` is where a large basis goes (see `basis.factorise`).
    """
    basis = factorise(values, room=room)
    try:
        return Representation(basis, nearest_neighbours(values, neighbours))
    except UserError as error:
        return Representation(basis, None, str(error))


def peculiarities(values: Rows, representation: Representation, block: int = 4096) -> dict[str, int | float]:
    """What a reader should know about the features before believing a similarity.

    Returns
    -------
    dict
        `constant_units`, `duplicate_images` (rows equal to an earlier one), `tied_neighbours` (share of images).
    """
    lowest, highest = np.full(values.shape[1], np.inf), np.full(values.shape[1], -np.inf)
    digests = np.empty(values.shape[0], dtype="S16")
    for start in range(0, values.shape[0], block):
        # Adding 0 makes the two zeros of floating point one.
        rows = np.asarray(values[start : start + block]) + values.dtype.type(0)
        lowest, highest = np.minimum(lowest, rows.min(axis=0)), np.maximum(highest, rows.max(axis=0))
        digests[start : start + len(rows)] = [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    tied = 0.0 if representation.neighbours is None else representation.neighbours.tied
    return {
        "constant_units": int((lowest == highest).sum()),
        "duplicate_images": len(digests) - len(np.unique(digests)),
        "tied_neighbours": tied,
    }


@dataclass(frozen=True)
class _Chosen:
    """Some rows, rising, of features that stay in their file."""

    source: Rows
    rows: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.rows), self.source.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.source.dtype

    def __getitem__(self, part: slice, /) -> NDArray[np.floating]:
        rows = self.rows[part]
        if not len(rows):
            return np.empty((0, self.source.shape[1]), dtype=self.dtype)
        return np.asarray(self.source[int(rows[0]) : int(rows[-1]) + 1][rows - rows[0]])


def factorise_representation(
    features: PathLike, output: PathLike, neighbours: int = 10, images: int | None = None, basis_dtype: str = "float64"
) -> None:
    """Write the basis file of one feature file.

    Parameters
    ----------
    features
        A feature file with `pooled` and `index`.
    output
        The basis file.
    neighbours
        Neighbours k of every image.
    images
        Largest number of images used; None uses all.
    basis_dtype
        ``"float64"``, or ``"float32"`` for half the size and values that differ by some 1e-7.

    Notes
    -----
    Beyond `MOST_VALUES` values, (N, D), features and basis are read and written in blocks of rows: memory then does not
    depend on N but for 40 N k bytes or so of neighbours and names.
    """
    if basis_dtype not in ("float32", "float64"):
        raise UserError(f"`basis_dtype` is {basis_dtype!r}, expected 'float64' or 'float32'.")
    with open_pooled(features) as (all_ids, source, about), _scratch(output) as room:
        if not len(all_ids):
            raise UserError(f"{features} holds no image, expected at least 2; delete it and run again.")
        rows = chosen_images(all_ids, images)
        ids = all_ids[rows]
        values: Rows = _Chosen(source, rows)
        large = len(rows) * source.shape[1] > MOST_VALUES
        if not large:
            values = np.asarray(values[:], dtype=np.float32)
        count, image, unit = not_finite(values)
        if count:
            raise UserError(
                f"{features} holds {count} features that are NaN or infinite, the first for image {str(ids[image])!r}, "
                f"unit {unit}, expected finite numbers; check the model and its preprocessing, delete the file and "
                "extract again."
            )
        try:
            representation = represent(values, neighbours, room if large else np.empty)
        except UserError as error:
            raise UserError(f"{features}: {error}") from error
        found = peculiarities(values, representation)
        warnings = _warnings(found, representation, *values.shape)
        for warning in warnings:
            LOG.warning("%s: %s", features, warning)

        basis = representation.basis
        attributes = {
            name: about[name]
            for name in ("dataset", "model", "layer", "dataset_fingerprint", "model_fingerprint", "preprocessing")
            if name in about
        }
        with create(
            output,
            **attributes,
            images=len(ids),
            units=values.shape[1],
            rank=basis.rank,
            participation_ratio=basis.participation_ratio,
            neighbours=neighbours,
            without_neighbours=representation.without_neighbours,
            warnings=warnings,
            **found,
        ) as file:
            write_strings(file, "index", ids)
            left = file.create_dataset("left", basis.left.shape, basis_dtype)
            for start in range(0, len(ids), BLOCK):
                left[start : start + BLOCK] = basis.left[start : start + BLOCK]
            file.create_dataset("singular_values", data=basis.singular_values)
            file.create_dataset("right", data=basis.right)
            file.create_dataset("row_square_norms", data=basis.row_square_norms)
            file.create_dataset("mean", data=basis.mean)
            if representation.neighbours is not None:
                file.create_dataset("neighbours", data=representation.neighbours.index)


@contextmanager
def _scratch(output: PathLike) -> Iterator[Room]:
    """Yield a function that makes room in a file beside the output, which is gone afterwards."""
    Path(output).parent.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix=".basis-", dir=Path(output).parent) as folder,
        h5py.File(Path(folder) / "left.h5", "w") as file,
    ):
        yield lambda shape: file.create_dataset("left", shape, np.float64)


@dataclass(frozen=True)
class Header:
    """What a basis file says about its representation, without the large arrays.

    Attributes
    ----------
    path
        The file.
    ids
        Image ids in the order of the rows, (N,).
    singular_values
        (r,) float64.
    attributes
        Names, fingerprints, counts and warnings as stored.
    """

    path: str
    ids: NDArray[np.str_]
    singular_values: NDArray[np.float64]
    attributes: dict[str, Any]

    @property
    def warnings(self) -> list[str]:
        """What a reader should know about the features."""
        return list(json.loads(self.attributes["warnings"]))


def read_header(path: PathLike) -> Header:
    """Read the ids, spectrum and attributes of a basis file."""
    with open_file(path) as file:
        require(file, "index", "left", "singular_values", "right", "row_square_norms", "mean")
        header = Header(
            os.fspath(path), read_strings(file["index"]), file["singular_values"][...], plain_attributes(file)
        )
        if file["left"].shape != (len(header.ids), len(header.singular_values)):
            raise UserError(
                f"{path} holds a basis of shape {file['left'].shape} for {len(header.ids)} images and "
                f"{len(header.singular_values)} singular values; delete it and run again."
            )
    return header


def read_representation(path: PathLike) -> Representation:
    """Read the representation of a basis file, 8 (N + D) r bytes for r directions."""
    with open_file(path) as file:
        basis = Basis(*(file[name][...] for name in ("left", "singular_values", "right", "row_square_norms", "mean")))
        neighbours = None
        if "neighbours" in file:
            neighbours = Neighbours(file["neighbours"][...], float(file.attrs["tied_neighbours"]))
        return Representation(basis, neighbours, str(file.attrs["without_neighbours"]))


def _warnings(found: dict[str, int | float], representation: Representation, images: int, units: int) -> list[str]:
    warnings = []
    if representation.basis.rank == 0:
        warnings.append("all images have equal features; every measure is undefined")
    elif found["constant_units"]:
        warnings.append(f"{found['constant_units']} of {units} units are constant over all images")
    if found["duplicate_images"] > DUPLICATES * images:
        warnings.append(f"{found['duplicate_images']} of {images} images have the features of an earlier image")
    if found["tied_neighbours"] > TIES:
        warnings.append(f"{found['tied_neighbours']:.1%} of the images have tied neighbours, ordered by row")
    if images < FEW_IMAGES:
        warnings.append(f"only {images} images; no measure is reliable below {FEW_IMAGES}")
    if representation.without_neighbours:
        warnings.append(representation.without_neighbours)
    return warnings

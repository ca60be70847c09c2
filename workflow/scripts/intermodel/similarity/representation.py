"""One representation as every comparison sees it, and its file."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.similarity.basis import Basis, factorise
from intermodel.similarity.neighbours import Neighbours, nearest_neighbours
from intermodel.statistics.folds import chosen_images
from intermodel.store import create, open_file, plain_attributes, read_pooled, read_strings, require, write_strings

LOG = logging.getLogger(__name__)
PathLike = str | os.PathLike[str]

# Shares above which a peculiarity of the features is worth a warning.
DUPLICATES = 0.01
TIES = 0.01
FEW_IMAGES = 10


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


def represent(values: NDArray[np.floating], neighbours: int) -> Representation:
    """Factorise features and find their neighbours, (N, D) finite; a failure of the latter is kept as its reason."""
    basis = factorise(values)
    try:
        return Representation(basis, nearest_neighbours(values, neighbours))
    except UserError as error:
        return Representation(basis, None, str(error))


def peculiarities(values: NDArray[np.floating], representation: Representation) -> dict[str, int | float]:
    """What a reader should know about the features before believing a similarity.

    Returns
    -------
    dict
        `constant_units`, `duplicate_images` (rows equal to an earlier one), `tied_neighbours` (share of images).
    """
    constant = int((values.max(axis=0) == values.min(axis=0)).sum())
    # Adding 0 makes the two zeros of floating point one.
    duplicates = len(values) - len({row.tobytes() for row in values + values.dtype.type(0)})
    tied = 0.0 if representation.neighbours is None else representation.neighbours.tied
    return {"constant_units": constant, "duplicate_images": duplicates, "tied_neighbours": tied}


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
    """
    pooled = read_pooled(features)
    if not len(pooled.values):
        raise UserError(f"{features} holds no image, expected at least 2; delete it and run again.")
    if basis_dtype not in ("float32", "float64"):
        raise UserError(f"`basis_dtype` is {basis_dtype!r}, expected 'float64' or 'float32'.")
    rows = chosen_images(pooled.ids, images)
    ids, values = pooled.ids[rows], pooled.values[rows]
    _check_finite(features, ids, values)
    try:
        representation = represent(values, neighbours)
    except UserError as error:
        raise UserError(f"{features}: {error}") from error
    found = peculiarities(values, representation)
    warnings = _warnings(found, representation, *values.shape)
    for warning in warnings:
        LOG.warning("%s: %s", features, warning)

    basis = representation.basis
    attributes = {
        name: pooled.attributes[name]
        for name in ("dataset", "model", "layer", "dataset_fingerprint", "model_fingerprint", "preprocessing")
        if name in pooled.attributes
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
        file.create_dataset("left", data=basis.left.astype(basis_dtype, copy=False))
        file.create_dataset("singular_values", data=basis.singular_values)
        file.create_dataset("right", data=basis.right)
        file.create_dataset("row_square_norms", data=basis.row_square_norms)
        file.create_dataset("mean", data=basis.mean)
        if representation.neighbours is not None:
            file.create_dataset("neighbours", data=representation.neighbours.index)


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


def _check_finite(path: PathLike, ids: NDArray[np.str_], values: NDArray[np.float32]) -> None:
    wrong = ~np.isfinite(values)
    if wrong.any():
        image, unit = np.argwhere(wrong)[0]
        raise UserError(
            f"{path} holds {int(wrong.sum())} features that are NaN or infinite, the first for image "
            f"{str(ids[image])!r}, unit {unit}, expected finite numbers; check the model and its preprocessing, delete "
            "the file and extract again."
        )


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

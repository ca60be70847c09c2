"""The half of every linear similarity measure that belongs to one representation alone.

A representation X, (N, D), of N images is centred and factorised once, Xc = U diag(s) V^T. Every linear measure of
two representations is then a function of the small matrix M = U_a^T U_b, the spectra s, and the row norms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.store import Rows

Floats = NDArray[np.float64]
RankRule = Callable[[Floats], int]
# Makes room for a matrix of float64 of the given shape, in memory or in a file.
Room = Callable[[tuple[int, int]], Any]
Factors = tuple[Any, Floats, Floats]

# Largest deviation of U^T U from the identity that is left as it is.
ORTHONORMAL = 1e-10


@dataclass(frozen=True)
class Basis:
    """Thin factorisation of a centred representation, cut at its numerical rank r.

    Attributes
    ----------
    left
        Orthonormal basis of the column space, (N, r), float64 (float32 where a file stores it so).
    singular_values
        Descending, (r,), float64.
    right
        Directions in the space of units, (D, r), float64.
    row_square_norms
        Squared lengths of the centred rows, (N,), float64.
    mean
        Mean of every unit, (D,), float64.
    """

    left: NDArray[np.floating]
    singular_values: Floats
    right: Floats
    row_square_norms: Floats
    mean: Floats

    @property
    def images(self) -> int:
        """Number of images N."""
        return int(self.left.shape[0])

    @property
    def rank(self) -> int:
        """Numerical rank r; 0 when all rows are equal."""
        return int(self.left.shape[1])

    @property
    def participation_ratio(self) -> float:
        """Effective dimension (sum s^2)^2 / sum s^4, between 1 and r; NaN at rank 0."""
        if self.rank == 0:
            return float("nan")
        variance = (self.singular_values / self.singular_values[0]) ** 2
        return float(variance.sum() ** 2 / (variance**2).sum())

    @property
    def tolerance(self) -> float:
        """By how much a canonical correlation may exceed 1 from rounding."""
        return 1e-6 if self.left.dtype == np.float64 else 1e-3


def factorise(values: Rows, block: int = 4096, room: Room = np.empty) -> Basis:
    """Centre a representation and factorise it at its numerical rank.

    With at least as many images as units the covariance (D, D) is decomposed, otherwise the Gram matrix (N, N), both
    in float64 from centred rows. Squaring loses singular values below some 1e-8 of the largest, which the rank rule
    cuts off anyway for float32 input; float64 input takes the direct singular value decomposition. Where squaring
    has cost the basis its orthonormality it is restored (Cholesky QR), or the direct decomposition is taken.

    Singular values up to ``max(eps(dtype) * ||X||_F, eps(float64) * max(N, D) * s_1)`` count as zero, with the
    uncentred norm and the dtype of `values`: rounding a stored number leaves noise of that size, which measures that
    ignore variance would otherwise treat as directions of full weight.

    Parameters
    ----------
    values
        Features, (N, D), finite, an array or whatever else is read in ranges of rows; the dtype must be the one in
        which they were stored.
    block
        Rows converted to float64 at a time.
    room
        Where the basis goes that belongs to the covariance; an HDF5 data set keeps it out of memory.

    Returns
    -------
    Basis

    Raises
    ------
    UserError
        If `values` is not a matrix with at least 2 rows and 1 column, or holds NaN or infinity.

    Notes
    -----
    With the covariance: N D^2 + 9 D^3 + 2 N D r + N r^2 operations and 8 (2 D^2 + N r) bytes beside the input, of which
    the N r are in `room`; with the Gram matrix, which only few images have: N^2 D + 9 N^3 operations and
    8 (2 N^2 + D r) bytes. The direct decomposition costs some four times as much and a float64 copy of the input.
    """
    values = _check(values)
    images, units = values.shape
    eps = float(np.finfo(values.dtype).eps)
    mean = _mean(values, block)
    row_square_norms = np.concatenate([np.einsum("nd,nd->n", rows, rows) for rows in _centred(values, mean, block)])
    norm = np.sqrt(row_square_norms.sum() + images * (mean @ mean))

    def rank_of(singular_values: Floats) -> int:
        largest = singular_values[0] if len(singular_values) else 0.0
        tolerance = max(eps * norm, np.finfo(np.float64).eps * max(images, units) * largest)
        return int((singular_values > tolerance).sum())

    factors = None
    if values.dtype != np.float64:
        if images >= units:
            factors = _by_covariance(values, mean, block, rank_of, room)
        else:
            factors = _by_gram(np.asarray(values[:]), mean, block, rank_of)
    left, singular_values, right = factors or _directly(values, mean, block, rank_of)
    return Basis(left, singular_values, right, row_square_norms, mean)


def covariance(values: Rows, mean: Floats, block: int = 4096) -> Floats:
    """Sum of outer products of the centred rows, (D, D), accumulated over blocks of rows in float64."""
    total = np.zeros((values.shape[1],) * 2)
    for rows in _centred(values, mean, block):
        total += rows.T @ rows
    return total


def gram(values: NDArray[np.floating], mean: Floats, block: int = 4096) -> Floats:
    """Inner products of the centred rows, (N, N), accumulated over blocks of units in float64."""
    total = np.zeros((values.shape[0],) * 2)
    for start in range(0, values.shape[1], block):
        columns = values[:, start : start + block].astype(np.float64) - mean[start : start + block]
        total += columns @ columns.T
    return total


def _check(values: Rows) -> Rows:
    if not hasattr(values, "shape"):
        values = np.asarray(values)
    if len(values.shape) != 2 or values.shape[0] < 2 or values.shape[1] < 1:
        raise UserError(
            f"a representation of shape {values.shape} was found, expected (images, units) with at least 2 images and "
            "1 unit; use a data set with more images or another layer."
        )
    if values.dtype not in (np.float16, np.float32, np.float64):
        values = np.asarray(values[:]).astype(np.float64)
    count, image, unit = not_finite(values)
    if count:
        raise UserError(
            f"{count} of {values.shape[0] * values.shape[1]} features are NaN or infinite, the first in row {image}, "
            f"unit {unit}, expected finite numbers; check the model and its preprocessing and extract again."
        )
    return values


def not_finite(values: Rows, block: int = 4096) -> tuple[int, int, int]:
    """Number of features that are NaN or infinite, and row and unit of the first."""
    count, first = 0, (-1, -1)
    for start in range(0, values.shape[0], block):
        finite = np.isfinite(values[start : start + block])
        if not finite.all():
            image, unit = np.argwhere(~finite)[0]
            first = first if count else (start + int(image), int(unit))
            count += finite.size - int(finite.sum())
    return (count, *first)


def _mean(values: Rows, block: int) -> Floats:
    total = np.zeros(values.shape[1])
    for start in range(0, values.shape[0], block):
        total += values[start : start + block].sum(axis=0, dtype=np.float64)
    return np.asarray(total / values.shape[0])


def _centred(values: Rows, mean: Floats, block: int) -> Iterator[Floats]:
    # float64 before the subtraction: means may be 1e4 times the deviations.
    for start in range(0, values.shape[0], block):
        yield values[start : start + block].astype(np.float64) - mean


def _descending(symmetric: Floats) -> tuple[Floats, Floats]:
    eigenvalues, vectors = np.linalg.eigh(symmetric)
    return np.sqrt(np.maximum(eigenvalues[::-1], 0.0)), vectors[:, ::-1]


def _deviation(product: Floats) -> float:
    return float(np.abs(product - np.eye(len(product))).max(initial=0.0))


def _by_covariance(values: Rows, mean: Floats, block: int, rank_of: RankRule, room: Room) -> Factors | None:
    singular_values, right = _descending(covariance(values, mean, block))
    rank = rank_of(singular_values)
    singular_values, right = singular_values[:rank], np.ascontiguousarray(right[:, :rank])
    weights = right / singular_values
    left = room((values.shape[0], rank))
    product = np.zeros((rank, rank))
    for start, rows in zip(range(0, values.shape[0], block), _centred(values, mean, block)):
        part = rows @ weights
        left[start : start + len(part)] = part
        product += part.T @ part
    deviation = _deviation(product)
    if deviation > 0.1:
        return None
    if deviation > ORTHONORMAL:
        # Columns come in descending order, so the well resolved ones are those that stay as they are.
        mended = np.linalg.inv(np.linalg.cholesky(product)).T
        for start in range(0, values.shape[0], block):
            left[start : start + block] = left[start : start + block] @ mended
    return left, singular_values, right


def _by_gram(values: NDArray[np.floating], mean: Floats, block: int, rank_of: RankRule) -> Factors | None:
    singular_values, left = _descending(gram(values, mean, block))
    rank = rank_of(singular_values)
    singular_values, left = singular_values[:rank], np.ascontiguousarray(left[:, :rank])
    right = (values.astype(np.float64) - mean).T @ (left / singular_values)
    # A basis that is orthonormal by construction may still span the wrong space: its partner tells.
    return None if _deviation(right.T @ right) > ORTHONORMAL else (left, singular_values, right)


def _directly(values: Rows, mean: Floats, block: int, rank_of: RankRule) -> Factors:
    left, singular_values, right = np.linalg.svd(
        np.concatenate(list(_centred(values, mean, block))), full_matrices=False
    )
    rank = rank_of(singular_values)
    return np.ascontiguousarray(left[:, :rank]), singular_values[:rank], np.ascontiguousarray(right[:rank].T)

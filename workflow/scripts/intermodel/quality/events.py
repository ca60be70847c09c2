"""Highly active features of every image, found in one pass: the table from which all forms of Q-Score are computed.

A feature of an image is highly active when it lies more than `eps` standard deviations above the mean of that image's
own features (Kalibhat et al., AAAI-24, arXiv 2203.01881). Few entries are: at most 1 / (1 + eps^2) of them, by
Cantelli's inequality. So one pass over the features with a small `eps` leaves a sparse table, and activation rates,
masks and scores for any larger `eps` and any set of units are sums over that table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

FloatArray = NDArray[np.float64]

# z exceeds eps only when it does so by more than rounding: exact ties (17 one-hot features at eps 4) are not active.
TIE = 1e-12
# Entries worked on at a time: small enough for the processor's cache, which makes the pass twice as fast.
BLOCK_ELEMENTS = 1 << 15


class Rows(Protocol):
    """An (N, C) array or HDF5 data set of features that is read in ranges of rows."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, rows: slice, /) -> NDArray[np.floating]: ...


@dataclass(frozen=True)
class Events:
    """Entries of an (N, C) feature matrix more than `eps` deviations above their row's mean, row by row (CSR).

    Attributes
    ----------
    indptr
        The events of row i are `indptr[i]:indptr[i + 1]`, (N + 1,) int64.
    col
        Unit of each event, (E,) int32, rising within a row.
    z
        Deviations above the row's mean, (E,), in standard deviations of the row.
    excess
        Distance above the row's mean after scaling the row to length 1, (E,).
    units
        C.
    eps
        The threshold of the table; scores can use this one or any larger.
    ddof
        0: standard deviations divide by C; 1: by C - 1.
    """

    indptr: NDArray[np.int64]
    col: NDArray[np.int32]
    z: FloatArray
    excess: FloatArray
    units: int
    eps: float
    ddof: int = 0

    @property
    def images(self) -> int:
        """Number of rows, N."""
        return len(self.indptr) - 1

    @property
    def row(self) -> NDArray[np.intp]:
        """Row of each event, (E,)."""
        return np.repeat(np.arange(self.images), np.diff(self.indptr))

    def above(self, eps: float) -> NDArray[np.bool_]:
        """Which events exceed `eps`, (E,) bool.

        Raises
        ------
        ValueError
            If `eps` is below that of the table, which lacks such events.
        """
        if eps < self.eps:
            raise ValueError(f"eps is {eps:g}, but the event table starts at eps {self.eps:g}; build it with that")
        return self.z > eps * (1 + TIE)

    def take(self, rows: NDArray[np.integer]) -> Events:
        """The table of the given rows, in their order."""
        counts = np.diff(self.indptr)[rows]
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        # Event k of the new row i is event k of its old row.
        found = np.repeat(self.indptr[:-1][rows] - indptr[:-1], counts) + np.arange(indptr[-1])
        return replace(self, indptr=indptr, col=self.col[found], z=self.z[found], excess=self.excess[found])

    def counts(self, eps: float) -> NDArray[np.int64]:
        """Number of highly active features of each row, (N,)."""
        return np.bincount(self.row[self.above(eps)], minlength=self.images).astype(np.int64)


def active_events(features: Rows, eps: float = 2.0, ddof: int = 0, chunk: int = 1024) -> Events:
    """Find all highly active entries in one pass, `chunk` rows at a time.

    Parameters
    ----------
    features
        (N, C), N >= 1, C >= 2; each row is read once.
    eps
        Threshold in standard deviations.
    ddof
        The project uses 0, where the exact bounds hold; 1 is offered for comparison.

    Raises
    ------
    UserError
        If the features are not such a matrix, are not finite, or are all zero.
    """
    images, units = check_shape(features)
    indptr = np.zeros(images + 1, dtype=np.int64)
    columns, deviations, excesses = [], [], []
    empty = True
    for start, rows in row_blocks(features, chunk):
        values = as_finite(rows, start)
        empty = empty and not values.any()
        count, col, z, excess = block_events(standardise(values, ddof), eps)
        indptr[start + 1 : start + 1 + len(count)] = count
        columns.append(col)
        deviations.append(z)
        excesses.append(excess)
    if empty:
        raise all_zero(images)
    return Events(
        np.cumsum(indptr, out=indptr),
        np.concatenate(columns),
        np.concatenate(deviations),
        np.concatenate(excesses),
        units,
        eps,
        ddof,
    )


@dataclass(frozen=True)
class StandardRows:
    """Rows scaled to length 1 and their moments over the features.

    Attributes
    ----------
    unit
        Rows of length 1, (n, C); zero rows stay zero.
    length
        Length of the raw rows, (n,).
    mean, deviation
        Of the features of each unit row, (n, 1); a constant row has deviation exactly 0.
    """

    unit: FloatArray
    length: FloatArray
    mean: FloatArray
    deviation: FloatArray


def standardise(values: FloatArray, ddof: int = 0) -> StandardRows:
    """Scale rows to length 1 and take their moments; rows of size 1e-300 and 1e300 alike."""
    largest = np.abs(values).max(axis=1, keepdims=True)
    # Squares of very small or very large entries would leave the range of floats.
    scaled = values / np.where(largest > 0, largest, 1.0)
    norm = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
    unit = scaled / np.where(norm > 0, norm, 1.0)
    mean = unit.mean(axis=1, keepdims=True)
    # Two passes: mean(u^2) - mean(u)^2 cancels when the spread is small.
    deviation = unit.std(axis=1, ddof=ddof, keepdims=True)
    # The mean of equal numbers may differ from them in the last bit.
    deviation[unit.max(axis=1) == unit.min(axis=1)] = 0.0
    return StandardRows(unit, (norm * largest)[:, 0], mean, deviation)


def block_events(rows: StandardRows, eps: float) -> tuple[NDArray[np.int64], NDArray[np.int32], FloatArray, FloatArray]:
    """Events of a block of rows: count per row, column, z, excess."""
    # Candidates by a product, which is cheap for all entries; the quotient, which decides, for them alone.
    candidates = (rows.unit > rows.mean + (eps * (1 - TIE)) * rows.deviation) & (rows.deviation > 0)
    row, col = np.nonzero(candidates)
    excess = rows.unit[row, col] - rows.mean[row, 0]
    z = excess / rows.deviation[row, 0]
    active = z > eps * (1 + TIE)
    count = np.bincount(row[active], minlength=len(rows.unit))
    return count, col[active].astype(np.int32), z[active], excess[active]


def row_blocks(features: Rows, chunk: int) -> Iterator[tuple[int, NDArray[np.floating]]]:
    """Blocks of rows with the number of their first; `chunk` rows are read at a time, each once."""
    size = max(1, BLOCK_ELEMENTS // features.shape[1])
    for start in range(0, features.shape[0], chunk):
        rows = features[start : start + chunk]
        for first in range(0, len(rows), size):
            yield start + first, rows[first : first + size]


def check_shape(features: Rows) -> tuple[int, int]:
    """Number of rows and columns, at least 1 and 2."""
    shape = tuple(features.shape)
    if len(shape) != 2 or shape[0] < 1 or shape[1] < 2:
        raise UserError(
            f"The features have shape {shape}, expected (images, units) with at least 1 image and 2 units; give the "
            "pooled features of a layer."
        )
    return shape[0], shape[1]


def as_finite(rows: NDArray[np.floating], start: int = 0) -> FloatArray:
    """Rows as float64; `start` is the number of the first, for the message."""
    values = np.asarray(rows, dtype=np.float64)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise UserError(
            f"Row {start + int(bad.argmax())} of the features is not finite; scores need finite features: check the "
            "model's weights and extract the layer again."
        )
    return values


def all_zero(images: int) -> UserError:
    """The error of a layer that is zero for every image."""
    return UserError(
        f"The features of all {images} images are zero; the layer is dead or the wrong one: choose another layer."
    )

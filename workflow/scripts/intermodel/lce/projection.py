"""Models as points of a map: principal components of the concept vectors, or metric multidimensional scaling.

The map illustrates; the distance matrix measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scale = Literal["none", "sqrt", "log1p", "unit"]


@dataclass(frozen=True)
class Scaling:
    """A transformation of concept vectors, with what it has learned from them."""

    kind: Scale
    spread: NDArray[np.float64] | None = None

    def __call__(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Transform vectors (..., labels)."""
        values = np.asarray(vectors, dtype=np.float64)
        if self.kind == "sqrt":
            return np.sqrt(values)
        if self.kind == "log1p":
            return np.log1p(values)
        return values if self.spread is None else values / self.spread


def scaling(vectors: ArrayLike, kind: Scale = "none") -> Scaling:
    """Choose how concepts with many detectors weigh against those with few.

    Parameters
    ----------
    vectors
        (models, labels), entries of at least 0.
    kind
        "none"; "sqrt" and "log1p" damp large counts; "unit" divides each label by its standard deviation over the
        models, which gives a concept with a single detector the weight of one with a hundred.
    """
    values = np.asarray(vectors, dtype=np.float64)
    if kind != "unit":
        if kind not in ("none", "sqrt", "log1p"):
            raise ValueError(f"scale is {kind!r}, expected none, sqrt, log1p or unit")
        return Scaling(kind)
    spread = values.std(axis=0)
    constant = spread <= 1e-12 * np.abs(values).max(axis=0, initial=0.0)
    return Scaling(kind, np.where(constant, 1.0, spread))


@dataclass(frozen=True)
class Pca:
    """Principal components of models in concept space.

    Attributes
    ----------
    scores
        Coordinates of the models, (models, k).
    components
        Unit vectors in concept space, (k, labels), the loading of largest magnitude positive.
    explained
        Share of the variance on each component, (k,).
    mean
        Mean vector of the models, (labels,).
    """

    scores: NDArray[np.float64]
    components: NDArray[np.float64]
    explained: NDArray[np.float64]
    mean: NDArray[np.float64]

    def project(self, vectors: ArrayLike) -> NDArray[np.float64]:
        """Coordinates of further vectors, (..., labels) -> (..., k), on the same axes."""
        coordinates: NDArray[np.float64] = (np.asarray(vectors, np.float64) - self.mean) @ self.components.T
        return coordinates


def pca(vectors: ArrayLike, components: int = 2) -> Pca:
    """Principal components by singular value decomposition of the column-centred matrix.

    Parameters
    ----------
    vectors
        (models, labels).
    components
        How many to keep; there are at most models - 1, and fewer when models coincide.
    """
    values = np.asarray(vectors, dtype=np.float64)
    mean = values.mean(axis=0)
    left, spectrum, right = np.linalg.svd(values - mean, full_matrices=False)
    size = np.abs(values).max(initial=0.0)
    rank = int((spectrum > 1e-10 * max(size, 1e-300) * np.sqrt(len(values))).sum())
    kept = min(components, rank, max(len(values) - 1, 0))
    axes, weights = orient(right[:kept], (left * spectrum)[:, :kept])
    variance = spectrum**2
    total = variance.sum()
    explained = variance[:kept] / total if total > 0 else variance[:kept]
    return Pca(weights, axes, explained, mean)


def replicate_components(vectors: ArrayLike, components: ArrayLike) -> NDArray[np.float64]:
    """Loadings in bootstrap draws, each draw's plane turned onto the given one.

    Axes of a draw may be swapped, mirrored or turned within their plane, which says nothing about the concepts, so
    each draw's axes are first turned (or mirrored) to lie over the given ones as well as they can.

    Parameters
    ----------
    vectors
        (draws, models, labels).
    components
        Loadings from all images, (k, labels).

    Returns
    -------
    array
        (draws, k, labels).
    """
    values, target = np.asarray(vectors, dtype=np.float64), np.asarray(components, dtype=np.float64)
    centred = values - values.mean(axis=1, keepdims=True)
    # The small Gram matrix has the spectrum of the large one, squared and so known to half the digits: models are few,
    # labels many.
    squares, left = np.linalg.eigh(centred @ centred.swapaxes(1, 2))
    kept = len(target)
    spectrum = np.sqrt(np.maximum(squares[:, ::-1][:, :kept], 0.0))
    largest = spectrum[:, :1] if kept else spectrum
    usable = spectrum > 1e-6 * np.where(largest > 0, largest, 1.0)
    axes = left[:, :, ::-1][:, :, :kept].swapaxes(1, 2) @ centred
    axes = np.where(usable[:, :, None], axes / np.where(usable, spectrum, 1.0)[:, :, None], 0.0)
    first, _, second = np.linalg.svd(target @ axes.swapaxes(1, 2))
    turned: NDArray[np.float64] = first @ second @ axes
    return turned


def orient(
    components: NDArray[np.float64], scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fix the signs: in every component, (k, labels), the loading of largest magnitude is positive.

    Among loadings of equal magnitude (up to rounding) the first decides, so that the map does not flip between
    machines.
    """
    signs = np.ones(len(components))
    for row, loadings in enumerate(components):
        size = np.abs(loadings)
        signs[row] = np.sign(loadings[np.flatnonzero(size >= size.max() * (1 - 1e-9))[0]])
    return components * signs[:, None], scores * signs


@dataclass(frozen=True)
class Mds:
    """Points whose distances approximate given ones.

    Attributes
    ----------
    scores
        Coordinates, (models, k), centred, on principal axes.
    stress
        Kruskal's stress-1: root of the squared misfit over the squared distances; 0 is a perfect map.
    """

    scores: NDArray[np.float64]
    stress: float


def classical_mds(distances: ArrayLike, components: int = 2) -> NDArray[np.float64]:
    """Torgerson's (1952) scaling, (models, models) -> (models, components); exact for Euclidean distances.

    Directions that the distances do not span are 0.
    """
    squared = np.asarray(distances, dtype=np.float64) ** 2
    centred = squared - squared.mean(axis=0) - squared.mean(axis=1, keepdims=True) + squared.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    order = np.argsort(values)[::-1][:components]
    points = vectors[:, order] * np.sqrt(np.maximum(values[order], 0.0))
    result = np.zeros((len(squared), components))
    result[:, : points.shape[1]] = _upright(points)
    return result


def metric_mds(
    distances: ArrayLike,
    components: int = 2,
    start: ArrayLike | None = None,
    tolerance: float = 1e-10,
    iterations: int = 2000,
) -> Mds:
    """Metric multidimensional scaling: least squares between map and given distances (SMACOF, de Leeuw 1977).

    Deterministic: it starts from classical scaling and every step lowers the stress.

    Parameters
    ----------
    distances
        (models, models), symmetric; the diagonal is ignored.
    components
        Dimensions of the map.
    start
        Other start, (models, components).
    tolerance
        Relative fall of the stress below which the iteration ends.
    iterations
        Steps at most.
    """
    wanted = np.asarray(distances, dtype=np.float64).copy()
    np.fill_diagonal(wanted, 0.0)
    models = len(wanted)
    points = classical_mds(wanted, components) if start is None else np.asarray(start, dtype=np.float64)
    points = points - points.mean(axis=0)
    total = (wanted**2).sum() / 2
    if total == 0:
        return Mds(np.zeros((models, components)), 0.0)
    stress = _stress(points, wanted)
    for _ in range(iterations):
        present = _gaps(points)
        ratio = np.divide(wanted, present, out=np.zeros_like(wanted), where=present > 0)
        guttman = -ratio
        guttman[np.diag_indices(models)] = ratio.sum(axis=1)
        points = guttman @ points / models
        previous, stress = stress, _stress(points, wanted)
        if previous - stress <= tolerance * total:
            break
    left, spectrum, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    return Mds(points if start is not None else _upright(left * spectrum), float(np.sqrt(stress / total)))


def procrustes(points: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Shift and rotate (or reflect) points (models, k) onto a target map, without stretching."""
    moved, fixed = np.asarray(points, np.float64), np.asarray(target, np.float64)
    centre = fixed.mean(axis=0)
    shifted = moved - moved.mean(axis=0)
    left, _, right = np.linalg.svd(shifted.T @ (fixed - centre))
    turned: NDArray[np.float64] = shifted @ (left @ right) + centre
    return turned


def _upright(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Axes of a map have no loadings: the coordinate of largest magnitude is made positive."""
    _, upright = orient(points.T, points)
    return upright


def _gaps(points: NDArray[np.float64]) -> NDArray[np.float64]:
    gaps: NDArray[np.float64] = np.sqrt(((points[:, None] - points[None]) ** 2).sum(axis=-1))
    return gaps


def _stress(points: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    return float(((_gaps(points) - wanted) ** 2).sum() / 2)

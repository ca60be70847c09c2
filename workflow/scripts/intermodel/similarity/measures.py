"""All measures of one pair of representations, with what chance gives and why a value is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.similarity import nulls
from intermodel.similarity.basis import Basis
from intermodel.similarity.catalogue import measure_names
from intermodel.similarity.cka import cka, cka_unbiased
from intermodel.similarity.neighbours import mutual_knn
from intermodel.similarity.procrustes import procrustes_angle, procrustes_cosine
from intermodel.similarity.pwcca import projection_weights, pwcca
from intermodel.similarity.regression import regression
from intermodel.similarity.representation import Representation
from intermodel.similarity.svcca import (
    canonical_correlations,
    clip,
    components,
    mean_correlation,
    mean_square_correlation,
)
from intermodel.statistics.nulls import chance_corrected

Floats = NDArray[np.float64]


@dataclass
class Comparison:
    """Values of all measures of one pair of representations.

    Attributes
    ----------
    value, null_mean, adjusted
        By name of the measure; NaN where undefined.
    reason
        Why a value is undefined; measures without an entry are defined.
    saturated
        Measures that are forced towards 1 because the images are too few for the dimensions.
    few_images
        Measures of subspaces with fewer than 18 images per direction: chance alone then gives more than 0.2.
    correlations
        Canonical correlations behind `svcca`, descending.
    """

    value: dict[str, float] = field(default_factory=dict)
    null_mean: dict[str, float] = field(default_factory=dict)
    adjusted: dict[str, float] = field(default_factory=dict)
    reason: dict[str, str] = field(default_factory=dict)
    saturated: set[str] = field(default_factory=set)
    few_images: set[str] = field(default_factory=set)
    correlations: Floats = field(default_factory=lambda: np.empty(0))


# With k directions on both sides chance gives 0.849 sqrt(k / (N - 1)), which is 0.2 at N = 18 k.
IMAGES_PER_DIRECTION = 18
FEW_IMAGES = 10


def compare(a: Representation, b: Representation, measures: Sequence[str], variance: Sequence[float]) -> Comparison:
    """All chosen measures of two representations of the same images in the same order.

    Parameters
    ----------
    a, b
        Representations with equal N.
    measures
        Choices, see `intermodel.similarity.catalogue.CHOICES`.
    variance
        Thresholds of SVCCA, the first for the plain names.

    Notes
    -----
    One product costs 2 N r_a r_b operations; PWCCA and CCA add a singular value decomposition of (r_a, r_b) with and
    without vectors, Procrustes one without, SVCCA one of (k_a, k_b). Everything else is quadratic in the ranks.
    """
    if a.basis.images != b.basis.images:
        raise UserError(
            f"representations of {a.basis.images} and {b.basis.images} images cannot be compared; make both from the "
            "same images."
        )
    names = measure_names(measures, variance)
    result = Comparison()
    constant = [side for side, basis in (("a", a.basis), ("b", b.basis)) if basis.rank == 0]
    if constant:
        for name in names:
            _undefined(result, name, f"constant: all images have equal features in {' and '.join(constant)}")
        return result
    pair = _Pair(a.basis, b.basis, (a.basis.left.T @ b.basis.left).astype(np.float64, copy=False))
    _truncated_subspaces(result, pair, names, variance)
    _whole_subspaces(result, pair, names)
    _weighted(result, pair, names)
    if "mutual_knn" in names:
        _neighbours(result, a, b, pair.images)
    return result


@dataclass(frozen=True)
class _Pair:
    """What all linear measures are functions of: two bases and the product U_a^T U_b, (r_a, r_b)."""

    a: Basis
    b: Basis
    product: Floats

    @property
    def images(self) -> int:
        return self.a.images

    @property
    def spectra(self) -> tuple[Floats, Floats]:
        return self.a.singular_values, self.b.singular_values

    @property
    def tolerance(self) -> float:
        return max(self.a.tolerance, self.b.tolerance)


def _truncated_subspaces(result: Comparison, pair: _Pair, names: Sequence[str], variance: Sequence[float]) -> None:
    """SVCCA: every threshold takes the leading rows and columns of the same product."""
    for position, share in enumerate(variance):
        suffix = f"@{share:g}" if position else ""
        if not {f"svcca{suffix}", f"svcca_r2{suffix}"} & set(names):
            continue
        k_a, k_b = (components(spectrum, share) for spectrum in pair.spectra)
        correlations = canonical_correlations(pair.product[:k_a, :k_b], pair.tolerance)
        _correlated(result, [f"svcca{suffix}", f"svcca_r2{suffix}"], names, correlations, (k_a, k_b), pair.images)
        if position == 0:
            result.correlations = correlations


def _whole_subspaces(result: Comparison, pair: _Pair, names: Sequence[str]) -> None:
    """CCA and PWCCA of all directions."""
    if not {"cca", "cca_r2", "pwcca"} & set(names):
        return
    ranks = (pair.a.rank, pair.b.rank)
    if "pwcca" not in names:
        correlations = canonical_correlations(pair.product, pair.tolerance)
    else:
        directions_a, singular, directions_b = np.linalg.svd(pair.product, full_matrices=False)
        correlations = clip(singular, pair.tolerance)
        weighted_a = pwcca(correlations, projection_weights(pair.a.right, pair.a.singular_values, directions_a))
        weighted_b = pwcca(correlations, projection_weights(pair.b.right, pair.b.singular_values, directions_b.T))
        values = {"pwcca": (weighted_a + weighted_b) / 2, "pwcca_a": weighted_a, "pwcca_b": weighted_b}
        for name, value in values.items():
            _defined(result, name, value, float("nan"))
        _mark(result, values, ranks, pair.images)
    _correlated(result, ["cca", "cca_r2"], names, correlations, ranks, pair.images)


def _weighted(result: Comparison, pair: _Pair, names: Sequence[str]) -> None:
    """Measures that weight directions by their variance."""
    a, b, images = pair.a, pair.b, pair.images
    if "cka" in names:
        null = nulls.null_cka(a.participation_ratio, b.participation_ratio, images)
        _defined(result, "cka", cka(pair.product, *pair.spectra), null)
    if "cka_unbiased" in names and images < 4:
        _undefined(result, "cka_unbiased", f"too few images: {images}, at least 4 are needed")
    elif "cka_unbiased" in names:
        value = cka_unbiased(pair.product, *pair.spectra, a.row_square_norms, b.row_square_norms)
        _defined(result, "cka_unbiased", value, 0.0)
        if np.isnan(value):
            _undefined(result, "cka_unbiased", "degenerate: all images are equally far apart on one side")
    if "procrustes_angle" in names:
        cosine = procrustes_cosine(pair.product, *pair.spectra, pair.tolerance)
        _defined(result, "procrustes_angle", procrustes_angle(cosine), float("nan"))
    if "regression_a" in names:
        for name, product, explained, predictor in (
            ("regression_a", pair.product, a, b),
            ("regression_b", pair.product.T, b, a),
        ):
            value = regression(product, explained.singular_values)
            _defined(result, name, value, nulls.null_regression(predictor.rank, images))
            if predictor.rank >= images - 1:
                result.saturated.add(name)


def _correlated(
    result: Comparison,
    measured: Sequence[str],
    names: Sequence[str],
    correlations: Floats,
    dimensions: tuple[int, int],
    images: int,
) -> None:
    """Mean and mean square of canonical correlations, under the two names of `measured` where they are asked for."""
    mean, square = measured
    if mean in names:
        _defined(result, mean, mean_correlation(correlations), nulls.null_mean_correlation(*dimensions, images))
    if square in names:
        null = nulls.null_square_correlation(*dimensions, images)
        _defined(result, square, mean_square_correlation(correlations), null)
    _mark(result, [name for name in measured if name in names], dimensions, images)


def _mark(result: Comparison, measured: Iterable[str], dimensions: tuple[int, int], images: int) -> None:
    if images < FEW_IMAGES or images <= sum(dimensions):
        result.saturated.update(measured)
    if images < IMAGES_PER_DIRECTION * max(dimensions):
        result.few_images.update(measured)


def _neighbours(result: Comparison, a: Representation, b: Representation, images: int) -> None:
    if a.neighbours is None or b.neighbours is None:
        _undefined(result, "mutual_knn", a.without_neighbours or b.without_neighbours)
        return
    index_a, index_b = a.neighbours.index, b.neighbours.index
    if index_a.shape != index_b.shape:
        raise UserError(
            f"{index_a.shape[1]} and {index_b.shape[1]} neighbours cannot be compared; delete the older basis file and "
            "run again."
        )
    k = index_a.shape[1]
    _defined(result, "mutual_knn", mutual_knn(index_a, index_b), nulls.null_mutual_knn(k, images))


def _defined(result: Comparison, name: str, value: float, null_mean: float) -> None:
    result.value[name] = value
    result.null_mean[name] = null_mean
    result.adjusted[name] = float(chance_corrected(value, null_mean))


def _undefined(result: Comparison, name: str, reason: str) -> None:
    nan = float("nan")
    result.value[name], result.null_mean[name], result.adjusted[name] = nan, nan, nan
    result.reason[name] = reason

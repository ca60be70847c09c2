"""All measures of one pair of representations, with what chance gives and why a value is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.similarity import nulls
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


@dataclass(frozen=True)
class Measure:
    """What a measure is called, how it is drawn, and how it behaves.

    Attributes
    ----------
    label
        For axes and tables.
    null
        How its null mean is known: ``exact``, ``asymptotic`` or ``none`` (then only from permutations).
    distance
        Whether 0 means identical.
    subspace
        Whether it compares subspaces whatever their variance, so that it saturates when the images are few.
    """

    label: str
    null: str
    distance: bool = False
    subspace: bool = False


CATALOGUE = {
    "svcca": Measure("SVCCA", "asymptotic", subspace=True),
    "svcca_r2": Measure("SVCCA R²", "exact", subspace=True),
    "cca": Measure("CCA", "asymptotic", subspace=True),
    "cca_r2": Measure("CCA R²", "exact", subspace=True),
    "pwcca": Measure("PWCCA, mean of both sides", "none", subspace=True),
    "pwcca_a": Measure("PWCCA, weighted by a", "none", subspace=True),
    "pwcca_b": Measure("PWCCA, weighted by b", "none", subspace=True),
    "cka": Measure("Linear CKA, biased", "exact"),
    "cka_unbiased": Measure("Linear CKA, unbiased", "exact"),
    "procrustes_angle": Measure("Procrustes angle (rad)", "none", distance=True),
    "regression_a": Measure("Regression R² of a on b", "exact"),
    "regression_b": Measure("Regression R² of b on a", "exact"),
    "mutual_knn": Measure("Mutual k-NN", "exact"),
}

# Names that a study may give, and the measures that each stands for.
CHOICES = {
    **{name: (name,) for name in ("svcca", "svcca_r2", "cca", "cca_r2", "cka", "cka_unbiased")},
    "pwcca": ("pwcca", "pwcca_a", "pwcca_b"),
    "procrustes_angle": ("procrustes_angle",),
    "regression": ("regression_a", "regression_b"),
    "mutual_knn": ("mutual_knn",),
}


def base_name(name: str) -> str:
    """Name in the catalogue of a measure with its own threshold: ``svcca@0.9`` is an ``svcca``."""
    return name.split("@")[0]


def mirrored(name: str) -> str:
    """Name of the same measure when the two sides are exchanged."""
    return {"_a": name[:-2] + "_b", "_b": name[:-2] + "_a"}.get(name[-2:], name)


def as_similarity(name: str, value: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """A measure on a scale on which 1 means identical: an angle becomes 1 minus its share of a right angle."""
    value = np.asarray(value, dtype=np.float64)
    return 1.0 - value / (np.pi / 2) if CATALOGUE[base_name(name)].distance else value


def measure_names(measures: Sequence[str], variance: Sequence[float]) -> list[str]:
    """All measures that a choice stands for; SVCCA once per threshold, the first under its plain name.

    Raises
    ------
    UserError
        If a choice is unknown or either list is empty.
    """
    unknown = [name for name in measures if name not in CHOICES]
    if unknown or not measures:
        raise UserError(
            f"`measures` holds {unknown[0] if unknown else 'nothing'!r}, expected one or more of {', '.join(CHOICES)}."
        )
    if not variance:
        raise UserError("`variance` is empty, expected at least one share such as 0.99.")
    names = []
    for choice in dict.fromkeys(measures):
        for name in CHOICES[choice]:
            names.append(name)
            if name.startswith("svcca"):
                names.extend(f"{name}@{share:g}" for share in variance[1:])
    return names


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
        Choices, see `CHOICES`.
    variance
        Thresholds of SVCCA, the first for the plain names.

    Notes
    -----
    One product costs 2 N r_a r_b operations; PWCCA and CCA add a singular value decomposition of (r_a, r_b) with and
    without vectors, Procrustes one without, SVCCA one of (k_a, k_b). Everything else is quadratic in the ranks.
    """
    basis_a, basis_b = a.basis, b.basis
    if basis_a.images != basis_b.images:
        raise UserError(
            f"representations of {basis_a.images} and {basis_b.images} images cannot be compared; make both from the "
            "same images."
        )
    names = measure_names(measures, variance)
    result = Comparison()
    constant = [side for side, basis in (("a", basis_a), ("b", basis_b)) if basis.rank == 0]
    if constant:
        for name in names:
            _undefined(result, name, f"constant: all images have equal features in {' and '.join(constant)}")
        return result

    images = basis_a.images
    tolerance = max(basis_a.tolerance, basis_b.tolerance)
    spectrum_a, spectrum_b = basis_a.singular_values, basis_b.singular_values
    product = (basis_a.left.T @ basis_b.left).astype(np.float64, copy=False)

    def subspace(correlations: Floats, k_a: int, k_b: int, *measured: str) -> None:
        for name in measured:
            root = base_name(name)
            if root.startswith("pwcca"):
                continue
            if root.endswith("_r2"):
                value, null = mean_square_correlation(correlations), nulls.null_square_correlation(k_a, k_b, images)
            else:
                value, null = mean_correlation(correlations), nulls.null_mean_correlation(k_a, k_b, images)
            _defined(result, name, value, null)
        if images < FEW_IMAGES or images <= k_a + k_b:
            result.saturated.update(measured)
        if images < IMAGES_PER_DIRECTION * max(k_a, k_b):
            result.few_images.update(measured)

    for position, share in enumerate(variance):
        suffix = f"@{share:g}" if position else ""
        measured = [name + suffix for name in ("svcca", "svcca_r2") if name + suffix in names]
        if measured:
            k_a, k_b = components(spectrum_a, share), components(spectrum_b, share)
            correlations = canonical_correlations(product[:k_a, :k_b], tolerance)
            subspace(correlations, k_a, k_b, *measured)
            if position == 0:
                result.correlations = correlations

    whole = [name for name in names if base_name(name).startswith(("cca", "pwcca"))]
    if "pwcca" in whole:
        directions_a, singular, directions_b = np.linalg.svd(product, full_matrices=False)
        correlations = clip(singular, tolerance)
        weighted_a = pwcca(correlations, projection_weights(basis_a.right, spectrum_a, directions_a))
        weighted_b = pwcca(correlations, projection_weights(basis_b.right, spectrum_b, directions_b.T))
        for name, value in (
            ("pwcca", (weighted_a + weighted_b) / 2),
            ("pwcca_a", weighted_a),
            ("pwcca_b", weighted_b),
        ):
            _defined(result, name, value, float("nan"))
        subspace(correlations, basis_a.rank, basis_b.rank, *whole)
    elif whole:
        subspace(canonical_correlations(product, tolerance), basis_a.rank, basis_b.rank, *whole)

    if "cka" in names:
        null = nulls.null_cka(basis_a.participation_ratio, basis_b.participation_ratio, images)
        _defined(result, "cka", cka(product, spectrum_a, spectrum_b), null)
    if "cka_unbiased" in names:
        if images < 4:
            _undefined(result, "cka_unbiased", f"too few images: {images}, at least 4 are needed")
        else:
            value = cka_unbiased(product, spectrum_a, spectrum_b, basis_a.row_square_norms, basis_b.row_square_norms)
            _defined(result, "cka_unbiased", value, 0.0)
            if np.isnan(value):
                _undefined(result, "cka_unbiased", "degenerate: all images are equally far apart on one side")
    if "procrustes_angle" in names:
        cosine = procrustes_cosine(product, spectrum_a, spectrum_b, tolerance)
        _defined(result, "procrustes_angle", procrustes_angle(cosine), float("nan"))
    if "regression_a" in names:
        for name, matrix, spectrum, other in (
            ("regression_a", product, spectrum_a, basis_b.rank),
            ("regression_b", product.T, spectrum_b, basis_a.rank),
        ):
            _defined(result, name, regression(matrix, spectrum), nulls.null_regression(other, images))
            if other >= images - 1:
                result.saturated.add(name)
    if "mutual_knn" in names:
        _neighbours(result, a, b, images)
    return result


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

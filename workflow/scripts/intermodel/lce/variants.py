"""How much of the embedding depends on what a model's vector holds: the same models under every variant.

The variants answer somewhat different questions and none is the true one, so what all of them show is worth more than
what one shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.lce.agreement import leave_one_out
from intermodel.lce.distances import euclidean
from intermodel.lce.projection import Scale, pca, scaling
from intermodel.lce.vectors import SOFT, VARIANTS, Variant, concept_vectors
from intermodel.statistics.correlation import correlate


@dataclass(frozen=True)
class Likeness:
    """Two variants compared.

    Attributes
    ----------
    first, second
        The variants.
    r
        Rank correlation of their Euclidean distances over the pairs of models; NaN where undefined.
    low, high
        Smallest and largest when any one model is left out; NaN with fewer than four models.
    map_r
        Correlation of the two maps after turning (and stretching) one onto the other, in [0, 1]: the root of 1 minus
        Procrustes' disparity.
    same_closest
        Whether the same two models are closest.
    same_neighbour
        Models that have the same nearest model in both.
    """

    first: Variant
    second: Variant
    r: float
    low: float
    high: float
    map_r: float
    same_closest: bool
    same_neighbour: int


def all_variants(
    count: NDArray[np.int64], units: ArrayLike, soft: Mapping[Variant, NDArray[np.float64]], scale: Scale
) -> dict[Variant, NDArray[np.float64]]:
    """Vectors of the models by variant, (models, labels) each.

    Parameters
    ----------
    count
        Detectors from all images, (models, labels).
    units
        Units of each model's layer.
    soft
        Best scores of the soft variants at hand, (models, labels).
    scale
        Transformation of the vectors.
    """
    found: dict[Variant, NDArray[np.float64]] = {}
    for variant in VARIANTS:
        if variant in SOFT and variant not in soft:
            continue
        vectors = concept_vectors(count, units, variant, soft.get(variant))
        found[variant] = scaling(vectors, scale)(vectors)
    return found


def liken(vectors: Mapping[Variant, NDArray[np.float64]]) -> list[Likeness]:
    """Compare every two variants; two models or fewer have nothing to compare."""
    distances = {variant: euclidean(values) for variant, values in vectors.items()}
    maps = {variant: pca(values, 2).scores for variant, values in vectors.items()}
    result = []
    for first, second in combinations(vectors, 2):
        one, two = distances[first], distances[second]
        if len(one) < 3:
            continue
        pairs = np.triu_indices(len(one), 1)
        without = leave_one_out(one, two)
        known = not np.isnan(without).any()
        closest = int(one[pairs].argmin()) == int(two[pairs].argmin())
        near = [np.where(np.eye(len(gaps)) > 0, np.inf, gaps).argmin(axis=1) for gaps in (one, two)]
        result.append(
            Likeness(
                first,
                second,
                float(correlate(one[pairs], two[pairs], "spearman").r[0, 0]),
                float(without.min()) if known else np.nan,
                float(without.max()) if known else np.nan,
                map_correlation(maps[first], maps[second]),
                closest,
                int((near[0] == near[1]).sum()),
            )
        )
    return result


def map_correlation(first: ArrayLike, second: ArrayLike) -> float:
    """Procrustes correlation of two maps of the same points, (n, k) and (n, m), each about its centre of 0.

    1 where one map is the other turned, mirrored or stretched; NaN where all points of a map coincide.
    """
    one, two = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    size = float(np.linalg.norm(one) * np.linalg.norm(two))
    shared = float(np.linalg.svd(one.T @ two, compute_uv=False).sum())
    return min(shared / size, 1.0) if size > 0 else float("nan")


def likeness_sentence(likenesses: list[Likeness], chosen: Variant, models: int) -> str | None:
    """How far the other variants order the pairs of models as the chosen one does; None where nothing is known."""
    found = []
    for item in likenesses:
        if chosen in (item.first, item.second) and not np.isnan(item.r):
            found.append((item.r, item.second if item.first == chosen else item.first, item.same_closest))
    if not found:
        return None
    found.sort()
    (least, worst, _), (most, best, _) = found[0], found[-1]
    ends = f"from {least:.2f} ({worst}) to {most:.2f} ({best})" if len(found) > 1 else f"at {least:.2f} ({worst})"
    same = sum(closest for _, _, closest in found)
    others = f"{len(found)} other variants" if len(found) > 1 else "other variant"
    return (
        f"How much hangs on what a vector holds: under the {others} the distances between {models} trained models are "
        f"ordered as under {chosen} {ends} (rank correlation), and the closest pair is the same in {same} of "
        f"{len(found)}."
    )

"""Do different ways of comparing models agree? Their distance matrices tested against each other, pair by pair.

Three kinds of geometry meet here: what units detect (the embedding), what whole representations span (SVCCA, CKA,
neighbours), and which single units respond alike (unit matching, which needs no labels).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.statistics.correlation import correlate
from intermodel.statistics.multiple_testing import holm
from intermodel.statistics.permutation import Mantel, mantel

LCE = "lce"
# Of whole representations one measure of each kind: shared directions, all of the geometry, neighbourhoods.
REPRESENTATIONS = {"svcca": "SVCCA", "cka_unbiased": "unbiased CKA", "mutual_knn": "mutual k-NN"}
# Of single units without labels: which respond alike, and which mean the same to a CLIP model.
UNITS = {"unit_matching": "unit matching", "clip_dissect": "CLIP"}
TITLES = {LCE: "concepts", **REPRESENTATIONS, **UNITS}


@dataclass(frozen=True)
class Geometry:
    """Dissimilarities between the models by one measure, (models, models), NaN where there is none."""

    name: str
    dissimilarity: NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Rank correlation of two geometries over the pairs of models.

    Attributes
    ----------
    first, second
        Names of the geometries.
    test
        Mantel's test, one-sided.
    p_adjusted
        Holm's, for all pairs of geometries.
    low, high
        Smallest and largest correlation when any one model is left out; NaN with fewer than four models.
    pillar
        Index of the model without which the correlation is smallest; -1 where undefined.
    """

    first: str
    second: str
    test: Mantel
    p_adjusted: float
    low: float
    high: float
    pillar: int


def similarity_matrix(
    pairs: Mapping[str, NDArray[Any]], layers: Mapping[str, str], measure: str | None = None
) -> NDArray[np.float64]:
    """Chance-corrected similarities of the models at chosen layers, (models, models), NaN where there is none.

    Parameters
    ----------
    pairs
        Columns of a table of pairs: model_a, layer_a, model_b, layer_b, adjusted.
    layers
        The layer of each model, in the order of the matrix.
    measure
        Rows to take, where the table has a column `measure`; None takes all.
    """
    position = {(model, layer): row for row, (model, layer) in enumerate(layers.items())}
    result = np.full((len(layers), len(layers)), np.nan)
    rows = np.arange(len(pairs["model_a"])) if measure is None else np.flatnonzero(pairs["measure"] == measure)
    for row in rows:
        a = position.get((str(pairs["model_a"][row]), str(pairs["layer_a"][row])))
        b = position.get((str(pairs["model_b"][row]), str(pairs["layer_b"][row])))
        if a is not None and b is not None:
            result[a, b] = result[b, a] = float(pairs["adjusted"][row])
    return result


def geometries(
    distances: ArrayLike, companions: Mapping[str, Mapping[str, NDArray[Any]]], layers: Mapping[str, str]
) -> list[Geometry]:
    """The embedding's distances, then 1 - similarity by every measure at hand that speaks of these layers.

    Parameters
    ----------
    distances
        Between the models in concept space, (models, models).
    companions
        Tables of pairs by capability: "similarity" (with a column `measure`), "unit_matching".
    layers
        As for `similarity_matrix`.
    """
    found = [Geometry(LCE, np.asarray(distances, dtype=np.float64))]
    for capability, pairs in companions.items():
        if "measure" in pairs:
            present = set(pairs["measure"].tolist())
            named = [(name, similarity_matrix(pairs, layers, name)) for name in REPRESENTATIONS if name in present]
        else:
            named = [(capability, similarity_matrix(pairs, layers))]
        found += [Geometry(name, 1 - similarity) for name, similarity in named]
    return found


def agreements(found: Sequence[Geometry], draws: int, seed: int) -> list[Agreement]:
    """Mantel tests (rank correlation, one-sided) between every two geometries, adjusted for their number.

    Parameters
    ----------
    found
        The geometries, of the same models.
    draws, seed
        Of the permutation tests.
    """
    pairs = list(combinations(found, 2))
    tests = [mantel(one.dissimilarity, two.dissimilarity, draws=draws, seed=seed) for one, two in pairs]
    adjusted = holm([test.p for test in tests])
    results = []
    for (one, two), test, p in zip(pairs, tests, adjusted, strict=True):
        without = leave_one_out(one.dissimilarity, two.dissimilarity)
        known = not test.reason and not np.isnan(without).any()
        low, high = (float(without.min()), float(without.max())) if known else (np.nan, np.nan)
        pillar = int(without.argmin()) if known else -1
        results.append(Agreement(one.name, two.name, test, float(p), low, high, pillar))
    return results


def leave_one_out(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Rank correlation of two distance matrices without each of the models, (models,); NaN where undefined."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    result = np.full(len(a), np.nan)
    if len(a) < 4:
        return result
    upper = np.triu_indices(len(a) - 1, 1)
    for model in range(len(a)):
        kept = np.delete(np.arange(len(a)), model)
        one, two = (matrix[np.ix_(kept, kept)][upper] for matrix in (a, b))
        result[model] = correlate(one, two, "spearman").r[0, 0]
    return result


def agreement_sentences(results: Sequence[Agreement], titles: Sequence[str], level: float) -> list[str]:
    """What the tests support: one sentence on concepts against each other geometry, one on units without labels
    against the rest.

    Parameters
    ----------
    results
        All pairs of geometries.
    titles
        Of the models that entered, in the order of the matrices.
    level
        A pair agrees when its adjusted p is at most 1 - level.
    """
    of_concepts = [(TITLES[result.second], result) for result in results if result.first == LCE]
    of_units = [
        (f"{TITLES[result.first]} and {TITLES[result.second]}", result)
        for result in results
        if result.first != LCE and result.second in UNITS
    ]
    told = [
        (of_concepts, "models that detect similar concepts are also alike by"),
        (of_units, "models are ordered alike, without concepts, by"),
    ]
    return [_sentence(named, claim, titles, level) for named, claim in told if named]


def _sentence(named: Sequence[tuple[str, Agreement]], claim: str, titles: Sequence[str], level: float) -> str:
    """What is shown, then what is not; `claim` ends before the names of geometries."""
    defined = [(name, result) for name, result in named if not result.test.reason]
    if not defined:
        names = ", ".join(name for name, _ in named)
        return f"Whether {claim} {names} cannot be tested ({named[0][1].test.reason})."
    shown = [(name, result) for name, result in defined if result.p_adjusted <= 1 - level]
    parts = [
        f"{name} (rank correlation {result.test.r:.2f}"
        + (f", {result.low:.2f} to {result.high:.2f} without any one model" if result.pillar >= 0 else "")
        + f", adjusted p {result.p_adjusted:.2g})"
        for name, result in shown
    ]
    missed = [
        f"{name} ({result.test.r:.2f}, adjusted p {result.p_adjusted:.2g})"
        for name, result in defined
        if result.p_adjusted > 1 - level
    ]
    test = f"Mantel's test, n = {len(titles)} trained models"
    if not shown:
        return f"It cannot be shown that {claim} {', '.join(missed)} ({test})."
    text = f"{claim[0].upper()}{claim[1:]} {', '.join(parts)}"
    text += f"; by {', '.join(missed)} this cannot be shown" if missed else ""
    fragile = [
        f"**{titles[result.pillar]}** ({name})"
        for name, result in shown
        if result.pillar >= 0 and result.low < result.test.r / 2
    ]
    text += f" ({test})."
    if fragile:
        text += f" Less than half of the correlation is left without {' and without '.join(fragile)}."
    return text

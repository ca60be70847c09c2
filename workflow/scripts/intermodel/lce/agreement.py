"""Do models that detect similar concepts also represent images similarly? Two geometries of the models compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.statistics.permutation import Mantel, mantel

# Shared directions, whole representations, neighbourhoods: one measure of each kind, where the study has it.
MEASURES = {"svcca": "SVCCA", "cka_unbiased": "unbiased CKA", "mutual_knn": "mutual k-NN"}


@dataclass(frozen=True)
class Agreement:
    """Agreement of the distances in concept space with one measure of similarity."""

    measure: str
    test: Mantel


def similarity_matrix(
    pairs: Mapping[str, NDArray[Any]], measure: str, layers: Mapping[str, str]
) -> NDArray[np.float64]:
    """Null-adjusted similarities of the models at chosen layers, (models, models), NaN where there is none.

    Parameters
    ----------
    pairs
        Columns of the table of pairs: model_a, layer_a, model_b, layer_b, measure, adjusted.
    measure
        Which measure.
    layers
        The layer of each model, in the order of the matrix.
    """
    position = {(model, layer): row for row, (model, layer) in enumerate(layers.items())}
    result = np.full((len(layers), len(layers)), np.nan)
    for row in np.flatnonzero(pairs["measure"] == measure):
        a = position.get((str(pairs["model_a"][row]), str(pairs["layer_a"][row])))
        b = position.get((str(pairs["model_b"][row]), str(pairs["layer_b"][row])))
        if a is not None and b is not None:
            result[a, b] = result[b, a] = float(pairs["adjusted"][row])
    return result


def agreements(
    distances: ArrayLike, pairs: Mapping[str, NDArray[Any]], layers: Mapping[str, str], draws: int, seed: int
) -> list[Agreement]:
    """Mantel tests (rank correlation, one-sided) of the distances against the dissimilarities of each measure.

    Parameters
    ----------
    distances
        Between the models in concept space, (models, models).
    pairs, layers
        As for `similarity_matrix`.
    draws, seed
        Of the permutation test.
    """
    present = set(pairs["measure"].tolist())
    return [
        Agreement(measure, mantel(distances, -similarity_matrix(pairs, measure, layers), draws=draws, seed=seed))
        for measure in MEASURES
        if measure in present
    ]


def agreement_sentence(results: Sequence[Agreement], models: int, level: float) -> str:
    """What the tests support, over so many models."""
    defined = [result for result in results if not result.test.reason]
    if not defined:
        return (
            "Whether models that detect similar concepts have similar representations cannot be tested "
            f"({results[0].test.reason})."
        )
    found = [result for result in defined if result.test.p <= 1 - level]
    numbers = ", ".join(
        f"{MEASURES[result.measure]}: rank correlation {result.test.r:.2f}, p {result.test.p:.2g}" for result in defined
    )
    if len(found) == len(defined):
        claim = "Models that detect similar concepts also have similar representations"
    elif found:
        claim = "Models that detect similar concepts have similar representations by some measures and not by others"
    else:
        claim = "That models which detect similar concepts have similar representations cannot be shown"
    return f"{claim} (Mantel test over {models} trained models; {numbers})."

"""Declared families of models against the groups that the concepts make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intermodel.lce.clusters import adjusted_rand
from intermodel.statistics.nulls import p_value, permutations


@dataclass(frozen=True)
class FamilyMatch:
    """Adjusted Rand index of families and clusters with its permutation p; NaN and a reason where undefined."""

    index: float
    p: float
    draws: int
    reason: str


def match_families(families: Sequence[str], clusters: Sequence[int], draws: int, seed: int) -> FamilyMatch:
    """Do models of one family fall into one cluster more than by chance? Families are permuted over the models.

    Parameters
    ----------
    families, clusters
        Of each model.
    draws, seed
        Permutations, all of them where they are no more.
    """
    declared = np.unique(np.asarray(families), return_inverse=True)[1].reshape(-1)
    found = np.asarray(clusters)
    for labels, word in ((declared, "family"), (found, "cluster")):
        groups = len(np.unique(labels))
        if groups < 2:
            return FamilyMatch(np.nan, np.nan, 0, f"all models are in one {word}")
        if groups == len(labels):
            return FamilyMatch(np.nan, np.nan, 0, f"every model is a {word} of its own")
    index = float(adjusted_rand(declared, found))
    order = permutations(len(found), draws, seed)
    null = adjusted_rand(declared[order], found)
    return FamilyMatch(index, float(p_value(index, null)), len(order), "")

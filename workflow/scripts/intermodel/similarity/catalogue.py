"""Names of the measures: what each is called, how its chance level is known, which names a study may give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError


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

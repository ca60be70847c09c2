"""What can be chosen about the embedding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from intermodel.engine.errors import UserError
from intermodel.lce.clusters import Linkage
from intermodel.lce.distances import Distance
from intermodel.lce.projection import Scale
from intermodel.lce.vectors import Variant

Predictor = Literal["unique", "detectors", "iou"]
Projection = Literal["pca", "mds"]


@dataclass(frozen=True)
class Settings:
    """Choices, named as in the study.

    Attributes
    ----------
    variant, scale
        What a model's vector holds, and how it is transformed.
    projection, distance
        How the map is drawn; which distance the heat map, the clusters and "mds" use.
    linkage, clusters
        How models are grouped, and into how many groups ("auto": see `intermodel.lce.clusters.choose_number`).
    bootstrap, splits
        Bootstrap draws; halvings for the noise floor.
    level
        Coverage of intervals; 1 - level is the level of the tests.
    predictor, summary, covariate, permutations
        Of the crossing with downstream results: what stands for a category; whether data sets of a task are averaged;
        the result held constant; draws of the test.
    seed
        Seed of all draws.
    """

    variant: Variant = "count"
    scale: Scale = "none"
    projection: Projection = "pca"
    distance: Distance = "euclidean"
    linkage: Linkage = "average"
    clusters: int | Literal["auto"] = "auto"
    bootstrap: int = 400
    splits: int = 200
    level: float = 0.95
    predictor: Predictor = "unique"
    summary: bool = True
    covariate: str | None = None
    permutations: int = 10_000
    seed: int = 0

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """From a mapping that may hold further keys.

        Raises
        ------
        UserError
            If the choices do not go together.
        """
        names = {field.name for field in fields(cls)}
        settings = cls(**{name: value for name, value in values.items() if name in names})
        if settings.linkage == "ward" and settings.distance != "euclidean":
            raise UserError(
                f"analyses.lce.linkage is ward with the distance {settings.distance}, expected euclidean, the only "
                "distance that Ward's criterion is defined for; choose it, or linkage: average."
            )
        return settings

"""The models of a study as the comparisons need them: titles, families, controls, layers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """One model of the study.

    Attributes
    ----------
    name, title, family, architecture
        As the study gives them.
    control
        Whether it is an untrained control.
    layers
        Shallow to deep; the last one is the main layer, of which figures and findings speak.
    """

    name: str
    title: str
    family: str
    architecture: str
    control: bool
    layers: tuple[str, ...]

    @property
    def main(self) -> str:
        """The deepest layer."""
        return self.layers[-1]


def read_models(description: str) -> list[Model]:
    """Models in the order of the study, from the JSON text of `Study.describe`."""
    return [
        Model(
            name=entry["name"],
            title=entry["title"],
            family=entry["family"],
            architecture=entry.get("architecture", ""),
            control=bool(entry["control"]),
            layers=tuple(entry["layers"]),
        )
        for entry in json.loads(description)["models"]
    ]


def control_of(model: Model, models: Sequence[Model]) -> Model | None:
    """The untrained control of a model's architecture; with another architecture the difference is not training's."""
    alike = [other for other in models if other.control and other.architecture == model.architecture]
    return next((other for other in alike if other.name != model.name), None)

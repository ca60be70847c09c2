"""The defaults that the study promises are those of the functions that are called from a notebook."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest
from intermodel.lce.settings import Settings
from intermodel.probe.linear import fit_linear_probe
from intermodel.study import schema
from intermodel.training.recipe import LEARNING_RATES, OBJECTIVES, Recipe


@pytest.mark.parametrize("field", [field for field in fields(Settings) if field.name != "seed"], ids=lambda f: f.name)
def test_embedding(field: object) -> None:
    assert getattr(schema.Lce(), field.name) == field.default  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "field",
    [field for field in fields(Recipe) if field.name not in ("objective", "augmentation")],
    ids=lambda f: f.name,
)
def test_training(field: object) -> None:
    promised = schema.TrainedWeights(source="train", objective="simclr", dataset="scenes")
    assert getattr(promised, field.name) == field.default  # type: ignore[attr-defined]


def test_training_by_objective() -> None:
    assert set(OBJECTIVES) == set(schema.TrainedWeights.model_fields["objective"].annotation.__args__)
    text = schema.TrainedWeights.model_fields["learning_rate"].description or ""
    assert all(f"{rate:g} with {optimizer}" in text for optimizer, rate in LEARNING_RATES.items())


def test_probes() -> None:
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(fit_linear_probe).parameters.items()
        if parameter.default is not parameter.empty and name in schema.Probe.model_fields
    }
    assert {"penalties", "tolerance", "max_iterations"} <= set(defaults)
    for name, value in defaults.items():
        promised = getattr(schema.Probe(), name)
        assert (tuple(promised) if isinstance(promised, list) else promised) == value, name

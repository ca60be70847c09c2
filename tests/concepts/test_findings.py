"""Findings: each claim holds for the planted models, and none is made that the intervals do not support."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from concepts.conftest import MODELS, Folder
from intermodel.concepts.composition_files import Compositions
from intermodel.concepts.fan_in import read_layers
from intermodel.concepts.findings import findings, warnings
from intermodel.concepts.scores import Scores
from intermodel.concepts.tables import Layer
from intermodel.statistics.jackknife import Jackknife


@pytest.fixture(scope="module")
def layers(tallied: Folder) -> list[Layer]:
    paths = [tallied.tally(model["name"], layer) for model in MODELS for layer in model["layers"]]
    # A threshold that halves of a square pass and noise does not.
    return read_layers(paths, MODELS, 0.3, "category")


def said(layers: list[Layer]) -> str:
    return "\n".join(statement for statement, _ in findings(layers))


def with_best(layer: Layer, low: float, high: float, label: int) -> Layer:
    """The same layer with another interval for the best IoU with one label."""
    best = layer.concepts.best
    bounds = [best.low.copy(), best.high.copy()]
    bounds[0][label], bounds[1][label] = low, high
    changed = Jackknife(best.estimate, best.standard_error, *bounds, best.replicates)
    return replace(layer, concepts=replace(layer.concepts, best=changed))


def test_the_planted_differences_are_told(layers: list[Layer]) -> None:
    text = said(layers)
    assert "Seer detects 3 (95 % interval 3 to 3) different concepts" in text
    assert "the most of two trained models. The next is Other with 1" in text
    assert "the difference of 2 (95 % interval 2 to 2) is larger than what other images" in text
    assert "The untrained control detects 0 (95 % interval 0 to 0) concepts; every trained model detects more." in text
    assert "Only Seer detects label 2 (object) and label 4 (object)" in text or (
        "Only Seer detects label 4 (object) and label 2 (object)" in text
    )
    assert "Both trained models detect label 0 (object); none of these is detected without training." in text
    assert "Seer 3 (3) against 0; Other 2 (2) against 0; Noise 0 (0) against 0." in text
    assert "Seer object (3 of 3 detectors)" in text


def test_uncertain_exclusives_are_not_claimed(layers: list[Layer]) -> None:
    seer, other, noise = (layer for layer in layers if layer.main)
    label = 2
    for changed in (
        # The owner's interval reaches below the threshold; a rival's reaches above it.
        [with_best(seer, 0.1, 0.9, label), other, noise],
        [seer, with_best(other, 0.0, 0.35, label), noise],
        [seer, other, with_best(noise, 0.0, 0.35, label)],
    ):
        text = said(changed)
        assert "Only Seer detects label 4 (object):" in text
        assert "One further concept has detectors in one model alone" in text


def test_what_is_out_of_reach_of_a_rival_is_not_its_failure(layers: list[Layer]) -> None:
    seer, other, noise = (layer for layer in layers if layer.main)
    highest = other.concepts.highest.copy()
    highest[2] = 0.1
    text = said([seer, replace(other, concepts=replace(other.concepts, highest=highest)), noise])
    assert "Only Seer detects label 4 (object):" in text


def test_equal_models_are_called_equal(layers: list[Layer]) -> None:
    seer = next(layer for layer in layers if layer.model == "seer" and layer.main)
    twin = replace(seer, model="twin", title="Twin")
    text = said([seer, twin])
    assert "as many as Twin with 3" in text and "most of" not in text and "Only" not in text
    # Three concepts are common, and no control is there to be compared with.
    assert text.count("Both trained models detect") == 1 and "without training" not in text


def test_an_unclear_lead_is_called_so(layers: list[Layer]) -> None:
    seer, other, noise = (layer for layer in layers if layer.main)
    # One replicate in which the rival has many concepts makes the difference uncertain.
    replicates = other.concepts.replicates.copy()
    replicates[0, 0] = 1
    shaky = replace(other, concepts=replace(other.concepts, replicates=replicates))
    assert "is within what other images of this kind would change" in said([seer, shaky, noise])


def test_models_that_detect_nothing(layers: list[Layer]) -> None:
    noise = next(layer for layer in layers if layer.control)
    text = said([replace(noise, control=False), replace(noise, control=False, title="Second")])
    assert text.startswith("No unit of any trained model detects a concept.")
    assert "Most frequent category" not in text and "Of the detectors" not in text


def test_controls_alone_say_nothing(layers: list[Layer]) -> None:
    assert findings([layer for layer in layers if layer.control]) == []


def test_a_single_model(layers: list[Layer]) -> None:
    text = said([layer for layer in layers if layer.model == "seer"])
    assert "with 3 of its 6 units." in text and "most of" not in text and "Both" not in text


def test_statements_name_their_tables(layers: list[Layer]) -> None:
    assert {table for _, table in findings(layers)} == {"summary.csv", "concepts.csv", "units.csv"}


def test_unreachable_concepts_are_counted(layers: list[Layer]) -> None:
    changed = []
    for layer in layers:
        highest = np.ones(6)
        highest[[1, 3]] = 0.01
        changed.append(replace(layer, concepts=replace(layer.concepts, highest=highest)))
    total = changed[0].concepts.total
    largest = max((1, 3), key=lambda label: total.label_area[label])
    share = total.label_area[largest] / total.pixels
    text = said(changed)
    assert "2 of 6 concepts are out of reach of every unit" in text
    assert f"for instance label {largest} with {share:.1%} of the pixels" in text


def test_warnings_name_the_layer(layers: list[Layer]) -> None:
    assert any(text.startswith("Seer, late: 17% of the units are active in no pixel") for text in warnings(layers))


def test_formulas_and_scores_are_told(layers: list[Layer]) -> None:
    seer = next(layer for layer in layers if layer.main)
    units = len(seer.concepts.dead)
    words = np.array(["a OR b"] * units)
    found = Compositions(
        seer.layer, words, words, np.full(units, 2), np.full(units, 0.5), np.full(units, 0.25),
        np.where(np.arange(units) < 3, 0.1, -0.1), np.where(np.arange(units) < 2, 0.01, 0.06),
    )  # fmt: skip
    scores = Scores(
        np.full((units, 6), 0.9), np.zeros(units, int), np.linspace(0.1, 0.9, units), np.zeros(units), np.ones(units)
    )
    text = said([replace(seer, compositions=found, scores=scores)])
    assert "Seer 0.500 instead of 0.250 (2 of 6)" in text
    clear = (np.abs(scores.auroc - 0.5) >= 0.3) & ~seer.concepts.detector
    assert f"Seer {int(scores.clear.sum())} of 6 ({int(clear.sum())})" in text
    assert "formula" not in said(layers) and "AUROC" not in said(layers)


def test_units_above_the_iou_of_false_discoveries_are_counted(layers: list[Layer]) -> None:
    text = said(layers)
    for layer in layers:
        if layer.main:
            count = int((layer.concepts.chance.false_discovery <= 0.05).sum())
            assert f"{layer.title} {count} of {len(layer.concepts.dead)} (above" in text

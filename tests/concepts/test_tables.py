"""The tables: right numbers under right names, written and read again; tallies that differ are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from concepts.conftest import MODELS, Folder
from intermodel.concepts.compose import compose_layer
from intermodel.concepts.fan_in import read_layers, write_tables
from intermodel.concepts.scores import Scores
from intermodel.concepts.tables import (
    Layer,
    check_alike,
    composition_rows,
    concept_rows,
    summary_rows,
    unit_rows,
    zero_threshold_share,
)
from intermodel.csv_tables import read_table
from intermodel.engine.errors import UserError


@pytest.fixture(scope="module")
def layers(tallied: Folder) -> list[Layer]:
    paths = [tallied.tally(model["name"], layer) for model in MODELS[::-1] for layer in model["layers"]]
    return read_layers(paths, MODELS, 0.04, "category")


def test_layers_follow_the_study(layers: list[Layer]) -> None:
    names = [(layer.model, layer.layer, layer.main) for layer in layers]
    assert names == [("seer", "early", False), ("seer", "late", True), ("other", "late", True), ("noise", "late", True)]


def test_units(layers: list[Layer]) -> None:
    rows = [row for row in unit_rows(layers) if row["model"] == "seer" and row["layer"] == "late"]
    assert [row["unit"] for row in rows] == list(range(6))
    assert [row["concept"] for row in rows[:3]] == ["label 0", "label 2", "label 4"]
    assert rows[0]["category"] == "object" and rows[0]["object_concept"] == "label 0" and rows[0]["detector"]
    dead = rows[5]
    assert (dead["concept"], dead["category"], dead["iou"], dead["detector"], dead["dead"]) == (
        "none",
        "none",
        0,
        False,
        True,
    )
    assert dead["scene_concept"] == "none" and dead["active_share"] == 0
    for row in rows[:5]:
        assert row["iou_low"] <= row["iou"] <= row["iou_high"]
        assert row["iou"] == max(row["object_iou"], row["scene_iou"])
        assert 0 < row["active_share"] <= 0.06 and row["chance_iou"] < 1


def test_concepts(layers: list[Layer]) -> None:
    rows = concept_rows(layers)
    assert len(rows) == 4 * 6
    units = unit_rows(layers)
    for row in rows:
        mine = [unit for unit in units if (unit["model"], unit["layer"]) == (row["model"], row["layer"])]
        named = [
            u for u in mine if u["detector"] and (u["concept"], u["category"]) == (row["concept"], row["category"])
        ]
        assert row["units"] == len(named)
        column = f"{row['category']}_concept"
        either = [u for u in mine if u[column] == row["concept"] and u[f"{row['category']}_iou"] > 0.04]
        assert row["units_category"] == len(either)
        assert row["best_iou"] <= row["highest_iou"] + 1e-12
    seen = next(
        row for row in rows if row["model"] == "seer" and row["layer"] == "late" and row["concept"] == "label 2"
    )
    assert seen["best_unit"] == 1 and seen["reachable"] and seen["number"] == 3


def test_summary(layers: list[Layer]) -> None:
    rows, units, concepts = summary_rows(layers), unit_rows(layers), concept_rows(layers)
    for row in rows:
        mine = [unit for unit in units if (unit["model"], unit["layer"]) == (row["model"], row["layer"])]
        known = [line for line in concepts if (line["model"], line["layer"]) == (row["model"], row["layer"])]
        assert row["units"] == len(mine) and row["dead"] == 1
        assert row["detectors"] == sum(unit["detector"] for unit in mine)
        assert row["detectors_sure"] == sum(unit["sure"] for unit in mine)
        assert row["concepts"] == sum(line["units"] > 0 for line in known)
        assert row["concepts_category"] == sum(line["units_category"] > 0 for line in known)
        assert row["detectors_category"] == sum(line["units_category"] for line in known)
        assert row["reachable"] == sum(line["reachable"] for line in known)
        assert row["object_detectors"] + row["scene_detectors"] == row["detectors"]
        assert row["object_reachable"] + row["scene_reachable"] == row["reachable"]
        assert row["detectors_low"] <= row["detectors"] <= row["detectors_high"]
        assert row["zero_threshold_share"] == pytest.approx(1 / len(mine))


def test_without_folds_nothing_is_claimed_about_intervals(layers: list[Layer]) -> None:
    seer = layers[1]
    single = replace(seer.concepts, fold_images=seer.concepts.fold_images[:1])
    (row,) = summary_rows([replace(seer, concepts=single)])
    for name in ("detectors_low", "detectors_high", "concepts_low", "concepts_high", "object_concepts_low"):
        assert np.isnan(row[name])
    assert row["concepts"] == summary_rows([seer])[0]["concepts"]


def test_files_hold_the_same(tallied: Folder, layers: list[Layer], tmp_path: Path) -> None:
    paths = [tallied.tally(model["name"], layer) for model in MODELS for layer in model["layers"]]
    write_tables(paths, MODELS, tmp_path, iou_threshold=0.04, denominator="category")
    summary, rows = read_table(tmp_path / "summary.csv"), summary_rows(layers)
    assert summary["model"].tolist() == [row["model"] for row in rows]
    np.testing.assert_array_equal(summary["detectors"], [row["detectors"] for row in rows])
    assert summary["control"].tolist() == ["false", "false", "false", "true"]
    assert len(read_table(tmp_path / "units.csv")["unit"]) == 6 + 6 + 3 + 4
    assert len(read_table(tmp_path / "concepts.csv")["concept"]) == 24
    findings = read_table(tmp_path / "findings.csv")
    assert set(findings["table"]) <= {"summary.csv", "concepts.csv", "units.csv"} and len(findings["statement"]) >= 4
    assert list(read_table(tmp_path / "warnings.csv")) == ["warning"]


@pytest.mark.parametrize("name", ["dataset_fingerprint", "tail", "masks", "labels"])
def test_tallies_that_differ_are_refused(name: str, layers: list[Layer]) -> None:
    odd = replace(layers[1], attributes={**layers[1].attributes, name: "other"})
    with pytest.raises(UserError, match=f"seer/early and seer/late differ in {name}"):
        check_alike([layers[0], odd])
    check_alike(layers)


def test_warnings_of_a_layer(layers: list[Layer]) -> None:
    seer = layers[1]
    assert any("17% of the units are active in no pixel" in warning for warning in seer.warnings)
    silent = replace(seer.concepts, threshold=np.zeros(6))
    assert any("100% of the units have a threshold of 0" in text for text in replace(seer, concepts=silent).warnings)
    chance = replace(seer.concepts.chance, detectors=np.array([2, 2]))
    expected = 2 / seer.concepts.detector.sum()
    texts = replace(seer, concepts=replace(seer.concepts, chance=chance)).warnings
    assert any(f"{expected:.0%} as many detectors" in text for text in texts)
    told = replace(seer, attributes={**seer.attributes, "warnings": '["Only 3 of 9."]'})
    assert told.warnings[0] == "Only 3 of 9."


def test_share_of_thresholds_at_zero() -> None:
    assert zero_threshold_share(np.array([0.0, 1.0, -1.0, 0.0])) == 0.5
    assert zero_threshold_share(np.array([np.nan, np.nan])) == 0.0


def test_scores_and_formulas_stand_beside_the_labels(tallied: Folder, tmp_path: Path) -> None:
    paths = [tallied.tally(model["name"], layer) for model in MODELS for layer in model["layers"]]
    compose_layer(
        tallied.maps("seer", "late"), tallied.path / "patterns.h5", tallied.tally("seer", "late"), tmp_path / "c.h5",
        length=2, beam=3,
    )  # fmt: skip
    matrix = np.random.default_rng(0).random((6, 6))
    scores = Scores(matrix, np.array([1, 0, 2, 3, -1, -1]), *np.full((3, 6), 0.9))
    layers = read_layers(paths, MODELS, compositions={"seer": tmp_path / "c.h5"})
    assert [layer.compositions is not None for layer in layers] == [False, True, False, False]
    layers[1] = replace(layers[1], scores=scores)
    for layer in (0, 2, 3):
        units = len(layers[layer].concepts.dead)
        none = Scores(np.full((units, 6), 0.5), np.full(units, -1), *np.full((3, units), np.nan))
        layers[layer] = replace(layers[layer], scores=none)
    rows = unit_rows(layers)
    assert len({tuple(row) for row in rows}) == 1
    seer = [row for row in rows if (row["model"], row["layer"]) == ("seer", "late")]
    composed = composition_rows(layers)
    assert len(composed) == 6 and composed[5]["formula"] == "none"
    for unit, (row, line) in enumerate(zip(seer, composed, strict=True)):
        assert row["composition"] == line["formula"] and row["composition_iou"] == line["iou"] >= line["single_iou"]
        label = layers[1].concepts.labels.label[unit]
        assert row["auroc"] == matrix[unit, label] if label >= 0 else np.isnan(row["auroc"])
    assert seer[1]["auroc_concept"] == "label 0" and seer[5]["auroc_concept"] == "none"
    summary = summary_rows(layers)
    assert [row["auroc_units"] for row in summary] == [0, 4, 0, 0]
    assert all(row["auroc_units_clear"] <= 6 for row in summary)
    assert [row["composition_holds"] is None for row in summary] == [True, False, True, True]
    assert summary[1]["composition_holds"] == sum(line["holds"] for line in composed)
    assert summary[1]["composition_iou"] == np.median([line["iou"] for line in composed])
    write_tables(paths, MODELS, tmp_path, compositions={"seer": tmp_path / "c.h5"})
    assert read_table(tmp_path / "compositions.csv")["unit"].tolist() == list(range(6))

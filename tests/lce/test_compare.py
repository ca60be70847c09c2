"""From tally files to the embedding's files; tallies that do not belong together are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel import csv_tables, store
from intermodel.concepts.files import read_tally
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.engine.errors import UserError
from intermodel.lce import knowledge, tables
from intermodel.lce.compare import compare_models
from intermodel.lce.files import read_embedding
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import drawn

SETTINGS: dict[str, Any] = {"bootstrap": 50, "splits": 20, "permutations": 100, "iou_threshold": 0.04}
SETTINGS |= {"denominator": "category", "performance": None, "seed": 1}
NAMES = ["supervised", "simclr", "byol", "vit", "untrained"]


def describe(names: list[str]) -> list[dict[str, Any]]:
    return [
        {"name": n, "title": n.title(), "family": "control" if n == "untrained" else "trained", "layer": "layer4"}
        | {"control": n == "untrained"}
        for n in names
    ]


@pytest.fixture(scope="module")
def tallies(
    tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path], make_sums: Callable[..., Sums]
) -> list[Path]:
    folder = tmp_path_factory.mktemp("tallies")
    paths = [write_model(folder / f"{name}.h5", number) for number, name in enumerate(NAMES[:4])]
    sums = make_sums(9)
    sums.intersection[:] //= 6
    return [*paths, write_model(folder / "untrained.h5", 9, sums)]


@pytest.fixture(scope="module")
def result(tallies: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lce")
    table = folder / "downstream.csv"
    lines = ["model,task,dataset,metric,value"]
    lines += [f"{name},detect,x,AP,{value}" for name, value in zip(NAMES, (50, 40, 45, 30, 5), strict=True)]
    lines += [
        f"{name},normals,y,mean_angular_error_deg,{value}" for name, value in zip(NAMES, (9, 8, 7, 6, 5), strict=True)
    ]
    table.write_text("\n".join(lines) + "\n")
    pairs = [
        {
            "model_a": a,
            "layer_a": "layer4",
            "model_b": b,
            "layer_b": "layer4",
            "measure": "svcca",
            "adjusted": 0.1 * i + 0.01 * j,
        }
        for i, a in enumerate(NAMES)
        for j, b in enumerate(NAMES[: i + 1])
    ]
    csv_tables.write_table(folder / "pairs.csv", pairs)
    matched = [{key: value for key, value in pair.items() if key != "measure"} for pair in pairs]
    csv_tables.write_table(folder / "matched.csv", [pair for pair in matched if pair["model_a"] != pair["model_b"]])
    chosen = SETTINGS | {"performance": str(table)}
    companions = {"similarity": folder / "pairs.csv", "unit_matching": folder / "matched.csv"}
    compare_models(tallies, describe(NAMES), folder, "scenes", chosen, companions=companions)
    return folder


def test_files_hold_the_embedding(result: Path, tallies: list[Path]) -> None:
    embedding, about = read_embedding(result / "lce.h5")
    assert [model.name for model in about.models] == NAMES and about.models[4].control
    assert (about.images, about.folds, about.tail, about.iou_threshold) == (320, 16, 0.005, 0.04)
    assert embedding.count.shape == (5, 18) and embedding.count[4].sum() < embedding.count[:4].sum(axis=1).min()
    table = csv_tables.read_table(result / "vectors.csv")
    np.testing.assert_array_equal(table["detectors"].reshape(5, 18), embedding.count)
    assert table["concept"][0] == "concept 1" and table["category"][0] == "part"
    pairs = csv_tables.read_table(result / "distances.csv")
    assert len(pairs["value"]) == 4 * 10
    chosen = (pairs["distance"] == "hellinger") & (pairs["model_a"] == "simclr") & (pairs["model_b"] == "vit")
    assert pairs["value"][chosen] == embedding.measures["hellinger"].value.value[1, 3]
    plane = csv_tables.read_table(result / "map.csv")
    np.testing.assert_array_equal(np.column_stack([plane["x"], plane["y"]]), embedding.chart.scores)
    sets = csv_tables.read_table(result / "complementarity.csv")
    np.testing.assert_array_equal(sets["only"] + sets["shared"] + sets["gain_of_other"], sets["union"])
    assert (sets["only_low"] <= sets["only"]).all() and (sets["only_beyond_doubt"] <= sets["only"]).all()
    ensemble = csv_tables.read_table(result / "ensemble.csv")
    assert ensemble["concepts"][-1] == (embedding.count > 0).any(axis=0).sum()
    totals = csv_tables.read_table(result / "categories.csv")
    assert (totals["unique"][totals["category"] == "all"] == embedding.unique.value[:, -1]).all()
    assert (totals["mean_best_iou"][totals["category"] != "all"] > 0).all()


def test_groups_are_judged_named_and_held_against_families(result: Path) -> None:
    embedding, about = read_embedding(result / "lce.h5")
    numbers = csv_tables.read_table(result / "cluster_numbers.csv")
    assert numbers["clusters"].tolist() == [2, 3, 4]
    chosen = int((numbers["chosen"] == "true").sum())
    assert chosen == (len(embedding.groups.stability) > 1)
    table = csv_tables.read_table(result / "enrichment.csv", text=["group"])
    assert set(table["grouping"]) == {"cluster", "family"}
    family = (table["grouping"] == "family") & (table["group"] == "control") & (table["name"] == "concept 2")
    share = embedding.count / 40
    expected = share[4, 1] - share[:4, 1].mean()
    assert table["difference"][family] == pytest.approx(expected) and table["inside"][family] == 1
    assert (table["low"] <= table["difference"]).all() and (table["difference"] <= table["high"]).all()
    clusters = csv_tables.read_table(result / "clusters.csv", text=["name"])
    assert clusters["name"].tolist() == [embedding.groups.names[label] for label in embedding.groups.labels]
    # Five models of which four are trained and of one family: nothing to compare.
    match = csv_tables.read_table(result / "families.csv")
    assert match["models"][0] == 4 and match["reason"][0] == "all models are in one family"
    loadings = csv_tables.read_table(result / "loadings.csv")
    assert set(loadings["axis"]) == {1, 2} and (loadings["low"] <= loadings["high"]).all()
    first = loadings["loading"][loadings["axis"] == 1]
    assert (np.diff(np.abs(first)) <= 0).all() and (first**2).sum() == pytest.approx(1)
    assert about.settings.clusters == "auto"


def test_crossing_leaves_controls_out_and_tests_all_cells(result: Path) -> None:
    table = csv_tables.read_table(result / "performance.csv")
    assert len(table["r"]) == 6 * 2 * 2 and (table["models"] == 4).all()
    undefined = np.isnan(table["r"])
    assert all(reason == "predictor is constant" for reason in table["reason"][undefined])
    # Four models allow 24 permutations: no p-value is below 1/24.
    assert np.nanmin(table["p"]) >= 1 / 24 - 1e-12 and (table["survives"] == "false").all()
    tasks = csv_tables.read_table(result / "tasks.csv")
    assert tasks["task"].tolist() == ["detect", "detect", "normals", "normals"] and (tasks["models"] == 4).all()
    for row, (task, method) in enumerate(zip(tasks["task"], tasks["method"], strict=True)):
        cells = (table["task"] == task) & (table["method"] == method) & ~undefined
        strongest = table["r"][cells][np.abs(table["r"][cells]).argmax()]
        assert tasks["r"][row] == strongest and tasks["tested"][row] == cells.sum()


def test_agreement_with_similarities_leaves_controls_out(result: Path) -> None:
    table = csv_tables.read_table(result / "agreement.csv")
    assert list(zip(table["geometry"].tolist(), table["other"].tolist(), strict=True)) == [
        ("lce", "svcca"),
        ("lce", "unit_matching"),
        ("svcca", "unit_matching"),
    ]
    # The same similarities under two names agree entirely, which four models cannot show: 1/24, times three tests.
    assert table["r"][2] == pytest.approx(1) and table["p_adjusted"][2] == pytest.approx(3 / 24)
    assert (table["models"][0], table["pairs"][0], table["draws"][0]) == (4, 6, 23)
    gaps = csv_tables.read_table(result / "geometries.csv")
    assert gaps["geometry"].tolist() == ["lce"] * 6 + ["svcca"] * 6 + ["unit_matching"] * 6 and "untrained" not in set(
        gaps["model_b"]
    )
    pairs = csv_tables.read_table(result / "distances.csv")
    both = (pairs["distance"] == "euclidean") & (pairs["model_a"] == "simclr") & (pairs["model_b"] == "byol")
    assert gaps["dissimilarity"][3] == pairs["value"][both] and gaps["model_a"][3] == "simclr"
    assert -1 <= table["r"][0] <= 1 and table["p"][0] >= 1 / 24


def test_findings_rest_on_tables_that_exist(result: Path) -> None:
    table = csv_tables.read_table(result / "findings.csv")
    assert len(table["statement"]) >= 6
    for name in table["table"]:
        assert (result / name).is_file()
    text = " ".join(table["statement"])
    assert (
        "Concepts that training added to what **Untrained** detects" in text
        and "No statement survives for **detect** (strongest: " in text
        and "nan" not in text.lower().replace("finan", "")
    )


def test_without_results_the_crossing_is_an_empty_table(tallies: list[Path], tmp_path: Path) -> None:
    compare_models(tallies[:2], describe(NAMES[:2]), tmp_path, "scenes", SETTINGS)
    assert (tmp_path / "performance.csv").read_text().startswith("category,task,dataset")
    assert len(csv_tables.read_table(tmp_path / "performance.csv")["r"]) == 0


def test_own_probes_count_as_results(tallies: list[Path], tmp_path: Path) -> None:
    probes = {}
    for number, name in enumerate(NAMES):
        probes[name] = str(tmp_path / f"{name}.h5")
        with store.create(probes[name]) as file:
            file.create_group("layer4").attrs["accuracy"] = 0.5 + 0.1 * number
    compare_models(tallies, describe(NAMES), tmp_path, "scenes", SETTINGS, {"scenes": probes})
    table = csv_tables.read_table(tmp_path / "performance.csv")
    assert set(table["task"]) == {"linear_probe"} and set(table["metric"]) == {"accuracy"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dataset_fingerprint": "e" * 64}, "they differ in the probe images "),
        ({"segmentation_fingerprint": "t" * 64}, "they differ in the label maps "),
        ({"tail": 0.01}, r"they differ in the tail \(tail is 0\.01 and 0\.005\)"),
        ({"masks": "argmax"}, "they differ in the kind of masks "),
        ({"size": [32, 32]}, "they differ in the size of the label maps "),
    ],
)
def test_tallies_made_differently_are_refused(
    changes: dict[str, Any], message: str, tallies: list[Path], tmp_path: Path, write_model: Callable[..., Path]
) -> None:
    other = write_model(tmp_path / "other.h5", 1, **changes)
    with pytest.raises(UserError, match=f"^simclr and supervised cannot be compared: {message}") as error:
        compare_models([tallies[0], other], describe(NAMES[:2]), tmp_path, "scenes", SETTINGS)
    assert str(error.value).count(". ") == 0
    assert not (tmp_path / "lce.h5").exists()


def test_other_label_sets_and_folds_are_refused(
    tallies: list[Path],
    tmp_path: Path,
    write_model: Callable[..., Path],
    make_sums: Callable[..., Sums],
    vocabulary: Vocabulary,
) -> None:
    renamed = Vocabulary(vocabulary.numbers, ("x", *vocabulary.names[1:]), vocabulary.category, vocabulary.categories)
    other = write_model(tmp_path / "other.h5", 1, vocabulary=renamed)
    with pytest.raises(UserError, match="they differ in the label set"):
        compare_models([tallies[0], other], describe(NAMES[:2]), tmp_path, "scenes", SETTINGS)
    other = write_model(tmp_path / "folds.h5", 1, make_sums(1, folds=8))
    with pytest.raises(UserError, match="they differ in the folds of images"):
        compare_models([tallies[0], other], describe(NAMES[:2]), tmp_path, "scenes", SETTINGS)


def test_too_few_folds_for_intervals_are_refused(
    tmp_path: Path, write_model: Callable[..., Path], make_sums: Callable[..., Sums]
) -> None:
    few = write_model(tmp_path / "few.h5", 1, make_sums(1, folds=3))
    with pytest.raises(UserError, match="320 images in 3 folds, expected at least 4"):
        compare_models([few, few], describe(NAMES[:2]), tmp_path, "scenes", SETTINGS)


def test_layers_of_different_width_and_crops_are_warned_of(
    tallies: list[Path], tmp_path: Path, write_model: Callable[..., Path], make_sums: Callable[..., Sums]
) -> None:
    narrow = make_sums(3, units=20)
    narrow.pixels[:] -= 100
    narrow.intersection[:] = 0
    other = write_model(tmp_path / "narrow.h5", 3, narrow)
    compare_models([tallies[0], other], describe(NAMES[:2]), tmp_path, "scenes", SETTINGS)
    warnings = json.loads(store.read_attributes(tmp_path / "lce.h5")["warnings"])
    assert csv_tables.read_table(tmp_path / "warnings.csv")["statement"].tolist() == warnings
    assert len(warnings) == 3
    assert "different parts of the images" in warnings[0] and "20 to 40 units" in warnings[1]
    assert warnings[2].startswith("No concept is detected by Simclr")


def test_detectors_are_those_of_the_concepts(
    tallies: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By false discoveries each model has an IoU of its own; without wrong pairings there is none."""
    chosen = SETTINGS | {"detection": "fdr", "fdr": 0.1}
    with pytest.raises(UserError, match="detection: fdr compares with"):
        compare_models(tallies, describe(NAMES), tmp_path, "scenes", chosen)
    asked, later = [], 0.0

    def threshold(tally: object, detection: str, iou_threshold: float, fdr: float, denominator: str) -> float:
        asked.append((detection, iou_threshold, fdr, denominator))
        return 0.2 + later * len(asked)

    monkeypatch.setattr(knowledge, "detection_threshold", threshold)
    compare_models(tallies, describe(NAMES), tmp_path, "scenes", chosen)
    assert asked == [("fdr", 0.04, 0.1, SETTINGS["denominator"])] * 5
    found, about = read_embedding(tmp_path / "lce.h5")
    assert not any("begin at" in warning for warning in about.warnings)
    later = 0.01
    compare_models(tallies, describe(NAMES), tmp_path, "scenes", chosen)
    told = read_embedding(tmp_path / "lce.h5")[1].warnings
    assert any("Detectors begin at an IoU of 0.260 to 0.300, as the false discovery rate" in text for text in told)
    monkeypatch.undo()
    compare_models(tallies, describe(NAMES), tmp_path, "scenes", SETTINGS | {"iou_threshold": 0.2})
    np.testing.assert_array_equal(found.count, read_embedding(tmp_path / "lce.h5")[0].count)


def test_variants_are_compared_over_trained_models(result: Path) -> None:
    table = csv_tables.read_table(result / "variants.csv")
    # Without files of AUROC six variants are left.
    assert len(table["r"]) == 15 and (table["models"] == 4).all() and (table["pairs"] == 6).all()
    same = (table["variant"] == "count") & (table["other"] == "fraction")
    assert table["r"][same] == pytest.approx(1) and table["same_neighbour"][same] == 4
    assert "How much hangs on what a vector holds: under the 5 other variants" in " ".join(findings_of(result))


def test_rotations_add_what_axes_have_beyond_the_space(
    tmp_path: Path, write_model: Callable[..., Path], make_sums: Callable[..., Sums]
) -> None:
    own, turned = make_sums(0), [make_sums(0, noise=1), make_sums(5)]
    paths = [write_model(tmp_path / "0.h5", 0, own, rotated=turned)]
    paths += [write_model(tmp_path / f"{k}.h5", k, rotated=[make_sums(k), make_sums(k)]) for k in (1, 2)]
    compare_models(paths, describe(NAMES[:3]), tmp_path, "scenes", SETTINGS)
    concepts = csv_tables.read_table(tmp_path / "axes.csv")
    count = read_embedding(tmp_path / "lce.h5")[0].count
    np.testing.assert_array_equal(concepts["detectors"].reshape(3, 18), count)
    value = concepts["value"].reshape(3, 18)
    np.testing.assert_allclose(value, (concepts["detectors"] - concepts["rotated"]).reshape(3, 18))
    # Rotated units that are the units themselves leave nothing over.
    assert value[0].any() and not value[1:].any()
    pairs = csv_tables.read_table(tmp_path / "axes_distances.csv")
    assert pairs["value"].tolist() == [np.linalg.norm(value[0])] * 2 + [0]
    places = csv_tables.read_table(tmp_path / "axes_map.csv")
    assert (places["rotations"] == 2).all() and places["length"][0] == pytest.approx(np.linalg.norm(value[0]))
    for table, name in ((concepts, "axes"), (pairs, "axes_distances"), (places, "axes_map")):
        assert tuple(table) == tables.COLUMNS[name]
    assert "beyond 2 random rotations of the same space" in " ".join(findings_of(tmp_path))
    one = write_model(tmp_path / "one.h5", 1, rotated=[make_sums(1)])
    with pytest.raises(UserError, match=r"one.h5 holds 1 rotations and .*0.h5 2; delete both"):
        compare_models([paths[0], one], describe(NAMES[:2]), tmp_path, "scenes", SETTINGS)


def test_without_rotations_nothing_is_said_about_axes(result: Path) -> None:
    for name in ("axes", "axes_map", "axes_distances"):
        assert len(csv_tables.read_table(result / f"{name}.csv")["value" if name != "axes_map" else "length"]) == 0
    assert "rotation" not in " ".join(findings_of(result))


def test_vectors_of_auroc(tallies: list[Path], tmp_path: Path) -> None:
    """Concepts without an AUROC in some draw of one model are 0 for all; the rest are those of all images."""
    images = read_tally(tallies[0]).folds.images
    settings = Settings.of(SETTINGS | {"variant": "soft_auroc"})
    draws = len(drawn(images, settings, "x").stacked())
    generator, files, bests = np.random.default_rng(4), [], []
    for number, name in enumerate(NAMES):
        best = generator.uniform(0.5, 1, (draws, 18))
        best[7, 3] = np.nan if number == 2 else 0.9
        bests.append(best)
        files.append(tmp_path / f"{name}.auroc.h5")
        about = {key: getattr(settings, key) for key in ("bootstrap", "splits", "seed")}
        with store.create(files[-1], **about) as file:
            file["images"], file["best"] = images, best
    chosen = SETTINGS | {"variant": "soft_auroc"}
    compare_models(tallies, describe(NAMES), tmp_path, "scenes", chosen, resampled=files)
    embedding, about = read_embedding(tmp_path / "lce.h5")
    expected = np.array([best[0] for best in bests])
    expected[:, 3] = 0
    np.testing.assert_array_equal(embedding.vectors, expected)
    assert any(text.startswith("1 of 18 concepts are left out of all vectors (concept 4)") for text in about.warnings)
    # Seven variants, of which each pair is a row.
    assert len(csv_tables.read_table(tmp_path / "variants.csv")["r"]) == 21
    with pytest.raises(ValueError, match="needs 5 files of resampled AUROC, got 0"):
        compare_models(tallies, describe(NAMES), tmp_path, "scenes", chosen)


def findings_of(folder: Path) -> list[str]:
    return [str(text) for text in csv_tables.read_table(folder / "findings.csv")["statement"]]

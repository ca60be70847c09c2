"""Real photographs and real weights: the examples of config/examples/ give the answers that are known."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from intermodel.csv_tables import read_table
from intermodel.store import align, open_file, read_pooled, read_strings

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., CompletedProcess[str]]

pytestmark = [pytest.mark.workflow, pytest.mark.real]

# Intersection over union of the segmentation network on the 101 public validation frames, measured independently with
# plain numpy; given to three decimals.
SEGMENTATION_IOU = {
    "sky": 0.946,
    "building": 0.844,
    "pole": 0.117,
    "road": 0.968,
    "pavement": 0.868,
    "tree": 0.906,
    "sign_symbol": 0.405,
    "fence": 0.707,
    "car": 0.806,
    "pedestrian": 0.432,
    "bicyclist": 0.701,
}
# Accuracies on the 1,000 public test pictures.
CIFAR_ACCURACY = {"resnet20": 0.804, "resnet32": 0.840}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, real_data: Path) -> Path:
    os.environ["INTERMODEL_DATA"] = str(real_data)
    return tmp_path_factory.mktemp("real")


def rows(path: Path, **chosen: object) -> list[dict[str, object]]:
    columns = read_table(path)
    table = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [row for row in table if all(row[name] == value for name, value in chosen.items())]


def test_output_channels_reproduce_the_segmentation_scores(folder: Path, snakemake: Run) -> None:
    snakemake("concepts", folder=folder, study=ROOT / "config/examples/camvid-segmenter.yaml")
    units = rows(folder / "results/camvid-segmenter/concepts/camvid/units.csv")
    assert len(units) == 12
    for unit, (concept, iou) in enumerate(SEGMENTATION_IOU.items()):
        assert units[unit]["concept"] == concept
        assert units[unit]["iou"] == pytest.approx(iou, abs=0.01)


def test_units_of_a_trained_network_detect_street_concepts(folder: Path, snakemake: Run) -> None:
    snakemake("concepts", folder=folder, study=ROOT / "config/examples/camvid.yaml")
    concepts = folder / "results/camvid/concepts/camvid"
    channels = rows(concepts / "units.csv", model="espnet", layer="up1")
    assert [row["concept"] for row in channels[:11]] == list(SEGMENTATION_IOU)
    found = {str(row["concept"]): row for row in rows(concepts / "concepts.csv", model="espnet", layer="up1")}
    for unit, concept in ((1, "building"), (3, "road"), (5, "tree")):
        # These cover too much of the pictures for masks of so few pixels, and the report must say so.
        assert float(channels[unit]["iou"]) < 0.04
        assert found[concept]["reachable"] == "false"
        assert float(found[concept]["highest_iou"]) < 0.05
    assert found["car"]["reachable"] == "true"
    trained, random = (
        rows(concepts / "summary.csv", model=model, layer="stage3")[0] for model in ("espnet", "espnet-random")
    )
    # Random units find little but the bright sky; trained ones find several concepts, and find them far better.
    assert trained["max_iou"] > 3 * random["max_iou"]
    assert trained["concepts"] >= 3 * random["concepts"]
    assert trained["detectors_sure"] > 2 * random["detectors_sure"]
    assert trained["detectors"] > 3 * trained["detectors_by_chance"]


def test_networks_trained_alike_share_layers(folder: Path, snakemake: Run) -> None:
    snakemake("similarity", "probe", folder=folder, study=ROOT / "config/examples/cifar10.yaml")
    results = folder / "results/cifar10"
    with open_file(results / "data/cifar10/manifest.h5") as manifest:
        ids, labels = read_strings(manifest["id"]), manifest["label"][...]
        test = read_strings(manifest["split"]) == "test"
    assert test.sum() == 1000
    for model, accuracy in CIFAR_ACCURACY.items():
        logits = read_pooled(results / f"features/cifar10/{model}/linear.h5")
        predicted = logits.values[align(ids[test], logits.ids, "the logits")].argmax(axis=1)
        assert np.mean(predicted == labels[test]) == pytest.approx(accuracy, abs=0.002)
    pairs = results / "similarity/cifar10/pairs.csv"
    stages = ("layer1", "layer2", "layer3")
    # Measures that ignore every invertible map of the features, SVCCA among them, do not find corresponding layers on
    # pooled features of 16 to 64 units (Kornblith et al. 2019 saw the same); these two do.
    for measure in ("cka_unbiased", "mutual_knn"):
        value = {
            (row["layer_a"], row["layer_b"]): float(row["value"])
            for row in rows(pairs, model_a="resnet20", model_b="resnet32", measure=measure)
        }
        random = {
            (row["layer_a"], row["layer_b"]): float(row["value"])
            for row in rows(pairs, model_a="resnet20", model_b="resnet20-random", measure=measure)
        }
        for stage in stages:
            others = [value[stage, other] for other in stages if other != stage]
            assert value[stage, stage] > max(others), (measure, stage, value)
            assert value[stage, stage] > 2 * random[stage, stage], (measure, stage, random)

"""The study of the thirteen self-supervised networks, up to the downloads: synthetic checkpoints in the published key
layouts, a small folder in Broden's format, the real table of downstream results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from intermodel import store
from intermodel.concepts.files import index_label_maps, tally_layer
from intermodel.csv_tables import read_table
from intermodel.data.broden.writer import write_broden
from intermodel.data.label_maps import build_segmentation
from intermodel.data.manifest import build_manifest
from intermodel.data.manifest_file import read_manifest
from intermodel.data.open import open_dataset
from intermodel.engine.environment import expand
from intermodel.features.extract import FeatureFile, extract
from intermodel.lce.compare import compare_models
from intermodel.models.formats import FORMATS
from intermodel.models.load import load_model
from intermodel.study import Study
from intermodel.study.load import read_study
from published_checkpoints import KWARGS, checkpoint, narrow_resnet50
from safetensors.torch import save_file

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config" / "examples" / "ssl13.yaml"
TABLE = ROOT / "config" / "performance" / "ssl_transfer.csv"
IMAGES = 64


@pytest.fixture(scope="module")
def example() -> Study:
    return read_study(EXAMPLE, check_files=False)


def write_checkpoints(study: Study) -> None:
    """A file of its own for every model, where the study looks for it."""
    for seed, model in enumerate(study.models.values()):
        path = Path(expand(model.weights.path))
        path.parent.mkdir(exist_ok=True)
        content: Any = checkpoint(model.weights.format, narrow_resnet50(seed))
        if path.suffix == ".safetensors":
            # As the conversion of BYOL writes it: a flat table without heads.
            save_file({key: value for key, value in content["state_dict"].items() if "predictor" not in key}, path)
        else:
            torch.save(content, path)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The example with narrow networks, its files in place."""
    folder = tmp_path_factory.mktemp("ssl13")
    keys = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    for model in keys["models"].values():
        model["kwargs"] = KWARGS
    keys["results"] = str(folder / "results")
    # Narrow networks with random weights hardly detect anything: ask for less.
    keys["analyses"]["concepts"] |= {"tail": 0.05, "iou_threshold": 0.04}
    keys["analyses"]["lce"] |= {"bootstrap": 100, "splits": 20, "permutations": 500, "performance": str(TABLE)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL13", str(folder))
        scenes = open_dataset({"source": "scenes", "train": 0, "test": IMAGES, "size": 224})
        write_broden(scenes, folder / "broden1_224")
        write_checkpoints(Study.model_validate(keys))
        (folder / "study.yaml").write_text(yaml.safe_dump(keys))
        # With files: everything that the example names must now be there.
        yield read_study(folder / "study.yaml")


@pytest.fixture(scope="module")
def dissected(study: Study) -> Path:
    """Every step of the workflow from the folder of Broden to the embedding, in this process."""
    paths, spec = study.paths, expand(json.loads(study.dataset_spec("broden")))
    concepts = study.analyses.concepts
    build_manifest(spec, paths.manifest("broden"))
    build_segmentation(
        spec, paths.manifest("broden"), paths.segmentation("broden"), study.datasets["broden"].segmentation_size
    )
    index_label_maps(paths.segmentation("broden"), paths.manifest("broden"), paths.patterns("broden"))
    dataset = open_dataset(spec, paths.manifest("broden"))
    models = json.loads(study.describe())["models"]
    for model in study.models:
        files = [paths.features("broden", model, "layer4"), paths.maps("broden", model, "layer4")]
        extract(
            load_model(json.loads(study.model_spec(model))),
            dataset,
            [FeatureFile.at(path) for path in files],
            model_name=model,
            dataset="broden",
            dataset_fingerprint=read_manifest(paths.manifest("broden")).fingerprint,
            device="cpu",
        )
        keys = ("tail", "thresholds", "masks", "folds", "top_images", "shuffles")
        settings = {key: getattr(concepts, key) for key in keys} | {"shuffles": 0}
        tally_layer(files[1], paths.patterns("broden"), paths.tally("broden", model, "layer4"), **settings)
    folder = Path(paths.lce("broden")).parent
    settings = json.loads(study.settings("lce", iou_threshold=concepts.iou_threshold, denominator=concepts.denominator))
    tallies = [paths.tally("broden", model, "layer4") for model in study.models]
    compare_models(tallies, [model | {"layer": "layer4"} for model in models], folder, "broden", settings)
    return folder


def test_the_example_names_the_models_of_the_table_and_their_key_layouts(example: Study) -> None:
    table = read_table(TABLE)
    assert set(example.models) == set(table["model"]) and len(example.models) == 14
    assert [model.weights.format for model in example.models.values()] == [name.lower() for name in example.models]
    assert {name.lower() for name in example.models} == set(FORMATS)
    assert all(model.layers == ["layer4"] and model.architecture == "resnet50" for model in example.models.values())
    top1 = (
        (table["task"] == "imagenet_linear") & (table["dataset"] == "ImageNet") & (table["metric"] == "top1_accuracy")
    )
    assert example.analyses.lce.covariate == "imagenet_linear/ImageNet/top1_accuracy" and top1.sum() == 14
    assert example.datasets_for("lce") == ["broden"] and example.analyses.lce.performance is not None
    assert (ROOT / example.analyses.lce.performance) == TABLE


def test_missing_downloads_are_told_one_by_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL13", str(tmp_path))
    with pytest.raises(Exception, match="expected an existing") as error:
        read_study(EXAMPLE)
    told = str(error.value)
    assert told.count("weights.path") == 14 and "datasets.broden.path" in told and "Traceback" not in told


def test_all_fourteen_are_loaded_without_a_key_left_over(study: Study) -> None:
    digests, scales = {}, {}
    for name in study.models:
        loaded = load_model(json.loads(study.model_spec(name)))
        assert len(loaded.report.used) == 265 and not loaded.report.missing and not loaded.report.unexpected
        digests[name], scales[name] = loaded.weights_digest, loaded.preprocessing.mean
        assert loaded.preprocessing.size == (224, 224) and loaded.preprocessing.interpolation == "bicubic"
    assert len(set(digests.values())) == 14
    assert [name for name, mean in scales.items() if mean is None] == ["SimCLR-v1", "SimCLR-v2"]


def test_simclr_sees_pixels_in_0_to_1(study: Study) -> None:
    """One white image: 1 in every channel for SimCLR, the normalised value for the others."""
    white = torch.full((1, 224, 224, 3), 255, dtype=torch.uint8)
    for name, expected in (("SimCLR-v1", [1, 1, 1]), ("SimCLR-v2", [1, 1, 1]), ("MoCo-v2", [2.2489, 2.4286, 2.64])):
        entered = load_model(json.loads(study.model_spec(name))).preprocessing.normalise(white)
        np.testing.assert_allclose(entered.amax(dim=(0, 2, 3)), expected, atol=1e-3)


def test_broden_is_dissected_and_the_models_embedded(dissected: Path, study: Study) -> None:
    vectors = read_table(dissected / "vectors.csv")
    assert set(vectors["model"]) == set(study.models) and set(vectors["layer"]) == {"layer4"}
    assert vectors["detectors"].sum() > 14
    assert {"object", "scene", "texture", "part", "material", "color"} >= set(vectors["category"])
    pairs = read_table(dissected / "distances.csv")
    assert (pairs["distance"] == "euclidean").sum() == 14 * 13 / 2 and (pairs["value"] >= 0).all()
    assert store.read_attributes(dissected / "lce.h5")["images"] == IMAGES
    match = read_table(dissected / "families.csv")
    assert match["models"][0] == 14 and match["families"][0] == 4


def test_concepts_are_crossed_with_the_published_results(dissected: Path, study: Study) -> None:
    table = read_table(dissected / "performance.csv", text=["covariate"])
    assert (table["models"] == 14).all()
    assert {"many_shot_linear", "few_shot_5way5shot", "detection_frozen", "semantic_segmentation"} <= set(table["task"])
    # Pearson and Spearman, plain and with the accuracy on ImageNet held constant.
    kinds = set(zip(table["method"].tolist(), table["covariate"].tolist(), strict=True))
    assert kinds == {(m, c) for m in ("pearson", "spearman") for c in ("", study.analyses.lce.covariate)}
    undefined = np.isnan(table["r"])
    assert set(table["reason"][undefined]) <= {"predictor is constant", "predictor is determined by the covariate"}
    assert not undefined.all()
    tasks = read_table(dissected / "tasks.csv")
    assert set(np.round(tasks["needed_alone"], 3)) == {0.532, 0.553}
    # With random weights nothing can go with the results of the trained networks but by chance.
    assert np.nanmin(table["p_adjusted"]) > 0.01


@pytest.mark.workflow
def test_the_workflow_plans_the_study(study: Study, snakemake: Callable[..., CompletedProcess[str]]) -> None:
    folder = Path(study.paths.results).parent
    told = snakemake("report", "--dry-run", "--forceall", folder=folder, study=folder / "study.yaml").stdout
    jobs = dict(re.findall(r"^(\w+)\s+(\d+)$", told.split("Job stats:")[1].split("total")[0], re.MULTILINE))
    assert (
        jobs["tally_concepts"] == "14" and jobs["embed_models"] == "1" and jobs["compare_models"] == str(14 * 15 // 2)
    )
    assert len({name.partition("_broden")[0] for name in jobs if name.startswith("extract_")}) == 14
    assert not {"probe_model", "score_model", "train_model"} & set(jobs)


def test_nothing_claims_to_reproduce_the_paper(dissected: Path) -> None:
    written = [EXAMPLE.read_text(encoding="utf-8"), (ROOT / "docs" / "lce.md").read_text(encoding="utf-8")]
    written += [path.read_text(encoding="utf-8") for path in dissected.glob("*.csv")]
    assert len(written) > 10 and not any("reproduc" in text.lower() for text in written)

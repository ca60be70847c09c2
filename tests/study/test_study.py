"""Answers to the workflow's questions: which files, which data set for which analysis, which settings."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.study import Study, load_study, study
from intermodel.study.__main__ import summary
from intermodel.study.load import read_study
from intermodel.study.paths import Paths
from intermodel.study.schema import Analyses, Concepts

ROOT = Path(__file__).resolve().parents[2]
Small = Callable[..., dict[str, Any]]
CONTROL = {"architecture": "resnet18", "layers": ["layer4"], "control": True}


def test_auto_takes_the_data_sets_that_serve(small: Small, tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    loaded = load_study(small({"datasets/photos": {"source": "folder", "path": str(tmp_path)}}))
    assert loaded.datasets_for("similarity") == ["scenes", "shifted", "photos"]
    for analysis in ("concepts", "unit_matching", "lce", "probe", "quality"):
        assert loaded.datasets_for(analysis) == ["scenes", "shifted"]
    assert not loaded.has_masks("photos")
    assert not loaded.has_labels("photos")


def test_analyses_can_be_left_out(small: Small) -> None:
    loaded = load_study(small({f"analyses/{name}": {"datasets": []} for name in Analyses.model_fields}))
    assert [loaded.datasets_for(name) for name in Analyses.model_fields] == [[]] * len(Analyses.model_fields)


def test_chosen_data_sets_keep_the_order_of_the_study(small: Small) -> None:
    loaded = load_study(small({"analyses/similarity": {"datasets": ["shifted", "scenes"]}}))
    assert loaded.datasets_for("similarity") == ["scenes", "shifted"]


def test_what_builds_on_an_analysis_follows_its_data_sets(small: Small) -> None:
    loaded = load_study(
        small({"analyses/concepts": {"datasets": ["scenes"]}, "analyses/probe": {"datasets": ["shifted"]}})
    )
    assert loaded.datasets_for("lce") == ["scenes"]
    assert loaded.datasets_for("quality") == ["shifted"]


def test_one_model_is_no_embedding(small: Small) -> None:
    raw = small()
    del raw["models"]["vit"]
    assert load_study(raw).datasets_for("lce") == []
    assert load_study(raw).datasets_for("unit_matching") == []


def test_units_are_matched_where_maps_are_kept(small: Small, tmp_path: Path) -> None:
    (tmp_path / "1.png").touch()
    photos = {"datasets/photos": {"source": "folder", "path": str(tmp_path)}}
    assert load_study(small(photos)).datasets_for("unit_matching") == ["scenes", "shifted"]
    pooled = load_study(small(photos | {"analyses/unit_matching": {"over": "pooled"}}))
    assert pooled.datasets_for("unit_matching") == ["scenes", "shifted", "photos"]


def test_labels_of_folders_and_arrays_are_looked_up(small: Small, tmp_path: Path) -> None:
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.png").touch()
    np.savez(tmp_path / "labelled.npz", x_train=np.zeros(2), y_train=np.zeros(2))
    np.savez(tmp_path / "bare.npz", images=np.zeros(2))
    with h5py.File(tmp_path / "labelled.h5", "w") as file:
        file["images"], file["labels"] = np.zeros(2), np.zeros(2)
    arrays = {name: {"source": "arrays", "path": str(tmp_path / name)} for name in ("labelled.npz", "bare.npz")}
    arrays |= {"hdf5": {"source": "arrays", "path": str(tmp_path / "labelled.h5")}}
    folder = {"source": "folder", "path": str(tmp_path / "photos")}
    loaded = load_study(
        small({"datasets": {**arrays, "classes": folder, "flat": folder | {"layout": "flat"}}})
        | {"models": {"resnet": {"architecture": "resnet18", "layers": ["layer4"]}}}
    )
    assert [name for name in loaded.datasets if loaded.has_labels(name)] == ["labelled.npz", "hdf5", "classes"]


def test_every_pair_occurs_once_and_every_model_with_itself(small: Small) -> None:
    loaded = load_study(small({"models/aaa": CONTROL}))
    assert loaded.pairs() == [
        *(("aaa", "aaa"), ("aaa", "resnet"), ("aaa", "vit")),
        *(("resnet", "resnet"), ("resnet", "vit"), ("vit", "vit")),
    ]
    assert loaded.controls == ["aaa"]
    assert loaded.layers("resnet") == ["layer3", "layer4"]


def test_settings_are_one_string_with_the_seed(small: Small) -> None:
    loaded = load_study(small({"seed": 7, "analyses/concepts": {"tail": 0.01}}))
    text = loaded.settings("concepts", "tail", "seed", layer="layer4")
    assert text == '{"layer": "layer4", "seed": 7, "tail": 0.01}'
    everything = json.loads(loaded.settings("concepts"))
    assert set(everything) == set(Concepts.model_fields) - {"datasets"} | {"seed"}
    with pytest.raises(KeyError):
        loaded.settings("concepts", "no_such_setting")


def answers(loaded: Study) -> dict[str, str]:
    """Everything that becomes a parameter of a job about `resnet` or `scenes`."""
    return {
        "dataset": loaded.dataset_spec("scenes"),
        "size": loaded.segmentation_size("scenes"),
        "model": loaded.model_spec("resnet"),
        "recipe": loaded.recipe("vit"),
        **{name: loaded.settings(name) for name in Analyses.model_fields},
    }


@pytest.mark.parametrize(
    "changes, different",
    [
        ({"models/other": CONTROL, "datasets/more": {"source": "scenes", "train": 4}}, set()),
        ({"models/resnet/layers": ["layer1"], "models/resnet/title": "x", "models/resnet/family": "y"}, set()),
        ({"models/resnet/citation": "z", "datasets/scenes/title": "Scenes", "name": "renamed"}, set()),
        ({"analyses/concepts": {"datasets": ["scenes"]}, "compute/device": "cpu", "report/title": "x"}, set()),
        ({"datasets/scenes/segmentation_size": 32}, {"size"}),
        ({"models/resnet/kwargs": {"num_classes": 0}}, {"model"}),
        ({"models/resnet/weights": {"source": "random", "seed": 2}}, {"model"}),
        ({"datasets/scenes/train": 65}, {"dataset"}),
        ({"analyses/concepts": {"tail": 0.01}}, {"concepts"}),
        ({"models/vit/weights": {"source": "train", "objective": "byol", "dataset": "scenes"}}, {"recipe"}),
        ({"seed": 1}, {"recipe", *Analyses.model_fields}),
    ],
)
def test_jobs_see_only_what_they_depend_on(small: Small, changes: dict[str, Any], different: set[str]) -> None:
    """An edit of the study runs exactly what depends on it."""
    before, after = answers(load_study(small())), answers(load_study(small(changes)))
    assert {name for name in before if before[name] != after[name]} == different


def test_the_order_of_keys_means_nothing(small: Small) -> None:
    def backwards(value: Any) -> Any:
        return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    raw = small({"models/resnet/kwargs": {"b": 1, "a": {"d": 2, "c": 3}}})
    assert answers(load_study(backwards(raw))) == answers(load_study(raw))


def test_weights_that_the_study_trains_are_told_by_their_file(small: Small) -> None:
    loaded = load_study(small())
    assert json.loads(loaded.model_spec("vit"))["weights"] == {"source": "train"}
    recipe = json.loads(loaded.recipe("vit"))
    assert (recipe["model"], recipe["seed"], recipe["recipe"]["objective"]) == ("vit", 0, "simclr")
    assert "dataset" not in recipe["recipe"]
    with pytest.raises(UserError, match=r"models\.resnet is not trained by this study; its weights are random"):
        loaded.recipe("resnet")


def test_the_description_names_everything_in_order(small: Small) -> None:
    described = json.loads(load_study(small({"models/aaa": CONTROL, "models/vit/title": "A ViT"})).describe())
    assert [(model["name"], model["title"], model["family"]) for model in described["models"]] == [
        *(("resnet", "resnet", "model"), ("vit", "A ViT", "model"), ("aaa", "aaa", "control"))
    ]
    assert "shifted" not in json.dumps(described)  # another data set changes nothing for this one


def test_fewer_measures_need_no_other_choice_of_intervals(small: Small) -> None:
    loaded = load_study(small({"analyses/similarity": {"measures": ["cka", "svcca"]}}))
    assert loaded.analyses.similarity.interval_measures == ["svcca"]


def test_results_may_lie_where_a_variable_says(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERMODEL_SCRATCH", "/scratch/me")
    assert load_study(small({"results": "${INTERMODEL_SCRATCH}/study/"})).paths.results == "/scratch/me/study"
    monkeypatch.delenv("INTERMODEL_SCRATCH")
    with pytest.raises(UserError, match=r"results: .* needs the environment variable INTERMODEL_SCRATCH"):
        load_study(small({"results": "${INTERMODEL_SCRATCH}/study/"}))


NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,5}", fullmatch=True)


@given(NAME, NAME, NAME, NAME)
def test_no_two_things_share_a_file(dataset: str, a: str, b: str, layer: str) -> None:
    paths = Paths("results")
    assert paths.pair(dataset, a, b) == paths.pair(dataset, b, a)
    assert paths.matches(dataset, a, b) == paths.matches(dataset, b, a)
    files = [
        *(paths.manifest(dataset), paths.images(dataset), paths.segmentation(dataset), paths.weights(a)),
        *(paths.history(a), paths.features(dataset, a, layer), paths.maps(dataset, a, layer)),
        *(paths.tally(dataset, a, layer), paths.basis(dataset, a, layer), paths.pair(dataset, a, b)),
        *(paths.probe(dataset, a), paths.quality(dataset, a), paths.lce(dataset), paths.report),
        *(paths.clip_words(), paths.clip_images(dataset), paths.clip_dissection(dataset, a, layer)),
        *([paths.matches(dataset, a, b)] if a != b else []),
        *(paths.table("concepts", "units", dataset), paths.figure("concepts", "units", dataset)),
        *(paths.log("extract", dataset, a), paths.benchmark("extract", dataset, a)),
    ]
    assert len(set(files)) == len(files)
    assert all(file.startswith("results/") and "//" not in file for file in files)


def test_every_path_takes_wildcards() -> None:
    paths = Paths("results")
    for name, method in inspect.getmembers(paths, inspect.ismethod):
        if name in ("__init__", "__eq__", "__hash__", "__repr__", "__setattr__", "__delattr__"):
            continue
        free = [p.name for p in inspect.signature(method).parameters.values() if p.default == f"{{{p.name}}}"]
        given_names = {
            p.name: "x"
            for p in inspect.signature(method).parameters.values()
            if p.default is p.empty and p.kind is not p.VAR_POSITIONAL
        }
        assert all(f"{{{wildcard}}}" in method(**given_names) for wildcard in free), name


@pytest.mark.parametrize("file", sorted((ROOT / "config").glob("**/*.yaml")), ids=lambda file: file.stem)
def test_studies_of_the_repository_are_right(file: Path) -> None:
    loaded = read_study(file, check_files=False)
    assert loaded.results.startswith("results")
    assert yaml.safe_load(file.read_text())["name"] == loaded.name


HEAVY = """
import sys
import intermodel.engine.code_hash, intermodel.engine.device, intermodel.engine.plan
from intermodel.study.load import read_study

read_study(sys.argv[1], check_files=False)
heavy = {"torch", "torchvision", "timm", "sklearn", "scipy", "pandas", "matplotlib", "seaborn", "numpy", "h5py", "PIL"}
print(sorted(heavy & set(sys.modules)))
"""


def test_the_workflow_starts_without_heavy_packages() -> None:
    """Snakemake parses the study in every job: what it imports must be light."""
    result = subprocess.run(
        [sys.executable, "-c", HEAVY, str(ROOT / "config" / "study.yaml")],
        env={"PYTHONPATH": str(Path(study.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "[]\n"


def test_titles_do_not_depend_on_layers(small: Small) -> None:
    one = load_study(small())
    fewer = load_study(small({"models/resnet/layers": ["layer1"]}))
    assert one.titles() == fewer.titles()
    assert one.describe() != fewer.describe()
    assert {entry["name"] for entry in json.loads(one.titles())["models"]} == set(one.models)


def test_a_study_in_a_few_lines(small: Small) -> None:
    loaded = load_study(small({"analyses/similarity": {"datasets": ["shifted"]}}))
    assert summary(loaded).splitlines() == [
        "small: 2 models with 3 layers, in results",
        "  scenes: concepts, unit_matching, probe, quality, lce",
        "  shifted: concepts, similarity, unit_matching, probe, quality, lce",
    ]


def test_the_command_tells_a_missing_file(tmp_path: Path) -> None:
    """Snakemake would answer with a traceback, and without a place for a slip of YAML."""
    (tmp_path / "tab.yaml").write_text("name: x\nmodels:\n\ta: 1\n")

    def check(file: str) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "intermodel.study", file],
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(study.__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 1
        assert "Traceback" not in result.stderr
        return result.stderr

    assert check("nothing.yaml") == "nothing.yaml does not exist; give the path of a study file (YAML).\n"
    assert "tab.yaml is not valid YAML" in check("tab.yaml")
    assert "line 3, column 1" in check("tab.yaml")

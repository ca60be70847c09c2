"""Results of what was taken out of a study: all of them, nothing else, and never outside the results folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from intermodel.engine.shards import shard_path
from intermodel.store import create
from intermodel.study import Study, load_study
from intermodel.study.leftovers import Leftover, leftovers, remove

ROOT = Path(__file__).resolve().parents[2]
Small = Callable[..., dict[str, Any]]


def files_of(study: Study) -> list[str]:
    """Names of the files that a finished study has made."""
    paths, files = (
        study.paths,
        [study.paths.report, study.paths.log("write_report"), study.paths.benchmark("write_report")],
    )
    for dataset in study.datasets:
        files += [paths.manifest(dataset), paths.images(dataset), paths.segmentation(dataset), paths.lce(dataset)]
        files += [paths.table("concepts", "units", dataset), paths.figure("concepts", "overview", dataset)]
        files += [paths.log("make_manifest", dataset), f"{paths.results}/similarity/{dataset}/intervals.h5"]
        files += [paths.pair(dataset, a, b) for a, b in study.pairs()]
        files += [paths.matches(dataset, a, b) for a, b in study.pairs() if a != b]
        files += [paths.log("match_models", dataset, f"{a}__{b}") for a, b in study.pairs() if a != b]
        files += [paths.benchmark("compare_models", dataset, f"{a}__{b}") for a, b in study.pairs()]
        files += [paths.clip_images(dataset), paths.clip_words(), paths.log("embed_images", dataset)]
        for model in study.models:
            files.append(paths.clip_dissection(dataset, model, study.layers(model)[-1]))
            files += [paths.probe(dataset, model), paths.quality(dataset, model), paths.auroc(dataset, model)]
            files.append(paths.compositions(dataset, model))
            files += [paths.figure("concepts", f"gallery-{model}", dataset, suffix) for suffix in ("svg", "webp")]
            shards = study.datasets[dataset].shards
            for kind in ("new", "have"):
                names = [f".{number}-of-{shards}" for number in range(1, shards + 1)] if shards > 1 else [""]
                files += [paths.log("extract_features", dataset, f"{model}.{kind}{name}") for name in names]
            files += [paths.benchmark("probe_model", dataset, model)]
            for layer in study.layers(model):
                files += [paths.features(dataset, model, layer), paths.maps(dataset, model, layer)]
                files += [paths.tally(dataset, model, layer), paths.basis(dataset, model, layer)]
                files += [paths.log("tally_concepts", dataset, model, layer)]
                for number in range(1, shards + 1):
                    for end in (".h5", ".maps.h5", ".part.h5", ".maps.part.h5"):
                        name = f"{'.' if 'part' in end else ''}{layer}{end}"
                        path = f"{paths.results}/features/{dataset}/{model}/{name}"
                        files += [shard_path(path, number, shards)]
                if shards > 1:
                    files += [paths.log("join_shards", dataset, model, name) for name in (layer, f"{layer}.maps")]
                    files += [paths.benchmark("join_shards", dataset, model, f"{layer}.maps")]
    for model in study.models:
        if study.models[model].weights.source == "train":
            files += [paths.weights(model), paths.history(model), paths.log("train_model", model)]
    return files


@pytest.fixture
def make(small: Small, tmp_path: Path) -> Callable[..., Study]:
    """A study whose results lie in the test's folder, with all its files."""

    def build(changes: dict[str, Any] | None = None, files: bool = True) -> Study:
        study = load_study(small({"results": str(tmp_path / "results")} | (changes or {})))
        for file in files_of(study) if files else []:
            Path(file).parent.mkdir(parents=True, exist_ok=True)
            Path(file).write_text("x")
        return study

    return build


OTHER = {
    "datasets/scenes/shards": 3,
    "models/old.net-2": {"architecture": "resnet18", "layers": ["layer1.0", "layer4"]},
    "models/trained": {
        "architecture": "resnet18",
        "weights": {"source": "train", "objective": "byol", "dataset": "scenes"},
        "layers": ["layer4"],
    },
}


def test_a_finished_study_has_no_leftovers(make: Callable[..., Study]) -> None:
    assert leftovers(make(OTHER)) == []


def test_models_that_were_taken_out(make: Callable[..., Study], tmp_path: Path) -> None:
    before, study = set(files_of(make(OTHER))), make({"datasets/scenes/shards": 3})
    found = leftovers(study)
    assert {str(leftover.path) for leftover in found} == before - set(files_of(study))
    assert {leftover.owner for leftover in found} == {"model old.net-2", "model trained", "model or data set trained"}
    remove(found, study.paths.results)
    left = {str(path) for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert left == set(files_of(study))
    assert not (tmp_path / "results" / "features" / "scenes" / "old.net-2").exists()


def test_data_sets_that_were_taken_out(make: Callable[..., Study]) -> None:
    before = set(files_of(make({"datasets/photos-2": {"source": "scenes", "train": 4, "test": 4}})))
    study = make()
    found = leftovers(study)
    assert {str(leftover.path) for leftover in found} == before - set(files_of(study))
    assert {leftover.owner for leftover in found} == {"data set photos-2", "model or data set photos-2"}


def test_layers_that_were_taken_out(make: Callable[..., Study]) -> None:
    before = set(files_of(make({"models/resnet/layers": ["layer3", "layer4", "layer1.0.conv1"]})))
    study = make()
    found = leftovers(study)
    assert {str(leftover.path) for leftover in found} == before - set(files_of(study))
    assert {leftover.owner for leftover in found} == {"layer layer1.0.conv1 of resnet"}


def test_shards_of_another_number(make: Callable[..., Study]) -> None:
    study = make({"datasets/scenes/shards": 3})
    assert leftovers(study) == []
    # Nothing is finished yet: the new number counts.
    changed = make({"datasets/scenes/shards": 2}, files=False)
    former = [leftover for leftover in leftovers(changed) if "/shards/" in str(leftover.path)]
    assert len(former) == 3 * 3 * 4
    assert {leftover.owner for leftover in former} == {
        "former shards of resnet on scenes",
        "former shards of vit on scenes",
    }
    # A finished file keeps the shards that it consists of.
    file = study.paths.features("scenes", "resnet", "layer3")
    with create(file, shards={f"shards/{number}-of-3/layer3.h5": 0 for number in (1, 2, 3)}):
        pass
    left = [leftover for leftover in leftovers(changed) if "/shards/" in str(leftover.path)]
    kept = {str(leftover.path) for leftover in former} - {str(leftover.path) for leftover in left}
    assert {Path(path).name for path in kept} == {"layer3.h5", ".layer3.part.h5"}
    with create(file):
        pass
    assert len([leftover for leftover in leftovers(study) if "/shards/" in str(leftover.path)]) == 6


def test_what_the_workflow_did_not_make_is_left_alone(make: Callable[..., Study], tmp_path: Path) -> None:
    """Other studies below the same folder, notes of the user's, and whatever a link leads to."""
    study = make()
    results = tmp_path / "results"
    (results / "other-study" / "features" / "scenes" / "swav").mkdir(parents=True)
    (results / "other-study" / "features" / "scenes" / "swav" / "layer4.h5").touch()
    (results / "notes.txt").touch()
    (tmp_path / "elsewhere" / "gone").mkdir(parents=True)
    (tmp_path / "elsewhere" / "gone" / "layer4.h5").touch()
    (results / "features" / "scenes" / "link").symlink_to(tmp_path / "elsewhere")
    assert leftovers(study) == []
    (results / "features").rename(tmp_path / "moved")
    (results / "features").symlink_to(tmp_path / "moved")
    assert leftovers(make({"models/vit": "(removed)"}, files=False)) != []
    assert not [found for found in leftovers(study) if "features/" in str(found.path)]


def test_nothing_outside_the_results_is_ever_removed(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    outside = tmp_path / "weights.pth"
    outside.touch()
    (tmp_path / "results" / "link").symlink_to(tmp_path)
    for path in (outside, tmp_path / "results" / ".." / "weights.pth", tmp_path / "results" / "link" / "weights.pth"):
        with pytest.raises(ValueError, match="does not lie inside"):
            remove([Leftover("model x", path)], tmp_path / "results")
    assert outside.exists()


def test_the_command_lists_first(make: Callable[..., Study], small: Small, tmp_path: Path) -> None:
    make(OTHER)
    study = tmp_path / "study.yaml"
    study.write_text(yaml.safe_dump(small({"results": str(tmp_path / "results")})))
    weights = tmp_path / "results" / "training" / "trained.safetensors"

    def clean(*arguments: str) -> str:
        script = ROOT / "workflow" / "scripts" / "clean_results.py"
        return subprocess.run(
            [sys.executable, script, study, *arguments], capture_output=True, text=True, check=True
        ).stdout

    listed = clean()
    assert f"  {weights}\n" in listed
    assert "can be removed (make clean-results REMOVE=1).\n" in listed
    assert weights.exists()
    assert clean("--remove").endswith("were removed.\n")
    assert not weights.exists()
    assert clean() == f"{tmp_path}/results holds nothing that {study} does not ask for.\n"

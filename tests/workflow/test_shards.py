"""Sharded extraction inside the workflow: the same results in more jobs, and only what is missing runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from features.test_shards import same
from intermodel import store
from intermodel.engine.errors import UserError
from small_project import SmallProject

TINY = Path(__file__).with_name("tiny.yaml")
ANALYSES = ("concepts", "similarity", "unit_matching", "probe", "quality", "lce")

pytestmark = pytest.mark.workflow


class Project(SmallProject):
    """One untrained network on images in two shards."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {})
        self.reset()

    def reset(self) -> None:
        tiny = yaml.safe_load(TINY.read_text())
        self.study = tiny | {
            "datasets": {"scenes": {"source": "scenes", "train": 120, "test": 60, "size": 32, "shards": 2}},
            "models": {"vit": tiny["models"]["vit"] | {"layers": ["blocks.0"]}},
            "analyses": {name: {"datasets": []} for name in ANALYSES if name != "concepts"},
        }

    @property
    def features(self) -> Path:
        return self.folder / "results" / "features" / "scenes"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("shards"))
    # This machine has no GPU to lease, or one: a rule that asks for one runs either way.
    project.snakemake("features", "--set-resources", "extract_vit_scenes_new_1_of_2:gpu=1")
    return project


@pytest.fixture
def project(finished: Project) -> Iterator[Project]:
    yield finished
    finished.reset()


def test_every_shard_is_a_job_with_its_own_file_and_benchmark(finished: Project) -> None:
    results = finished.folder / "results"
    for number in (1, 2):
        assert (finished.features / "vit" / "shards" / f"{number}-of-2" / "blocks.0.maps.h5").is_file()
        name = f"vit.new.{number}-of-2"
        assert (results / "benchmarks" / "extract_features" / "scenes" / f"{name}.tsv").is_file()
        assert "used" in (results / "logs" / "extract_features" / "scenes" / f"{name}.log").read_text()
    attributes = store.read_attributes(finished.features / "vit" / "blocks.0.h5")
    assert len(json.loads(attributes["shards"])) == 2
    assert attributes["device"].startswith(("cpu", "cuda: "))
    assert attributes["precision"] == "float32"


def test_the_results_are_those_of_one_shard_wherever_they_lie(finished: Project, tmp_path: Path) -> None:
    plain = Project(tmp_path)
    plain.study["datasets"]["scenes"]["shards"] = 1
    plain.snakemake("features")
    moved = tmp_path / "moved"
    shutil.copytree(finished.features, moved)
    for name in ("vit/blocks.0.h5", "vit/blocks.0.maps.h5"):
        same(plain.features / name, finished.features / name)
        same(plain.features / name, moved / name)


def test_a_finished_study_has_nothing_to_do(project: Project) -> None:
    assert project.jobs("features") == {}


@pytest.mark.parametrize("shards", [1, 3])
def test_what_is_finished_keeps_its_shards(project: Project, shards: int) -> None:
    project.study["datasets"]["scenes"]["shards"] = shards
    assert project.jobs("features") == {}
    project.study["models"]["vit"]["layers"] = ["blocks.0", "norm"]
    new = {f"extract_vit_scenes_new_{number}_of_3": 1 for number in (1, 2, 3)} | {"join_shards": 2}
    assert project.jobs("features") == (new if shards == 3 else {"extract_vit_scenes_new": 1})


def test_a_further_layer_or_model_runs_only_its_own_shards(project: Project) -> None:
    project.study["models"]["vit"]["layers"] = ["blocks.0", "norm"]
    project.study["models"]["other"] = project.study["models"]["vit"] | {"weights": {"source": "random", "seed": 9}}
    passes = [f"extract_{model}_scenes_new_{number}_of_2" for model in ("vit", "other") for number in (1, 2)]
    assert project.jobs("features") == dict.fromkeys(passes, 1) | {"join_shards": 6}


@pytest.mark.parametrize("change", ["model", "data set", "precision"])
def test_what_is_made_anew_is_made_in_the_shards_that_are_asked_for_now(project: Project, change: str) -> None:
    project.study["datasets"]["scenes"]["shards"] = 3
    if change == "model":
        project.study["models"]["vit"]["weights"]["seed"] = 5
    if change == "data set":
        project.study["datasets"]["scenes"]["seed"] = 5
    if change == "precision":
        project.study["compute"] = {"precision": "bfloat16"}
    manifest = {"make_manifest_scenes": 1} if change == "data set" else {}
    passes = [f"extract_vit_scenes_new_{number}_of_3" for number in (1, 2, 3)]
    assert project.jobs("features") == dict.fromkeys(passes, 1) | {"join_shards": 2} | manifest


def test_a_lost_shard_is_told_and_only_it_is_made_again(project: Project) -> None:
    file = project.features / "vit" / "blocks.0.maps.h5"
    with store.Maps(file) as maps:
        before = maps.images(0, 180)
    (project.features / "vit" / "shards" / "2-of-2" / file.name).unlink()
    with pytest.raises(UserError, match=r"of which .*2-of-2/blocks.0.maps.h5 is missing"):
        store.Maps(file)
    assert project.jobs("features") == {"extract_vit_scenes_new_2_of_2": 1, "join_shards": 1}
    project.snakemake("features")
    with store.Maps(file) as maps:
        assert (maps.images(0, 180) == before).all()
    assert project.jobs("features") == {}


def test_more_shards_than_images_are_refused(project: Project) -> None:
    project.study["datasets"]["scenes"]["shards"] = 181
    output = project.snakemake("features", "--dry-run", code=1)
    assert "datasets.scenes.shards: found 181, expected at most one for each of 180 images" in output

"""What a study will cost: the jobs that the workflow would start, work and bytes of what is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from intermodel.engine.shards import shard_path
from intermodel.study import Study, load_study
from intermodel.study.estimate import SUMMARIES, Cost, DatasetSize, estimate, format_costs, total, unfinished

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests" / "workflow" / "tiny.yaml"


@dataclass(frozen=True)
class Measured:
    seconds: float
    shapes: dict[str, tuple[int, int, int]]


def tiny(**changes: Any) -> Study:
    return load_study(yaml.safe_load(TINY.read_text(encoding="utf-8")) | changes)


def measured(study: Study, seconds: float = 0.01) -> dict[str, Measured]:
    return {model: Measured(seconds, dict.fromkeys(study.layers(model), (16, 4, 4))) for model in study.models}


def costs(study: Study, present: Iterable[str] = (), seconds: float = 0.01) -> dict[str, Cost]:
    sizes = {name: DatasetSize(180, 5, 1024) for name in study.datasets}
    rows = estimate(study, sizes, measured(study, seconds), 1e10, set(present).__contains__)
    return {cost.name: cost for cost in rows}


def features(study: Study, model: str) -> list[str]:
    paths = study.paths
    return [
        file
        for layer in study.layers(model)
        for file in (paths.features("scenes", model, layer), paths.maps("scenes", model, layer))
    ]


def everything(study: Study) -> set[str]:
    """All files whose absence costs something."""
    paths = study.paths
    files = [paths.manifest("scenes"), paths.segmentation("scenes"), paths.patterns("scenes"), paths.report]
    files += [paths.table(name, "findings", "scenes") for name in SUMMARIES]
    files += [paths.matches("scenes", a, b) for a, b in study.pairs() if a != b]
    files += [paths.pair("scenes", a, b) for a, b in study.pairs()]
    for model in study.models:
        files += [paths.weights(model), paths.probe("scenes", model), paths.quality("scenes", model)]
        files += [paths.auroc("scenes", model), paths.compositions("scenes", model)]
        files += features(study, model)
        for layer in study.layers(model):
            files += [paths.tally("scenes", model, layer), paths.basis("scenes", model, layer)]
    return set(files)


@pytest.mark.workflow
@pytest.mark.parametrize("shards", [1, 3])
def test_jobs_are_those_of_the_workflow(
    snakemake: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, shards: int
) -> None:
    study = yaml.safe_load(TINY.read_text(encoding="utf-8")) | {"results": str(tmp_path / "results")}
    study["datasets"]["scenes"]["shards"] = shards
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    # In the project's own folder, which remembers the layers of these networks.
    output = snakemake("all", "--dry-run", folder=ROOT, study=file).stdout
    found = re.search(r"^total\s+(\d+)$", output, re.MULTILINE)
    assert found is not None, output
    collecting = 1  # `all` itself
    assert total(costs(load_study(study)).values()).jobs == int(found[1]) - collecting


def test_nothing_missing_costs_nothing() -> None:
    study = tiny()
    assert costs(study, everything(study)) == {}
    assert unfinished(study, everything(study).__contains__) == []
    assert unfinished(study, lambda file: False) == list(study.models)


@pytest.mark.parametrize("model", ["trained", "untrained", "vit"])
def test_a_missing_model_costs_its_own_jobs_its_pairs_and_the_summaries(model: str) -> None:
    study = tiny()
    own = {file for file in everything(study) if f"/{model}/" in file or f"/{model}." in file}
    own |= {study.paths.pair("scenes", model, other) for other in study.models}
    own |= {study.paths.matches("scenes", model, other) for other in study.models}
    found = costs(study, everything(study) - own)
    assert set(found) == {model, "pairs, summaries"}
    layers = len(study.layers(model))
    trained = int(model == "trained")
    assert found[model].jobs == trained + 1 + 2 * layers + 4
    assert found[model].images == 180
    assert found[model].bytes > 180 * layers * (16 * 4 + 16 * 4 * 4 * 2)
    assert found["pairs, summaries"].jobs == 3 + 2 + 2 + 3 + 2 + 2 + 2 + 2 + 1
    assert unfinished(study, (everything(study) - own).__contains__) == [model]


def test_a_missing_layer_costs_one_pass_and_its_bytes() -> None:
    study = tiny()
    layer = features(study, "vit")[:2]
    found = costs(study, everything(study) - set(layer))
    # One pass, the layer's tally and basis, and what reads all layers: AUROC, probe, scores.
    assert found["vit"].jobs == 6
    assert found["vit"].bytes - costs(study, everything(study) - {layer[1]})["vit"].bytes == 180 * 16 * 4


def sharded(shards: int) -> Study:
    study = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    study["datasets"]["scenes"]["shards"] = shards
    return load_study(study)


def test_shards_cost_a_start_each_and_no_image_more() -> None:
    study = sharded(3)
    plain, found = costs(tiny())["vit"], costs(study)["vit"]
    # Two jobs more, and four files to join.
    assert found.jobs == plain.jobs + 2 + 4
    assert (found.images, found.bytes) == (plain.images, plain.bytes)
    left = costs(study, {shard_path(file, 2, 3) for file in features(study, "vit")})["vit"]
    assert (left.images, left.jobs) == (120, found.jobs - 1)
    assert found.bytes - left.bytes == 60 * 2 * (16 * 4 + 16 * 4 * 4 * 2)


def test_work_follows_images_and_steps() -> None:
    study = tiny()
    slow, fast = costs(study, seconds=1.0), costs(study, seconds=0.0)
    assert slow["vit"].seconds - fast["vit"].seconds == pytest.approx(180)
    steps = 5 * 16 * 3.5
    assert slow["trained"].seconds - fast["trained"].seconds == pytest.approx(180 + steps)


def test_analyses_that_are_left_out_cost_nothing() -> None:
    nothing = {name: {"datasets": []} for name in SUMMARIES}
    found = costs(tiny(analyses=nothing))
    assert found["vit"].jobs == 1
    assert found["vit"].bytes == 180 * 2 * 16 * 4
    assert found["pairs, summaries"].jobs == 1


def test_names_by_clip_cost_nothing_until_weights_are_given() -> None:
    analyses = yaml.safe_load(TINY.read_text(encoding="utf-8"))["analyses"]
    clip = {"weights": __file__, "words": ["sky", "tree"]}
    plain, named = (total(costs(tiny(analyses=analyses | more)).values()) for more in ({}, {"clip_dissect": clip}))
    # Images, words, one layer of each model, tables, figures.
    assert named.jobs - plain.jobs == 1 + 1 + 3 + 2
    assert named.images - plain.images == 180
    assert named.seconds - plain.seconds > 180 * 1.8


def test_the_table_ends_with_the_total() -> None:
    rows = [Cost("a", 1000, 2, 61.0, 3_000_000), Cost("b", 0, 1, 2.0)]
    lines = format_costs(rows, total(rows)).splitlines()
    assert lines[0].split() == ["images", "jobs", "work", "disk"]
    assert lines[1].split() == ["a", "1,000", "2", "1:01", "3.0", "MB"]
    assert lines[-1].split() == ["total", "1,000", "3", "1:03", "3.0", "MB"]


def test_fewer_images_make_similarity_cheaper() -> None:
    def seconds(images: int | None) -> float:
        off = {name: {"datasets": []} for name in ("concepts", "unit_matching", "probe", "quality", "lce")}
        study = tiny(analyses=off | {"similarity": {"images": images}})
        sizes = {name: DatasetSize(50_000, 5, 1024) for name in study.datasets}
        return sum(cost.seconds for cost in estimate(study, sizes, measured(study), 1e8, lambda file: False))

    assert seconds(None) == seconds(60_000) > 1.5 * seconds(1000)


def test_a_data_set_that_is_not_there_can_be_assumed() -> None:
    command = [sys.executable, str(ROOT / "workflow" / "scripts" / "estimate_study.py")]
    example = str(ROOT / "config" / "examples" / "ssl13.yaml")
    for text in ("broden=many", "scenes=100", "broden=10x20"):
        result = subprocess.run([*command, example, "--assume", text], capture_output=True, text=True, check=False)
        assert result.returncode == 1 and "Traceback" not in result.stderr
        assert f"--assume is {text!r}, expected a data set of the study (broden)" in result.stderr


def test_vectors_of_auroc_cost_a_job_for_each_model() -> None:
    analyses = yaml.safe_load(TINY.read_text(encoding="utf-8"))["analyses"]
    drawn = {"lce": analyses["lce"] | {"variant": "soft_auroc"}}
    plain, more = (total(costs(tiny(analyses=analyses | part)).values()) for part in ({}, drawn))
    assert more.jobs - plain.jobs == 3
    assert more.seconds > plain.seconds

"""The whole workflow on the smallest study: its page, and what runs again when something changes, by name."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from opened_page import use_page
from small_project import SmallProject

TINY = Path(__file__).with_name("tiny.yaml")

pytestmark = pytest.mark.workflow


# What compares all models of a data set.
COMPARISONS = {
    "subsample_similarity": 1,
    "summarise_similarity": 1,
    "plot_similarity": 1,
    "summarise_concepts": 1,
    "plot_concepts": 1,
    "summarise_matches": 1,
    "plot_matches": 1,
    "summarise_probes": 1,
    "plot_probes": 1,
    "summarise_quality": 1,
    "plot_quality": 1,
    "embed_models": 1,
    "plot_lce": 1,
}
PAGE = {"write_report": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    project = SmallProject(tmp_path_factory.mktemp("study"), yaml.safe_load(TINY.read_text()), cores=2)
    project.snakemake("all")
    return project


@pytest.fixture
def project(finished: SmallProject) -> Iterator[SmallProject]:
    """The finished project; whatever a test changes in the study or the code is put back."""
    sources = {path: path.read_text() for path in (finished.folder / "workflow").rglob("*.py")}
    yield finished
    finished.study = yaml.safe_load(TINY.read_text())
    for path, text in sources.items():
        if path.read_text() != text:
            path.write_text(text)


def test_a_finished_study_has_nothing_to_do(project: SmallProject) -> None:
    assert project.jobs("all") == {}


def test_touched_files_and_another_order_change_nothing(project: SmallProject) -> None:
    for path in [project.folder / "Snakefile", *(project.folder / "rules").iterdir()]:
        path.touch()
    for path in (project.folder / "workflow" / "scripts").rglob("*.py"):
        path.touch()
    assert project.jobs("all") == {}


def test_a_further_layer(project: SmallProject) -> None:
    project.study["models"]["vit"]["layers"] = ["blocks.0", "blocks.1", "norm"]
    # Intervals and matches are those of the last layers, which have not changed.
    last = ("subsample_similarity", "summarise_matches", "plot_matches")
    comparisons = {name: count for name, count in COMPARISONS.items() if name not in last}
    assert project.jobs("all") == comparisons | PAGE | {
        "extract_vit_scenes_new": 1,
        "factorise_representation": 1,
        "compare_models": 3,
        "tally_concepts": 1,
        "score_concepts": 1,
        "probe_model": 1,
        "score_model": 1,
    }


def test_a_further_model(project: SmallProject) -> None:
    project.study["models"]["another"] = {
        **project.study["models"]["untrained"],
        "weights": {"source": "random", "seed": 7},
    }
    assert project.jobs("all") == COMPARISONS | PAGE | {
        "extract_another_scenes_new": 1,
        "factorise_representation": 2,
        "compare_models": 4,
        "match_models": 3,
        "tally_concepts": 2,
        "score_concepts": 1,
        "compose_concepts": 1,
        "probe_model": 1,
        "score_model": 1,
    }


def test_a_further_data_set(project: SmallProject) -> None:
    project.study["datasets"]["shifted"] = {**project.study["datasets"]["scenes"], "shift": "lighting"}
    for analysis in ("concepts", "unit_matching", "probe", "quality", "lce"):
        project.study["analyses"].setdefault(analysis, {})["datasets"] = ["scenes"]
    assert project.jobs("all") == PAGE | {
        "make_manifest_shifted": 1,
        "extract_trained_shifted_new": 1,
        "extract_untrained_shifted_new": 1,
        "extract_vit_shifted_new": 1,
        "factorise_representation": 6,
        "compare_models": 6,
        "subsample_similarity": 1,
        "summarise_similarity": 1,
        "plot_similarity": 1,
    }


def test_a_model_less(project: SmallProject) -> None:
    del project.study["models"]["vit"]
    assert project.jobs("all") == COMPARISONS | PAGE


def test_another_threshold_of_the_report_tallies_nothing_again(project: SmallProject) -> None:
    project.study["analyses"]["concepts"]["iou_threshold"] = 0.05
    assert project.jobs("all") == PAGE | {"summarise_concepts": 1, "plot_concepts": 1, "embed_models": 1, "plot_lce": 1}


def test_an_edited_docstring_changes_nothing(project: SmallProject) -> None:
    path = project.folder / "workflow/scripts/intermodel/similarity/pair.py"
    path.write_text(path.read_text().replace('"""', '"""Edited. ', 1) + "\n# A comment.\n")
    assert project.jobs("all") == {}


def test_an_edited_function_runs_what_imports_it(project: SmallProject) -> None:
    path = project.folder / "workflow/scripts/intermodel/similarity/pair.py"
    path.write_text(path.read_text() + "\nEDITED = True\n")
    jobs = project.jobs("all")
    assert jobs["compare_models"] == 6
    untouched = ("factorise_representation", "tally_concepts", "probe_model", "extract_vit_scenes_have")
    assert not set(untouched) & set(jobs), jobs


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        ("cut", "is not a readable HDF5 file ("),
        ("another model's", "holds layer 'layer4', model 'untrained' where layer 'norm', model 'vit' was expected;"),
    ],
)
def test_features_that_are_not_what_their_place_says(finished: SmallProject, damage: str, sentence: str) -> None:
    name = "results/features/scenes/vit/norm.h5"
    path = finished.folder / name
    content, times = path.read_bytes(), path.stat()
    other = (finished.folder / "results/features/scenes/untrained/layer4.h5").read_bytes()
    path.write_bytes(content[: len(content) // 2] if damage == "cut" else other)
    basis = "results/similarity/scenes/vit/norm.basis.h5"
    kept = (finished.folder / basis).read_bytes()
    readers = [basis, "results/probe/scenes/vit.h5"]
    output = finished.snakemake(*readers, code=1)
    assert output.count(f"error: {name} {sentence}") == 2
    assert "Traceback" not in output
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    finished.snakemake(*readers)
    assert finished.jobs("all") == {}
    assert (finished.folder / basis).read_bytes() == kept


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_works_in_a_browser(finished: SmallProject, chromium: str, width: int) -> None:
    used = use_page(chromium, finished.folder / "results" / "report" / "index.html", width)
    assert used.problems == []
    assert used.requests == []
    assert used.broken_images == []
    assert used.sections == ["map", "concepts", "similarity", "quality", "disagreement", "methods"]
    assert used.enlarged > 15
    assert used.sorted_tables > 15
    assert not used.wider_than_screen


def test_every_link_of_the_report_leads_somewhere(finished: SmallProject) -> None:
    page = finished.folder / "results" / "report" / "index.html"
    links = re.findall(r'href="(?!#|data:)([^"]+)"', page.read_text())
    assert len(links) > 15
    assert [link for link in links if not (page.parent / link).is_file()] == []


def test_the_engines_own_report_can_be_made(finished: SmallProject) -> None:
    finished.snakemake("--report", "own.zip")
    with zipfile.ZipFile(finished.folder / "own.zip") as archive:
        names = archive.namelist()
        page = archive.read("own/report.html").decode()
    figures = [name for name in names if name.endswith(".svg")]
    captions = re.findall(r'"caption": "((?:[^"\\]|\\.)*)"', page)
    assert len(figures) == len(captions) > 15
    assert all(len(caption) > 100 and "{{" not in caption for caption in captions)
    assert any("(scenes)" in caption for caption in captions)


def test_weights_trained_twice_are_the_same(finished: SmallProject) -> None:
    weights = finished.folder / "results" / "training" / "trained.safetensors"
    first = weights.read_bytes()
    finished.snakemake(str(weights.relative_to(finished.folder)), "--force")
    assert weights.read_bytes() == first
    finished.snakemake("all", "--touch")

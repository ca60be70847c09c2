"""The whole analysis inside a study: with a small CLIP model, and without one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clip_dissect.conftest import WORDS
from intermodel.csv_tables import read_table
from small_project import SmallProject

TINY = Path(__file__).parents[1] / "workflow" / "tiny.yaml"
OTHERS = ("concepts", "similarity", "unit_matching", "probe", "quality", "lce")

pytestmark = pytest.mark.workflow


class Project(SmallProject):
    """Two untrained networks on a few images."""

    def __init__(self, folder: Path, **clip: Any) -> None:
        tiny = yaml.safe_load(TINY.read_text())
        study = {
            "models": {name: tiny["models"][name] for name in ("untrained", "vit")},
            "analyses": {name: {"datasets": []} for name in OTHERS} | {"clip_dissect": clip},
        }
        super().__init__(folder, tiny | study, cores=2)


@pytest.fixture(scope="module")
def project(small_clip: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    config, weights = small_clip
    folder = tmp_path_factory.mktemp("clip-study")
    words = folder / "words.txt"
    words.write_text("\n".join(WORDS))
    yield Project(
        folder,
        model=str(config),
        weights=str(weights),
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        words=str(words),
        top_images=20,
        exemplars=10,
    )


def test_units_are_named_and_the_page_shows_it(project: Project) -> None:
    project.snakemake("clip_dissect", "report")
    results = project.folder / "results" / "clip_dissect" / "scenes"
    units = read_table(results / "units.csv", ("label", "label_within_layer", "second"))
    assert set(units["model"]) == {"untrained", "vit"}
    assert set(units["label"]) - {""} <= set(WORDS)
    assert len(read_table(results / "pairs.csv")["similarity"]) == 1
    page = (project.folder / "results" / "report" / "index.html").read_text()
    assert "Units named by CLIP" in page and "through CLIP" in page
    assert (results / "figures" / "gallery-vit.webp").stat().st_size > 10_000
    assert ((units["q"] > 0) & (units["stability"] <= 1))[units["label"] != ""].all()
    assert "CLIP-Dissect" in page
    assert "Nothing to be done" in project.snakemake("clip_dissect", "report")


def test_a_known_checkpoint_with_another_date_is_the_same(project: Project, small_clip: tuple[Path, Path]) -> None:
    small_clip[1].touch()
    assert "Nothing to be done" in project.snakemake("clip_dissect", "--dry-run")


def test_other_words_embed_no_image_again(project: Project) -> None:
    file = project.study["analyses"]["clip_dissect"]["words"]
    project.study["analyses"]["clip_dissect"]["words"] = WORDS[:4]
    output = project.snakemake("clip_dissect", "--dry-run")
    assert "embed_words" in output
    assert "dissect_with_clip" in output
    assert "embed_images" not in output.replace("embed_images.py", "")
    project.study["analyses"]["clip_dissect"]["words"] = file


def test_too_few_images_are_told_in_one_sentence(project: Project) -> None:
    project.study["analyses"]["clip_dissect"]["top_images"] = 180
    output = project.snakemake("clip_dissect", code=1)
    assert "error: analyses.clip_dissect.top_images is 180, but the data set holds 180 images" in output
    assert "Traceback" not in output
    project.study["analyses"]["clip_dissect"]["top_images"] = 20


def test_without_weights_one_sentence_says_what_to_configure(tmp_path: Path) -> None:
    output = Project(tmp_path).snakemake("clip_dissect")
    assert output.count("clip_dissect: nothing is configured; set analyses.clip_dissect.weights") == 1
    assert "Traceback" not in output
    assert not (tmp_path / "results" / "clip_dissect").exists()

"""Sections of the page, put together from the files of the capabilities."""

from __future__ import annotations

from pathlib import Path

import pytest
from intermodel.csv_tables import write_table
from intermodel.report.sections import QUESTIONS, read_sections

CAPTIONS = Path(__file__).resolve().parents[2] / "docs" / "captions"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "unit_matching" / "scenes"
    (folder / "figures").mkdir(parents=True)
    for name in ("models.svg", "shared.svg", "gallery.svg", "gallery.webp"):
        (folder / "figures" / name).touch()
    write_table(folder / "pairs.csv", {"model_a": ["a"], "model_b": ["b"]})
    write_table(folder / "findings.csv", {"statement": ["Found."], "table": ["pairs.csv"]})
    write_table(folder / "warnings.csv", {"warning": ["Beware."]})
    return tmp_path


def test_a_section_takes_figures_tables_and_sentences_of_its_parts(results: Path) -> None:
    sections = read_sections(results, CAPTIONS, {"unit_matching": ["scenes"]}, {"scenes": "Scenes"}, {"a": "A"})
    (filled,) = [section for section in sections if not section.absent]
    assert filled.key == "similarity"
    assert (filled.findings, filled.warnings) == (("Found.",), ("Beware.",))
    assert [table.name for table in filled.tables] == ["unit_matching-scenes-pairs.csv"]
    # Where a figure holds photographs, the page takes the raster.
    assert [figure.path.name for figure in filled.figures] == ["models.svg", "shared.svg", "gallery.webp"]
    assert "on Scenes" in filled.figures[0].caption


def test_every_figure_of_the_page_has_a_caption() -> None:
    for question in QUESTIONS:
        for part in question.parts:
            for name in part.figures:
                assert (CAPTIONS / f"{part.capability}_{name}.rst").is_file()

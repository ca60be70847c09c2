"""The page itself: embedded, escaped, sortable, usable with and without a mouse."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from intermodel.csv_tables import write_table
from intermodel.engine.errors import UserError
from intermodel.report.compose import emphasise, format_cell, write_page
from intermodel.report.content import Figure, Page, Section, Table
from opened_page import use_page

SVG = "<svg xmlns='http://www.w3.org/2000/svg' width='90' height='40'><rect width='90' height='40' fill='teal'/></svg>"


@pytest.fixture
def page(tmp_path: Path) -> Page:
    figure = tmp_path / "figure.svg"
    figure.write_text(SVG)
    table = tmp_path / "probe" / "scenes" / "accuracy.csv"
    write_table(table, [{"model": f"m{i}", "accuracy": float("nan") if i == 3 else i / 7} for i in range(12)])
    section = Section(
        key="quality",
        title="How good",
        question="How well?",
        findings=("**a** beats `b` by 0.1 [0.0, 0.2] <script>alert(1)</script>",),
        figures=(Figure(figure, "A figure", "Read it so.", "A teal rectangle"),),
        galleries=(Figure(figure, "A gallery", "Read it so.", "Another rectangle"),),
        tables=(Table(table, "Accuracy"),),
        warnings=("Too few images.",),
    )
    return Page(
        "Title & more",
        "intermodel",
        "Intro.",
        (("Models", "2"),),
        (section, Section("empty", "Empty", "?", absent="Left out.")),
    )


def test_everything_is_embedded_and_escaped(page: Page, tmp_path: Path) -> None:
    output = tmp_path / "report" / "index.html"
    write_page(page, output)
    html = output.read_text()
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html
    assert "<script>alert(1)" not in html
    assert "<strong>a</strong> beats <code>b</code>" in html
    assert "Title &amp; more" in html
    copied = output.parent / "tables" / "probe-scenes-accuracy.csv"
    assert copied.read_bytes() == page.sections[0].tables[0].path.read_bytes()
    assert 'href="tables/probe-scenes-accuracy.csv"' in html
    assert "1 warning to read" in html


def test_a_figure_comes_after_few_sentences_and_no_sentence_is_lost(page: Page, tmp_path: Path) -> None:
    sentences = tuple(f"Sentence {number}." for number in range(9))
    section = replace(page.sections[0], findings=sentences)
    write_page(replace(page, sections=(section,)), tmp_path / "index.html")
    html = (tmp_path / "index.html").read_text()
    assert [html.count(f"<li>{sentence}</li>") for sentence in sentences] == [1] * 9
    assert html.index("Sentence 4.") < html.index("<summary>4 more</summary>") < html.index("Sentence 5.")


def with_costs(page: Page, folder: Path, seconds: float) -> Page:
    path = folder / "report" / "methods" / "timings.csv"
    write_table(path, [{"rule": "tally & co", "cpu_seconds": seconds}, {"rule": "other", "cpu_seconds": 1.0}])
    return replace(page, costs=Table(path, "Seconds"))


def test_what_jobs_cost_does_not_change_the_page(page: Page, tmp_path: Path) -> None:
    output = tmp_path / "report" / "index.html"
    pages, scripts = [], []
    for seconds in (5.0, 7.0):
        write_page(with_costs(page, tmp_path, seconds), output)
        pages.append(output.read_bytes())
        scripts.append((output.parent / "timings.js").read_text())
    assert pages[0] == pages[1]
    assert scripts[0] != scripts[1]
    assert "tally &amp; co" in scripts[0]
    assert (output.parent / "tables" / "report-methods-timings.csv").is_file()


def test_a_missing_figure_or_table_is_told(page: Page, tmp_path: Path) -> None:
    (tmp_path / "figure.svg").unlink()
    with pytest.raises(UserError, match=r"figure\.svg does not exist"):
        write_page(page, tmp_path / "index.html")
    assert not (tmp_path / "index.html").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [(math.nan, "–"), (3.0, "3"), (1234567.0, "1,234,567"), (0.12345, "0.123"), (1.5e-7, "1.50e-07"), ("x", "x")],
)
def test_cells_are_legible(value: object, text: str) -> None:
    assert format_cell(value) == text


def test_emphasis_never_lets_markup_through() -> None:
    assert str(emphasise("<b>`<i>`**&**")) == "&lt;b&gt;<code>&lt;i&gt;</code><strong>&amp;</strong>"


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_works_in_a_browser(page: Page, tmp_path: Path, chromium: str, width: int) -> None:
    output = tmp_path / "index.html"
    write_page(with_costs(page, tmp_path, 5.0), output)
    used = use_page(chromium, output, width)
    assert used.problems == []
    assert used.requests == []
    assert used.broken_images == []
    assert used.sections == ["quality", "empty"]
    assert used.enlarged == 2
    # The table of costs comes from a file of its own, and is sorted like the others.
    assert used.sorted_tables == 2
    assert not used.wider_than_screen

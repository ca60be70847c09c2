"""Figures show what the embedding holds: names without overlap, marks for what is and is not resolved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from intermodel.concepts.sums import Sums
from intermodel.concepts.vocabulary import Vocabulary
from intermodel.csv_tables import read_table, write_table
from intermodel.lce import figures, map_figure
from intermodel.lce.embedding import embed
from intermodel.lce.enrichment_figure import draw_enrichment
from intermodel.lce.evidence import detectors, gather
from intermodel.lce.files import About, Model, read_embedding, write_embedding
from intermodel.lce.placement import overlap_area
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import resampling
from intermodel.plotting import save

TITLES = ["Supervised, seed 1", "Supervised, seed 2", "SimCLR", "Untrained"]


@pytest.fixture(scope="module")
def study(vocabulary: Vocabulary, make_sums: Callable[..., Sums], tmp_path_factory: pytest.TempPathFactory):
    """An embedding of four models, two of them equal, written and read again."""
    settings = Settings(bootstrap=40, splits=20, clusters=2)
    models = [make_sums(0), make_sums(0), make_sums(1), make_sums(2)]
    weights = resampling(models[0].images, settings.bootstrap, settings.splits)
    count = np.stack([detectors(gather(model, vocabulary, 0.04), weights.stacked()) for model in models], axis=1)
    embedding = embed(weights.split(count), [40] * 4, vocabulary.category, 6, weights, settings)
    embedding = replace(embedding, groups=replace(embedding.groups, names=("more: concept 1", "")))
    described = tuple(
        Model(
            title.lower(),
            title,
            "control" if title == "Untrained" else title.split(",")[0],
            title == "Untrained",
            "l",
            40,
        )
        for title in TITLES
    )
    about = About("scenes", 320, 16, described, vocabulary, settings, 0.005, 0.04, "category", ("Take care.",))
    path = tmp_path_factory.mktemp("lce") / "lce.h5"
    write_embedding(path, embedding, about)
    return embedding, about, path


def test_file_round_trip(study) -> None:
    embedding, about, path = study
    again, told = read_embedding(path)
    assert told.models == about.models and told.settings == about.settings and told.warnings == about.warnings
    assert told.vocabulary.names == about.vocabulary.names
    np.testing.assert_array_equal(again.count, embedding.count)
    np.testing.assert_array_equal(again.presence, embedding.presence)
    assert again.chart.ellipses == embedding.chart.ellipses
    for name, measure in embedding.measures.items():
        np.testing.assert_array_equal(again.measures[name].value.low, measure.value.low)
        np.testing.assert_array_equal(again.measures[name].floor.high, measure.floor.high)
        np.testing.assert_array_equal(again.measures[name].resolved, measure.resolved)
    np.testing.assert_array_equal(again.groups.together, embedding.groups.together)
    np.testing.assert_array_equal(again.groups.support.stability, embedding.groups.support.stability)
    np.testing.assert_array_equal(again.chart.loading_error, embedding.chart.loading_error)
    assert again.groups.names == embedding.groups.names == ("more: concept 1", "")
    np.testing.assert_array_equal(again.overlap.union, embedding.overlap.union)


def test_map_names_all_models_without_overlap(study, tmp_path: Path) -> None:
    embedding, about, _ = study
    figure = map_figure.draw_map(embedding, about)
    axes = figure.axes[0]
    written = {text.get_text(): text.get_window_extent() for text in axes.texts if text.get_text()}
    assert set(map_figure.numbered_titles(embedding, about)) <= set(written)
    boxes = [[box.x0, box.y0, box.x1, box.y1] for box in written.values()]
    assert overlap_area(boxes) < 1
    assert axes.get_aspect() == 1
    discs = [child for child in axes.get_children() if type(child).__name__ == "Circle"]
    np.testing.assert_allclose([disc.radius for disc in discs], embedding.chart.floor.high)
    assert "of the variance" in axes.get_xlabel()
    before = [text.get_window_extent().x0 for text in axes.texts]
    figure.draw_without_rendering()
    np.testing.assert_allclose([text.get_window_extent().x0 for text in axes.texts], before, atol=0.5)
    save(figure, tmp_path / "map.svg")
    assert (tmp_path / "map.svg").stat().st_size > 10_000


def test_arrows_are_the_concepts_that_move_the_models_most(study) -> None:
    embedding, about, _ = study
    arrows = map_figure.concept_arrows(embedding, about)
    moved = embedding.count.std(axis=0)
    first = about.vocabulary.names.index(arrows[0].name)
    assert 1 <= len(arrows) <= 8 and moved[first] > 0
    # To scale among each other: the ratio of tips is the ratio of loadings.
    lengths = [np.linalg.norm(arrow.tip) for arrow in arrows]
    loadings = [np.linalg.norm(embedding.chart.components[:, about.vocabulary.names.index(a.name)]) for a in arrows]
    np.testing.assert_allclose(np.array(lengths) / lengths[0], np.array(loadings) / loadings[0])


def test_view_holds_all_points_and_cuts_off_what_is_very_uncertain() -> None:
    points, tips = np.array([[0.0, 0.0], [10.0, 5.0]]), np.array([[12.0, -1.0]])
    small = [np.array([[-0.5, 0.0], [0.5, 0.0]]), np.array([[10.0, 4.5], [10.0, 5.5]])]
    low, high = map_figure.view([points, tips], small, np.array([0.6, 0.1]))
    np.testing.assert_allclose(low, [-0.6 - 0.48, -1 - 0.48])
    np.testing.assert_allclose(high, [12 + 0.48, 5.5 + 0.48])
    low, high = map_figure.view([points, tips], small, np.array([500.0, 0.1]))
    np.testing.assert_allclose(low, [-4.8 - 0.48, -5.8 - 0.48])
    np.testing.assert_allclose(high, [12 + 4.8 + 0.48, 5 + 4.8 + 0.48])
    low, high = map_figure.view([np.zeros((2, 2))], [np.zeros((1, 2))] * 2, np.zeros(2))
    assert (low < 0).all() and (high > 0).all()


def test_pairs_within_the_noise_floor_are_hatched(study, tmp_path: Path) -> None:
    embedding, about, _ = study
    figure = figures.draw_distances(embedding, about)
    grid = figure.axes[1]
    unresolved = int((~embedding.measures["euclidean"].resolved[~np.eye(4, dtype=bool)]).sum())
    assert unresolved >= 2
    assert sum(bool(patch.get_hatch()) for patch in grid.patches) == unresolved
    order = figures.leaf_order(embedding.groups.merges)
    numbered = map_figure.numbered_titles(embedding, about)
    assert [label.get_text() for label in grid.get_xticklabels()] == [numbered[model] for model in order]
    assert sorted(order) == [0, 1, 2, 3]
    save(figure, tmp_path / "distances.svg")


def test_bars_show_counts_with_their_intervals(study, tmp_path: Path) -> None:
    embedding, about, _ = study
    figure = figures.draw_categories(embedding, about)
    assert len(figure.axes) == 14
    last = figure.axes[6]
    np.testing.assert_allclose([bar.get_width() for bar in last.patches], embedding.unique.value[:, -1])
    assert [axes.get_title() for axes in figure.axes[:7]] == [*about.vocabulary.categories, "all"]
    save(figure, tmp_path / "categories.svg")


def test_complementarity_writes_every_number(study, tmp_path: Path) -> None:
    embedding, about, _ = study
    figure = figures.draw_complementarity(embedding, about)
    order = figures.leaf_order(embedding.groups.merges)
    shown = embedding.overlap.only[np.ix_(order, order)] + np.diag(np.diag(embedding.overlap.shared)[order])
    assert [int(text.get_text()) for text in figure.axes[0].texts] == shown.ravel().tolist()
    save(figure, tmp_path / "complementarity.svg")


@pytest.mark.parametrize("covariate", ["", "imagenet/x/acc"])
def test_crossing_frames_survivors_and_leaves_undefined_cells_open(covariate: str, tmp_path: Path) -> None:
    cells = [
        ("object", "detection", 0.9, "true"),
        ("scene", "detection", np.nan, "false"),
        ("object", "few_shot", -0.2, "false"),
        ("scene", "few_shot", 0.1, "false"),
    ]
    kinds = [("pearson", ""), ("spearman", "")] + ([("pearson", covariate)] if covariate else [])
    rows = [(method, held, *cell) for method, held in kinds for cell in cells]
    columns = dict(
        zip(("method", "covariate", "category", "task", "r", "survives"), map(np.array, zip(*rows)), strict=True)
    )
    table = columns | {"dataset": np.full(len(rows), "d"), "metric": np.full(len(rows), "m")}
    table |= {"models": np.full(len(rows), 13.0), "needed": np.full(len(rows), 0.8)}
    table["r"] = table["r"].astype(float)
    if not covariate:
        table["covariate"] = np.full(len(rows), np.nan)
    figure = figures.draw_crossing(table, 0.95)
    panels = figure.axes[: len(kinds)]
    assert [len(panel.patches) for panel in panels] == [1] * len(kinds)
    title = "Pearson r\ngiven covariate" if covariate else "Spearman ρ"
    assert panels[-1].get_title() == f"{title}\nn = 13\n|r| > .80"
    assert sorted(text.get_text() for text in panels[0].texts) == ["-.20", ".10", ".90", "–"]
    save(figure, tmp_path / "performance.svg")


def test_one_family_one_style_controls_grey(study) -> None:
    _, about, _ = study
    style = map_figure.family_style(about)
    assert list(style) == ["control", "Supervised", "SimCLR"]
    assert len({color for color, _ in style.values()}) == len({marker for _, marker in style.values()}) == 3


def test_results_are_named_as_far_as_needed() -> None:
    results = [("few_shot", "x", "acc"), ("detect", "voc", "AP"), ("detect", "voc", "AP50"), ("lin", "a", "acc")]
    results += [("lin", "b", "acc"), ("det", "a", "AP"), ("det", "b", "AP"), ("det", "b", "AP_50")]
    assert figures._result_names(results) == [
        *("few shot", "detect: AP", "detect: AP50", "lin: a", "lin: b"),
        *("det: AP: a", "det: AP: b", "det: AP 50"),
    ]


def test_short_numbers() -> None:
    written = [figures._short(value) for value in (0.914, -0.4, -0.001, 0.0, 1.0, -0.999)]
    assert written == [".91", "-.40", ".00", ".00", "1.0", "-1.0"]


def test_clusters_are_numbered_on_the_map_and_named_below_it(study) -> None:
    embedding, about, _ = study
    titles = map_figure.numbered_titles(embedding, about)
    assert [title[-1] for title in titles] == ["①②"[label] for label in embedding.groups.labels]
    below = map_figure.draw_map(embedding, about).texts[0].get_text().splitlines()
    assert below[0].startswith("① more: concept 1 (together in ") and below[1].startswith("② no concept sets it apart")
    one = replace(embedding, groups=replace(embedding.groups, stability=np.ones(1), names=("",)))
    assert map_figure.numbered_titles(one, about) == TITLES
    assert not map_figure.draw_map(one, about).texts
    assert map_figure.circled(19) == "⑳" and map_figure.circled(20) == "[21]"


@pytest.mark.parametrize("family", [True, False])
def test_what_sets_clusters_apart_is_drawn_with_intervals(family: bool, study, tmp_path: Path) -> None:
    embedding, about, _ = study
    cells = [("category", "object", "object", 0.3, 0.2, 0.9), ("concept", "concept 3", "scene", -0.2, 0.01, 0.01)]
    groups = [("cluster", "1"), ("cluster", "2")] + ([("family", "SimCLR")] if family else [])
    rows = [
        {"grouping": grouping, "group": group, "kind": kind, "name": name, "category": category}
        | {"difference": gap, "low": gap - 0.1, "high": gap + 0.1, "q_images": images, "q_models": models}
        for grouping, group in groups
        for kind, name, category, gap, images, models in cells
    ]
    write_table(tmp_path / "enrichment.csv", rows)
    figure = draw_enrichment(read_table(tmp_path / "enrichment.csv"), embedding, about)
    assert len(figure.axes) == 2
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["object (category)", "concept 3"]
    points = [line for line in axes.lines if line.get_marker() in ("s", "o", "*")]
    assert [(line.get_marker(), round(line.get_xdata()[0])) for line in points] == [("s", 30), ("*", -20)]
    assert points[0].get_markerfacecolor() == "white"
    assert axes.lines[0].get_xdata() == pytest.approx([20, 40])
    one = replace(embedding, groups=replace(embedding.groups, stability=np.ones(1)))
    assert "not divided" in draw_enrichment(read_table(tmp_path / "enrichment.csv"), one, about).texts[0].get_text()
    save(figure, tmp_path / "enrichment.svg")

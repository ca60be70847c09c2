"""Figures: they show the numbers of the tables and are drawn whatever the tables hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from concepts.conftest import MODELS, SETTINGS, SIDE, Folder
from intermodel.concepts.compose import compose_layer
from intermodel.concepts.composition_files import read_compositions
from intermodel.concepts.concept_map import MOST_CONCEPTS, chosen_concepts, draw_concepts, model_order
from intermodel.concepts.fan_in import write_tables
from intermodel.concepts.figures import draw_overview
from intermodel.concepts.files import read_tally, tally_layer
from intermodel.concepts.gallery import (
    DIMMED,
    LARGEST,
    SMALLEST,
    Images,
    Shown,
    best_units,
    collect,
    draw_gallery,
    thumbnail,
)
from intermodel.concepts.iou import iou_intervals
from intermodel.concepts.membership import Membership, category_names, membership
from intermodel.concepts.plots import plot_galleries, plot_tables
from intermodel.concepts.scores import Scores, write_layer
from intermodel.concepts.set_view import LETTERS, MOST_COMBINATIONS, Combination, combinations, draw_sets, named
from intermodel.concepts.upsampling import geometry, upsample
from intermodel.csv_tables import read_table
from intermodel.store import Maps, create
from matplotlib import pyplot as plt
from PIL import Image

matplotlib.use("Agg")


class Photographs:
    """Images whose grey level tells their number."""

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = ids

    def image(self, i: int) -> np.ndarray:
        return np.full((SIDE, SIDE, 3), i + 20, dtype=np.uint8)


@pytest.fixture(scope="module")
def tables(tallied: Folder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables")
    tallies = [tallied.tally(model["name"], layer) for model in MODELS for layer in model["layers"]]
    write_tables(tallies, MODELS, path, iou_threshold=0.04, denominator="category")
    return path


def test_overview_shows_the_summary(tables: Path) -> None:
    summary = read_table(tables / "summary.csv")
    figure = draw_overview(summary)
    left, right = figure.axes
    widths = np.array([bar.get_width() for bar in left.patches]).reshape(2, -1)
    np.testing.assert_allclose(widths.sum(axis=0), 100 * summary["detectors"] / summary["units"])
    dots = next(line for line in right.lines if line.get_marker() == "o")
    np.testing.assert_array_equal(dots.get_xdata(), summary["concepts"])
    assert [label.get_text() for label in left.get_yticklabels()][1] == "Seer  late"
    plt.close(figure)


def found_in(tables: Path) -> Membership:
    return membership(read_table(tables / "summary.csv"), read_table(tables / "concepts.csv"))


def test_membership_reads_the_tables(tables: Path) -> None:
    found, concepts = found_in(tables), read_table(tables / "concepts.csv")
    assert found.titles.tolist() == ["Seer", "Other", "Noise"] and found.control.tolist() == [False, False, True]
    assert found.categories == ("object", "scene") and (found.threshold == 0.04).all()
    for row, model in enumerate(("seer", "other", "noise")):
        mine = (concepts["model"] == model) & (concepts["layer"] == "late")
        np.testing.assert_array_equal(found.units[row], concepts["units"][mine])
        low, high = concepts["best_iou_low"][mine], concepts["best_iou_high"][mine]
        out = concepts["reachable"][mine] == "false"
        np.testing.assert_array_equal(found.sure[row], np.where(found.units[row] > 0, low > 0.04, (high < 0.04) | out))
    turned = found.models(np.array([2, 0]))
    assert turned.titles.tolist() == ["Noise", "Seer"]
    np.testing.assert_array_equal(turned.units, found.units[[2, 0]])


def test_concept_map_shows_the_units_of_each_concept(tables: Path) -> None:
    found = found_in(tables)
    figure = draw_concepts(found)
    axes = figure.axes[0]
    written = [text.get_text() for text in axes.texts]
    shown = sorted(int(text) for text in written if text.isdigit())
    assert shown == sorted(found.units[found.detected].tolist())
    assert {"Seer", "Other", "Noise"} <= set(written)
    assert set(found.names[found.detected.any(axis=0)]) <= set(written)
    plt.close(figure)


def synthetic(concepts: int, models: int = 3, seed: int = 0) -> Membership:
    """A third of the concepts undetected; the last model a control."""
    generator = np.random.default_rng(seed)
    units = generator.integers(0, 5, (models, concepts)) * (np.arange(concepts) % 3 > 0)
    return Membership(
        np.array([f"Model {i}" for i in range(models)]), np.arange(models) == models - 1,
        np.array([f"concept {i}" for i in range(concepts)]),
        np.where(np.arange(concepts) % 2, "object", "scene"), ("object", "scene"), units,
        generator.uniform(0.05, 0.3, (models, concepts)), generator.random((models, concepts)) < 0.6,
        generator.random((models, concepts)) < 0.9, np.full(models, 0.04),
    )  # fmt: skip


@pytest.mark.parametrize("draw", [draw_concepts, draw_sets])
@pytest.mark.parametrize(("concepts", "models"), [(1, 3), (9, 1), (9, 3), (60, 8), (400, 14)])
def test_comparisons_of_any_size_are_drawn(draw: Callable, concepts: int, models: int) -> None:
    figure = draw(synthetic(concepts, models))
    figure.canvas.draw()
    assert figure.get_size_inches()[0] * 25.4 < 184 and figure.get_size_inches()[1] * 25.4 < 240
    plt.close(figure)


def test_concepts_that_are_drawn() -> None:
    found = synthetic(60)
    chosen = chosen_concepts(found)
    assert set(chosen) == set(np.flatnonzero(found.detected.any(axis=0)))
    assert found.category[chosen].tolist() == sorted(found.category[chosen])
    models = found.detected.sum(axis=0)[chosen]
    for category in ("object", "scene"):
        assert (np.diff(models[found.category[chosen] == category]) <= 0).all()
    many = synthetic(400)
    kept = chosen_concepts(many)
    assert len(kept) == MOST_CONCEPTS
    left = np.setdiff1d(np.flatnonzero(many.detected.any(axis=0)), kept)
    assert many.detected.sum(axis=0)[kept].min() >= many.detected.sum(axis=0)[left].max()
    assert found.titles[model_order(found)].tolist()[-1] == "Model 2"


def test_combinations_divide_the_detected_concepts() -> None:
    found = synthetic(50, models=4)
    every = combinations(found)
    concepts = np.concatenate([each.concepts for each in every])
    assert sorted(concepts) == np.flatnonzero(found.detected.any(axis=0)).tolist()
    assert len({tuple(each.models) for each in every}) == len(every)
    sizes = [len(each.concepts) for each in every]
    assert sizes == sorted(sizes, reverse=True)
    for each in every:
        assert (found.detected[:, each.concepts] == each.models[:, None]).all()
        np.testing.assert_array_equal(each.sure, found.sure[:, each.concepts].all(axis=0))
        best = found.iou[:, each.concepts].max(axis=0)
        assert (np.diff(best) <= 0).all()


def test_set_view_shows_the_combinations() -> None:
    found = synthetic(50, models=4)
    every = combinations(found)
    figure = draw_sets(found)
    _, bars, totals, dots = figure.axes
    heights = [bar.get_height() for bar in bars.patches]
    assert heights[0::2] == [len(each.concepts) for each in every[:MOST_COMBINATIONS]]
    assert heights[1::2] == [each.sure.sum() for each in every[:MOST_COMBINATIONS]]
    widths = [bar.get_width() for bar in totals.patches]
    assert sorted(widths[:4]) == sorted(found.detected.sum(axis=1))
    assert dots.get_xticklabels()[0].get_text() == named(found, every[0])
    plt.close(figure)


def test_names_of_a_combination_are_cut() -> None:
    found = synthetic(9)
    each = Combination(np.ones(3, bool), np.arange(9), np.ones(9, bool))
    assert named(found, each) == "concept 0, concept 1 +7"
    assert len(named(found, each)) <= LETTERS + 4
    long = Combination(np.ones(3, bool), np.array([0]), np.ones(1, bool))
    wide = replace(found, names=np.array(["x" * 60] * 9))
    assert named(wide, long) == "x" * (LETTERS - 1) + "…"


def test_categories_keep_their_order(tables: Path) -> None:
    assert category_names(read_table(tables / "summary.csv")) == ["object", "scene"]


def test_best_units_show_each_label_once(tallied: Folder) -> None:
    tally = read_tally(tallied.tally("seer", "late"))
    found = best_units(tally, 12)
    labels = [label for _, label, _ in found]
    assert len(set(labels)) == len(labels) and labels[:3] and sorted(labels[:3]) == [0, 2, 4]
    assert [iou for _, _, iou in found] == sorted((iou for _, _, iou in found), reverse=True)
    assert len(best_units(tally, 2)) == 2 and best_units(tally, 0) == []


def show(tallied: Folder, **options: object) -> list[Shown]:
    images: Images = Photographs(tallied.ids)
    return collect(tallied.tally("seer", "late"), tallied.path / "patterns.h5", images, **options)


def test_gallery_shows_the_strongest_images_with_their_masks(tallied: Folder) -> None:
    tally = read_tally(tallied.tally("seer", "late"))
    shown = next(unit for unit in show(tallied) if unit.unit == 1)
    assert (shown.concept, shown.category, shown.detector) == ("label 2", "object", True)
    with Maps(tallied.maps("seer", "late")) as source:
        maps = source.images(0, 80)
    for row, scene in zip(tally.top_images[1], shown.scenes, strict=False):
        assert (scene.pixels == row + 20).all()
        np.testing.assert_array_equal(scene.concept, (tallied.layers[row] == 3).any(axis=0))
        enlarged = upsample(maps[row, 1], geometry((8, 8), (SIDE, SIDE)))
        np.testing.assert_array_equal(scene.level > 0, enlarged > tally.threshold[1])


def test_gallery_of_the_largest_unit(tallied: Folder, tmp_path: Path) -> None:
    maps, patterns = tallied.maps("seer", "late"), tallied.path / "patterns.h5"
    tally_layer(maps, patterns, tmp_path / "t.h5", **SETTINGS | {"masks": "argmax"})
    shown = collect(tmp_path / "t.h5", patterns, Photographs(tallied.ids))
    with Maps(maps) as source:
        everything = source.images(0, 80)
    agree = []
    for unit in shown:
        rows = read_tally(tmp_path / "t.h5").top_images[unit.unit]
        for row, scene in zip(rows, unit.scenes, strict=False):
            # Where the enlarged margin is positive some sample around belongs to the unit.
            active = (scene.level.reshape(8, 2, 8, 2) > 0).any(axis=(1, 3))
            owned = np.pad(everything[row].argmax(axis=0) == unit.unit, 1)
            near = np.lib.stride_tricks.sliding_window_view(owned, (3, 3)).any(axis=(2, 3))
            assert not active[~near].any()
            # What is counted is the largest enlarged map; the margin between enlarged samples comes close.
            largest = upsample(everything[row], geometry((8, 8), (SIDE, SIDE))).argmax(axis=0) == unit.unit
            agree.append((largest == (scene.level > 0)).mean())
    assert np.mean(agree) > 0.9


@pytest.mark.parametrize("units", [0, 1, 3])
def test_gallery_is_drawn_with_any_number_of_units(units: int, tallied: Folder) -> None:
    shown = show(tallied, units=units)
    figure = draw_gallery(shown)
    figure.canvas.draw()
    if units:
        axes = figure.axes[0]
        texts = [text.get_text() for text in axes.texts]
        assert shown[0].concept in texts and shown[0].caption in texts
        assert len(axes.images) == sum(len(unit.scenes) for unit in shown)
        drawn = axes.images[0].get_array()
        scene = shown[0].scenes[0]
        assert drawn.max() == scene.pixels.max() and drawn.min() == round(DIMMED * scene.pixels.min())
    plt.close(figure)


def test_captions_tell_intervals_scores_and_formulas(tallied: Folder, tmp_path: Path) -> None:
    tally, patterns = tallied.tally("seer", "late"), tallied.path / "patterns.h5"
    compose_layer(tallied.maps("seer", "late"), patterns, tally, tmp_path / "c.h5", length=3, beam=5)
    matrix = np.linspace(0.5, 1.0, 36).reshape(6, 6)
    with create(tmp_path / "s.h5") as file:
        write_layer(file, "late", matrix, matrix, Scores(matrix, np.zeros(6, int), *np.ones((3, 6))))
    shown = show(tallied, scores=tmp_path / "s.h5", compositions=tmp_path / "c.h5")
    found = read_compositions(tmp_path / "c.h5")
    counted = read_tally(tally)
    for unit, label, iou in best_units(counted, 12):
        each = next(one for one in shown if one.unit == unit)
        interval = iou_intervals(counted.folds, counted.vocabulary, np.array([unit]), np.array([label]))
        bounds = f"({interval.low[0]:.3f}–{interval.high[0]:.3f})"
        assert f"IoU {iou:.3f} {bounds} · AUROC {matrix[unit, label]:.2f}" in each.caption
        assert each.formula.startswith(found.formula[unit]) == (found.length[unit] > 1)
        told = f"{found.iou[unit]:.3f} instead of {found.single_iou[unit]:.3f}"
        assert (told in each.formula) == (found.length[unit] > 1)
        assert ("unconfirmed" in each.formula) == (found.length[unit] > 1 and not found.holds[unit])
    assert any(each.formula for each in shown)
    texts = [text.get_text() for text in draw_gallery(shown).axes[0].texts]
    assert {each.formula for each in shown if each.formula} <= set(texts)
    plt.close("all")


@pytest.mark.parametrize(
    ("size", "expected"), [((64, 64), (96, 96)), ((360, 480), (90, 120)), ((120, 100), (120, 100))]
)
def test_thumbnails_have_a_size_for_print(size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    small = thumbnail(image)
    assert small.shape == (*expected, 3) and small.dtype == np.uint8
    assert SMALLEST <= max(small.shape) <= LARGEST
    assert abs(small.mean() - image.mean()) < 2


def test_all_figures_are_written(tables: Path, tallied: Folder, tmp_path: Path) -> None:
    overview, chart, sets, gallery = (tmp_path / f"{name}.svg" for name in ("overview", "map", "sets", "gallery"))
    raster = tmp_path / "gallery.webp"
    plot_tables(tables / "summary.csv", tables / "concepts.csv", overview=overview, concept_map=chart, sets=sets)
    plot_galleries(
        [tallied.tally("seer", "late")], tallied.path / "patterns.h5",
        Photographs(tallied.ids), [(gallery, raster)], gallery_units=2, iou_threshold=0.04, denominator="category",
    )  # fmt: skip
    for path in (overview, chart, sets, gallery):
        assert path.read_text().lstrip().startswith("<?xml") and path.stat().st_size < 1_000_000
    with Image.open(raster) as picture:
        assert picture.format == "WEBP" and picture.width > 1200

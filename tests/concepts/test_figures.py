"""Figures: they show the numbers of the tables and are drawn whatever the tables hold."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from concepts.conftest import MODELS, SETTINGS, SIDE, Folder
from intermodel.concepts.fan_in import write_tables
from intermodel.concepts.figures import MOST_CONCEPTS, PANEL, category_names, draw_concepts, draw_overview
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
from intermodel.concepts.plots import plot_galleries, plot_tables
from intermodel.concepts.upsampling import geometry, upsample
from intermodel.store import Maps, read_table
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


def test_chart_shows_the_units_of_each_concept(tables: Path) -> None:
    summary, concepts = read_table(tables / "summary.csv"), read_table(tables / "concepts.csv")
    figure = draw_concepts(summary, concepts)
    axes = figure.axes[0]
    shown = axes.images[0].get_array().filled(0)
    names = [label.get_text() for label in axes.get_xticklabels()]
    for row, model in enumerate(("seer", "other", "noise")):
        for column, name in enumerate(names):
            mine = (concepts["model"] == model) & (concepts["layer"] == "late") & (concepts["concept"] == name)
            assert np.nan_to_num(shown[row, column]) == concepts["units"][mine].item()
    plt.close(figure)


def synthetic(count: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Tables of two models with `count` concepts, most of them detected."""
    names = np.array([f"concept {i}" for i in range(count)])
    summary = {
        "model": np.array(["a", "b"]), "layer": np.array(["x", "x"]), "title": np.array(["A", "B"]),
        "main": np.array(["true", "true"]), "object_reachable": np.zeros(2), "scene_reachable": np.zeros(2),
    }  # fmt: skip
    concepts = {
        "model": np.repeat(["a", "b"], count), "layer": np.full(2 * count, "x"), "concept": np.tile(names, 2),
        "category": np.tile(np.where(np.arange(count) % 3, "object", "scene"), 2),
        "units": np.arange(2 * count) % 7.0,
    }  # fmt: skip
    return summary, concepts


@pytest.mark.parametrize(("count", "panels"), [(0, 0), (1, 0), (5, 1), (PANEL + 12, 2), (3 * MOST_CONCEPTS, 3)])
def test_chart_of_any_number_of_concepts(count: int, panels: int) -> None:
    figure = draw_concepts(*synthetic(count) if count else synthetic(1))
    if panels:
        drawn = [axes for axes in figure.axes if axes.images]
        assert len(drawn) == panels and max(axes.images[0].get_array().shape[1] for axes in drawn) <= PANEL
    figure.canvas.draw()
    plt.close(figure)


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
    paths = tallied.maps("seer", "late"), tallied.path / "patterns.h5"
    return collect(read_tally(tallied.tally("seer", "late")), *paths, images, **options)


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
    shown = collect(read_tally(tmp_path / "t.h5"), maps, patterns, Photographs(tallied.ids))
    assert shown and all(set(np.unique(scene.level)) <= {-1.0, 1.0} for unit in shown for scene in unit.scenes)


@pytest.mark.parametrize("units", [0, 1, 3])
def test_gallery_is_drawn_with_any_number_of_units(units: int, tallied: Folder) -> None:
    shown = show(tallied, units=units)
    figure = draw_gallery(shown)
    figure.canvas.draw()
    if units:
        axes = figure.axes[0]
        texts = [text.get_text() for text in axes.texts]
        assert shown[0].concept in texts and any(f"unit {shown[0].unit} · IoU {shown[0].iou:.3f}" in t for t in texts)
        assert len(axes.images) == sum(len(unit.scenes) for unit in shown)
        drawn = axes.images[0].get_array()
        scene = shown[0].scenes[0]
        assert drawn.max() == scene.pixels.max() and drawn.min() == round(DIMMED * scene.pixels.min())
    plt.close(figure)


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
    overview, chart, gallery = (tmp_path / f"{name}.svg" for name in ("overview", "concepts", "gallery"))
    raster = tmp_path / "gallery.webp"
    plot_tables(tables / "summary.csv", tables / "concepts.csv", overview, chart)
    plot_galleries(
        [tallied.tally("seer", "late")], [tallied.maps("seer", "late")], tallied.path / "patterns.h5",
        Photographs(tallied.ids), [(gallery, raster)], gallery_units=2, iou_threshold=0.04, denominator="category",
    )  # fmt: skip
    for path in (overview, chart, gallery):
        assert path.read_text().lstrip().startswith("<?xml") and path.stat().st_size < 1_000_000
    with Image.open(raster) as picture:
        assert picture.format == "WEBP" and picture.width > 1200

"""Tables, sentences and figures of a data set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from intermodel.csv_tables import read_table
from intermodel.store import Maps, read_pooled
from intermodel.unit_matching.findings import Models
from intermodel.unit_matching.gallery import collect, top_images
from intermodel.unit_matching.groups import Group
from intermodel.unit_matching.pair import match_models
from intermodel.unit_matching.plots import draw_figures
from intermodel.unit_matching.summary import read_models, summarise_matches

matplotlib.use("Agg")

NAMES = ("pairs", "matches", "units", "groups", "findings", "warnings")
MODELS = Models(
    {"a": "A", "b": "B", "c": "C", "d": "D", "u": "untrained"}, dict.fromkeys("abcdu", "l"), controls=("u",)
)


class Pictures:
    """100 images of noise."""

    ids = np.array([f"i{number:03d}" for number in range(100)])

    def image(self, i: int) -> np.ndarray:
        return np.random.default_rng(i).integers(0, 255, (200, 300, 3), dtype=np.uint8)


@pytest.fixture
def study(layer_file: Callable[..., Path], manifest: Path, tmp_path: Path) -> dict[str, list[Path]]:
    """Five models: three units that all trained ones share, one that a and b share, one of each alone."""
    generator = np.random.default_rng(0)
    shared, pair = generator.normal(size=(100, 3, 4, 4)), generator.normal(size=(100, 1, 4, 4))
    files: dict[str, list[Path]] = {"maps": [], "features": [], "pairs": []}
    for name in "abcdu":
        own = generator.normal(size=(100, 5, 4, 4))
        maps = 0.3 * own
        if name != "u":
            maps[:, :3] += shared
        if name in "ab":
            maps[:, 3] += pair[:, 0]
        if name == "d":
            maps[:, 4] = 0.0
        files["maps"].append(layer_file(maps.astype(np.float32), name))
        files["features"].append(layer_file(maps.mean(axis=(2, 3)).astype(np.float32), name))
    for i, first in enumerate("abcdu"):
        for j, second in enumerate("abcdu"):
            if i < j:
                path = tmp_path / f"{first}__{second}.h5"
                match_models(files["maps"][i], files["maps"][j], manifest, path, shuffles=4)
                files["pairs"].append(path)
    return files


def test_tables_hold_what_was_planted(study: dict[str, list[Path]], tmp_path: Path) -> None:
    summarise_matches(study["pairs"], MODELS, {name: tmp_path / f"{name}.csv" for name in NAMES})
    tables = {name: read_table(tmp_path / f"{name}.csv") for name in NAMES}
    pairs = tables["pairs"]
    assert len(pairs["model_a"]) == 10
    row = int(np.flatnonzero((pairs["model_a"] == "a") & (pairs["model_b"] == "b"))[0])
    assert pairs["matched_beyond_chance"][row] >= 4
    assert pairs["similarity_low"][row] < pairs["similarity"][row] < pairs["similarity_high"][row]
    expected = (pairs["similarity"] - pairs["null_similarity"]) / (1 - pairs["null_similarity"])
    np.testing.assert_allclose(pairs["adjusted"], expected, atol=1e-12)
    assert pairs["adjusted"][row] == pairs["adjusted"].max()
    assert pairs["constant_b"][pairs["model_b"] == "d"].tolist() == [1, 1, 1]

    real = tables["matches"]["beyond_chance"] == "true"
    assert real.sum() == pairs["matched_beyond_chance"].sum()
    groups = tables["groups"]
    wide = groups["models"] == 4
    assert sorted(zip(groups["model"][wide], groups["unit"][wide])) == [(m, u) for m in "abcd" for u in range(3)]
    units = tables["units"]
    own = (units["model"] == "a") & (units["unit"] < 3)
    assert units["partners"][own].tolist() == [3, 3, 3]
    assert np.isnan(units["best_correlation"][(units["model"] == "d") & (units["unit"] == 4)]).all()
    assert len(units["unit"]) == 25


def test_findings_state_chance_and_uncertainty(study: dict[str, list[Path]], tmp_path: Path) -> None:
    summarise_matches(study["pairs"], MODELS, {name: tmp_path / f"{name}.csv" for name in NAMES})
    best, shared, trained = read_table(tmp_path / "findings.csv")["statement"].tolist()
    assert best.startswith("Units of **A** and **B** are the most alike")
    assert "95 % interval" in best
    assert "when images are paired wrongly" in best
    assert "3 of them span 4 of 5 models" in shared
    assert trained.startswith("Units of trained models are more like each other than like untrained ones")
    assert read_table(tmp_path / "warnings.csv")["warning"].tolist() == [
        "d, l: 1 of 5 units never vary on these images; they match nothing."
    ]


def test_models_are_read_from_the_study() -> None:
    entries = [
        {"name": "a", "title": "A", "control": False, "layers": ["x", "y"]},
        {"name": "b", "title": "B", "control": True, "layers": ["z"]},
    ]
    models = read_models(json.dumps({"models": entries}), {"a": "x", "b": "z"})
    assert (models.titles, models.layers, models.controls) == ({"a": "A", "b": "B"}, {"a": "x", "b": "z"}, ["b"])


@pytest.mark.parametrize("drawn", [["models", "shared", "gallery"], ["models", "shared"]])
def test_all_figures_are_drawn(study: dict[str, list[Path]], tmp_path: Path, drawn: list[str]) -> None:
    figures = {name: tmp_path / f"{name}.svg" for name in drawn}
    if "gallery" in drawn:
        figures["gallery_raster"] = tmp_path / "gallery.webp"
    features, maps = (dict(zip("abcdu", study[kind])) for kind in ("features", "maps"))
    draw_figures(study["pairs"], MODELS, features, maps, Pictures(), figures)
    assert all(path.read_text().startswith("<?xml") for path in tmp_path.glob("*.svg"))
    assert {path for path in tmp_path.iterdir() if path.suffix in (".svg", ".webp")} == set(figures.values())


def test_the_gallery_shows_shared_units_where_they_are_active(study: dict[str, list[Path]]) -> None:
    group = Group(tuple((name, 1) for name in "abcd"), 0.9, 0.9)
    features, maps = (dict(zip("abcdu", study[kind])) for kind in ("features", "maps"))
    ((first, *others),) = collect([group], features, maps, Pictures())
    assert len(others) == 5
    assert [outline.model for outline in first.outlines] == list("abcd")
    assert first.pixels.shape == (96, 144, 3)
    pooled = np.mean([read_pooled(features[name]).values[:, 1] for name in "abcd"], axis=0)
    with Maps(maps["b"]) as source:
        strongest = source.images(int(pooled.argmax()), int(pooled.argmax()) + 1)[0, 1]
    np.testing.assert_array_equal(first.outlines[1].activity, strongest)
    assert all(outline.extent == (0.0, 1.0, 0.0, 1.0) for outline in first.outlines)
    assert all(outline.level < outline.activity.max() for outline in first.outlines)


def test_a_study_without_groups_has_an_empty_gallery(study: dict[str, list[Path]], tmp_path: Path) -> None:
    figures = {name: tmp_path / f"{name}.svg" for name in ("models", "shared", "gallery")}
    features = dict(zip("abcdu", study["features"]))
    draw_figures(study["pairs"], MODELS, features, {}, Pictures(), figures, group_models=9)
    assert figures["gallery"].exists()


def test_top_images_drive_all_units() -> None:
    both = np.zeros((2, 50))
    both[0, 7] = both[1, 7] = 5.0
    both[0, 3], both[1, 9] = 6.0, 6.0
    assert top_images(both, 1).tolist() == [7]
    # Equal images in their order; a unit with the same mean everywhere has no say.
    assert top_images([*both, np.ones(50)], 5).tolist()[3:] == [0, 1]

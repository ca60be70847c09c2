"""Labels of all models under one normalisation, tables, sentences and figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from intermodel.clip_dissect.dissect import Dissection, dissect, write_dissection
from intermodel.clip_dissect.figures import draw_figures
from intermodel.clip_dissect.scores import log_sum, normalised
from intermodel.clip_dissect.summary import (
    Models,
    chance_of,
    common_total,
    label_units,
    null_scores,
    read_models,
    scores_of,
    summarise_dissections,
    word_rows,
)
from intermodel.csv_tables import read_table
from intermodel.store import create, write_strings
from scipy.stats import kstest

matplotlib.use("Agg")

NAMES = ("units", "words", "summary", "pairs", "findings", "warnings")
MODELS = Models({"a": "A", "b": "B", "u": "untrained"}, dict.fromkeys("abu", "l"), ("u",))
ORIGIN = {"dataset": "d", "model": "m", "layer": "l"}
WORDS = ["sky", "1", "tree", "water", "house"]


@pytest.fixture
def layers(tmp_path: Path) -> list[Path]:
    """Two models with a unit for each word, in another order, and a model of noise with a constant unit."""
    generator = np.random.default_rng(0)
    text = np.eye(5, 8)
    kind = np.arange(300) % 5
    images = text[kind] + 0.2 * generator.normal(size=(300, 8))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    one_hot = np.eye(5)[kind]
    units = {
        "a": one_hot + 0.1 * generator.random((300, 5)),
        "b": one_hot[:, ::-1] + 0.1 * generator.random((300, 5)),
        "u": generator.random((300, 4)) * [1, 1, 1, 0],
    }
    paths = []
    for name, values in units.items():
        origin = {"dataset": "d", "model": name, "layer": "l"}
        paths.append(tmp_path / f"{name}.h5")
        write_dissection(paths[-1], dissect(values, images, text, "soft_wpmi", 40, 20, 0, origin))
    with create(tmp_path / "words.h5", clip="c", clip_sha256="") as file:
        file["embedding"] = text
        write_strings(file, "word", WORDS)
    return [*paths[::-1], tmp_path / "words.h5"]


@pytest.fixture
def tables(layers: list[Path], tmp_path: Path) -> dict[str, Path]:
    paths = {name: tmp_path / f"{name}.csv" for name in NAMES}
    summarise_dissections(layers[:-1], layers[-1], MODELS, paths)
    return paths


def test_all_units_enter_one_normalisation() -> None:
    """The union of the units of all models, put together from each model's own sums."""
    generator = np.random.default_rng(1)
    parts = [generator.normal(size=(count, 7)) * 30 for count in (3, 50, 8)]
    together = np.concatenate(parts)
    total = common_total([log_sum(part) for part in parts] + [np.empty(0)])
    np.testing.assert_allclose(total, log_sum(together), rtol=1e-12)
    layer = Dissection(
        parts[1].astype(np.float32),
        log_sum(parts[1]),
        *([np.empty(0)] * 7),
        {"score": "soft_wpmi"},  # type: ignore[arg-type]
    )
    expected = normalised(together, log_sum(together), 61, 1.0)[3:53]
    np.testing.assert_allclose(scores_of(layer, total, 61), expected, rtol=1e-5, atol=1e-4)


def test_labels_and_runners_up() -> None:
    scores = np.array([[0.1, 0.5, 0.5], [2.0, -1.0, 1.0], [np.nan] * 3])
    found = label_units(scores, np.array([True, True, False]))
    assert found.best.tolist() == [1, 0, -1]
    assert found.second.tolist() == [2, 2, -1]
    np.testing.assert_array_equal(found.score, [0.5, 2.0, np.nan])
    np.testing.assert_array_equal(found.second_score, [0.5, 1.0, np.nan])


def test_tables_hold_what_was_planted(tables: dict[str, Path]) -> None:
    units = read_table(tables["units"], ("label", "second", "label_within_layer"))
    labels = {name: units["label"][units["model"] == name].tolist() for name in "abu"}
    assert labels["a"] == WORDS
    assert labels["b"] == WORDS[::-1]
    assert labels["u"][3] == ""
    assert all(word in WORDS for word in labels["u"][:3])
    assert np.isnan(units["score"][-1])
    assert (units["score"][:-1] >= units["second_score"][:-1]).all()

    words = read_table(tables["words"], ("word",))
    assert set(words["word"]) == set(WORDS)
    assert (np.diff(words["models"]) <= 0).all()
    np.testing.assert_array_equal(words["units"], words["units_a"] + words["units_b"] + words["units_u"])

    pairs = read_table(tables["pairs"])
    assert list(zip(pairs["model_a"], pairs["model_b"])) == [("a", "b"), ("a", "u"), ("b", "u")]
    assert pairs["similarity"][0] > 0.95
    assert pairs["adjusted"].argmax() == 0
    np.testing.assert_allclose(pairs["similarity"], (pairs["similarity_a"] + pairs["similarity_b"]) / 2)

    summary = read_table(tables["summary"])
    assert summary["constant_units"].tolist() == [0, 0, 1]
    assert summary["labels"].tolist()[:2] == [5, 5]
    assert summary["clarity"][0] > summary["clarity"][2] == pytest.approx(summary["clarity_of_all"][2], abs=0.1)


def test_findings_and_warnings(tables: dict[str, Path]) -> None:
    words, sure, clearest, pair = read_table(tables["findings"])["statement"].tolist()
    assert "**A** 5 and 5 of 5; **B** 5 and 5 of 5; **untrained** 0 and " in sure
    assert words.startswith("Through CLIP, 5 words name the units of 3 models")
    assert "against" in clearest
    assert "**A** and **B** are the most alike" in pair
    constant, doubt, caveat = read_table(tables["warnings"])["warning"].tolist()
    assert "fewer than half are beyond chance in u (0 of 4)" in doubt
    assert constant == "u, l: 1 of 4 units never vary on these images; they have no label."
    assert "log-ratios" in caveat


def test_planted_names_stay_and_surpass_shuffled_units(tables: dict[str, Path]) -> None:
    units = read_table(tables["units"], ("label", "second", "label_within_layer"))
    planted = np.isin(units["model"], ["a", "b"])
    assert (units["stability"][planted] == 1).all() and (units["q"][planted] < 0.01).all()
    # 200 shuffled units of each of three models.
    assert (units["p"][planted] == 1 / 601).all()
    noise = units["model"] == "u"
    assert np.isnan(units["stability"][noise]).tolist() == [False] * 3 + [True]
    assert (units["p"][noise][:3] > 0.01).all() and np.isnan(units["q"][noise][3])
    summary = read_table(tables["summary"])
    assert summary["labels_beyond_chance"].tolist() == [5, 5, 0]
    assert summary["stable_labels"][:2].tolist() == [5, 5]


def test_names_without_draws_carry_no_judgement(layers: list[Path], tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    values, images = generator.random((300, 5)), generator.normal(size=(300, 8))
    origin = {"dataset": "d", "model": "a", "layer": "l"}
    write_dissection(tmp_path / "plain.h5", dissect(values, images, np.eye(5, 8), "cosine", None, 20, 0, origin, 0, 0))
    paths = {name: tmp_path / f"{name}.csv" for name in NAMES}
    summarise_dissections([tmp_path / "plain.h5"], layers[-1], Models({"a": "A"}, {"a": "l"}), paths)
    units = read_table(paths["units"], ("label",))
    assert set(units["label"]) <= set(WORDS)
    assert all(np.isnan(units[name]).all() for name in ("stability", "p", "q"))
    assert len(read_table(paths["findings"])["statement"]) == 2
    assert len(read_table(paths["warnings"])["warning"]) == 0


@pytest.mark.parametrize("score", ["soft_wpmi", "cubed_cosine"])
def test_units_of_noise_are_no_better_than_shuffled_ones(score: Any) -> None:
    """Their p-values are uniform, whatever their distribution of activations."""
    generator = np.random.default_rng(3)
    images = generator.normal(size=(400, 16))
    images /= np.linalg.norm(images, axis=1, keepdims=True)
    values = generator.gamma(0.5, size=(400, 150))
    found = dissect(values, images, images[:30], score, 50, 20, 0, ORIGIN, 0, 2000)
    total = found.log_total
    p, q = chance_of(label_units(scores_of(found, total, 150), found.live), null_scores(found, total, 150))
    assert kstest(p, "uniform").pvalue > 0.01
    assert (q > 0.05).all()


def test_words_of_most_models_come_first() -> None:
    units: list[dict[str, Any]] = [
        {"label": "x", "model": "a"}, {"label": "x", "model": "a"}, {"label": "x", "model": "a"},
        {"label": "y", "model": "a"}, {"label": "y", "model": "b"}, {"label": "", "model": "u"},
    ]  # fmt: skip
    columns = word_rows(units, MODELS)
    assert (columns["word"], columns["models"], columns["units"]) == (["y", "x"], [2, 1], [2, 3])


def test_figures_are_drawn(tables: dict[str, Path], tmp_path: Path) -> None:
    figures = {name: tmp_path / f"{name}.svg" for name in ("models", "words", "clarity")}
    draw_figures({name: tables[name] for name in ("units", "words", "summary", "pairs")}, MODELS, figures)
    assert all(path.read_text().startswith("<?xml") for path in figures.values())


def test_one_model_is_enough_for_names(layers: list[Path], tmp_path: Path) -> None:
    models = Models({"a": "A"}, {"a": "l"})
    paths = {name: tmp_path / f"{name}.csv" for name in NAMES}
    summarise_dissections([layers[2]], layers[-1], models, paths)
    assert len(read_table(paths["units"], ("label",))["unit"]) == 5
    figures = {name: tmp_path / f"{name}.svg" for name in ("models", "words", "clarity")}
    draw_figures({name: paths[name] for name in ("units", "words", "summary", "pairs")}, models, figures)
    assert figures["models"].exists()


def test_models_are_read_from_the_study() -> None:
    entry = {"name": "a", "title": "A", "control": True, "layers": ["x", "y"]}
    found = read_models(json.dumps({"models": [entry]}), {"a": "x"})
    assert (found.titles, found.layers, found.controls) == ({"a": "A"}, {"a": "x"}, ["a"])

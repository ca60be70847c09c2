"""The gallery: which units, which images, and the two names of each."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from intermodel.clip_dissect.dissect import dissect, write_dissection
from intermodel.clip_dissect.gallery import chosen_units, collect, dissected_concepts, draw_galleries, draw_gallery
from intermodel.csv_tables import read_table, write_table
from intermodel.store import create, write_strings

matplotlib.use("Agg")

UNITS = {
    "model": ["a", "a", "a", "a", "a", "b"],
    "layer": ["l"] * 6,
    "unit": [0, 1, 2, 3, 4, 0],
    "label": ["sky", "tree", "", "tree", "sea", "sky"],
    "second": ["sea", "sea", "", "sky", "sky", "sea"],
    "label_within_layer": ["sky", "tree", "", "tree", "sea", "sky"],
    "score": [2.0, 3.0, np.nan, 4.0, 9.0, 1.0],
    "second_score": [1.0, 1.0, np.nan, 1.0, 1.0, 0.5],
    "stability": [0.9, 0.5, np.nan, 0.7, np.nan, 1.0],
    "q": [0.01, 0.01, np.nan, 0.03, 0.6, 0.01],
}
CONCEPTS = {
    "model": ["a", "a", "a", "b"],
    "layer": ["l", "l", "other", "l"],
    "unit": [0, 1, 3, 3],
    "concept": ["wall", "", "door", "dog"],
    "category": ["object", "", "object", "object"],
    "iou": [0.0312, 0.0, 0.5, 0.5],
    "detector": ["false", "false", "true", "true"],
}


class Images:
    """Sixty images of one grey each, in another order than CLIP has seen them."""

    ids = np.array([f"i{number:02d}" for number in range(60)])[::-1]

    def image(self, i: int) -> np.ndarray:
        return np.full((100, 100, 3), int(self.ids[i][1:]), np.uint8)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    generator = np.random.default_rng(0)
    embedding = generator.normal(size=(60, 8))
    values = generator.random((60, 5))
    origin = {"dataset": "d", "model": "a", "layer": "l"}
    write_dissection(tmp_path / "a.h5", dissect(values, embedding, np.eye(8), "cosine", None, 6, 0, origin, 5, 5))
    with create(tmp_path / "images.h5") as file:
        write_strings(file, "index", [f"i{number:02d}" for number in range(60)])
    write_table(tmp_path / "units.csv", UNITS)
    write_table(tmp_path / "concepts.csv", CONCEPTS)
    return {path.stem: path for path in tmp_path.iterdir()} | {"values": values}  # type: ignore[dict-item]


def test_names_beyond_chance_come_first_and_each_once() -> None:
    table = {name: np.array(column) for name, column in UNITS.items()}
    assert chosen_units(table, "a", 8).tolist() == [3, 0, 4]
    assert chosen_units(table, "a", 2).tolist() == [3, 0]
    # Where nothing was shuffled no name is doubtful.
    assert chosen_units(table | {"q": np.full(6, np.nan)}, "a", 8).tolist() == [4, 3, 0]


def test_units_carry_both_names_and_their_strongest_images(files: dict[str, Path]) -> None:
    ids = np.array([f"i{number:02d}" for number in range(60)])
    table = read_table(files["units"], ("label", "second"))
    concepts = read_table(files["concepts"], ("concept", "category"))
    found = collect(files["a"], table, ids, Images(), 8, concepts)
    assert [(unit.unit, unit.label, unit.concept) for unit in found] == [
        (3, "tree", "no concept"),
        (0, "sky", "wall (object, IoU 0.031, no detector)"),
        (4, "sea", "no concept"),
    ]
    strongest = np.argsort(-np.asarray(files["values"])[:, 3])[:5]
    assert [int(image[0, 0, 0]) for image in found[0].images] == strongest.tolist()
    assert [unit.doubtful for unit in found] == [False, False, True]
    assert found[0].caption == "unit 3 · score 4.00 (sky 1.00) · stays in 70% · q 0.03"
    assert found[2].caption == "unit 4 · score 9.00 (sky 1.00) · q 0.6"
    assert {unit.concept for unit in collect(files["a"], table, ids, Images(), 8, None)} == {""}
    assert dissected_concepts(concepts, "b", "l") == {3: "dog (object, IoU 0.500)"}


def test_galleries_are_drawn(files: dict[str, Path], tmp_path: Path) -> None:
    paths = [[tmp_path / "gallery.svg", tmp_path / "gallery.webp"]]
    draw_galleries([files["a"]], files["units"], files["images"], files["concepts"], Images(), paths, 8)
    text = paths[0][0].read_text()
    assert text.count("<image ") == 15 and paths[0][1].stat().st_size > 1000
    assert len(draw_gallery([]).texts) == 1

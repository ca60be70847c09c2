from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from intermodel import store
from intermodel.data.broden.reader import Broden
from intermodel.data.broden.writer import write_broden
from intermodel.data.dataset import Segmentation
from intermodel.data.label_maps import build_segmentation
from intermodel.data.manifest import build_manifest
from intermodel.data.open import open_dataset
from intermodel.engine.errors import UserError
from PIL import Image

GOLDEN = Path(__file__).parents[1] / "golden" / "data"
TABLES = (
    "category.csv",
    "label.csv",
    *(f"c_{c}.csv" for c in ("color", "object", "part", "material", "scene", "texture")),
)


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    with zipfile.ZipFile(GOLDEN / "broden_mini.zip") as archive:
        archive.extractall(tmp_path)
    return tmp_path / "broden_mini"


def read(path: Path, **keys: Any) -> Broden:
    dataset = open_dataset({"source": "broden", "path": str(path), **keys})
    assert isinstance(dataset, Broden)
    return dataset


def edit(path: Path, change: Callable[[list[dict[str, str]]], None]) -> None:
    """Change the rows of a table."""
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        names, rows = list(reader.fieldnames or []), list(reader)
    change(rows)
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def expected(golden: Any, row: int, categories: list[str]) -> tuple[list[np.ndarray], list[int]]:
    layers = [layer for name in categories for layer in golden[f"pixels_{name}"][row] if layer.min() >= 0]
    numbers = [int(number) for name in categories for number in golden[f"scalars_{name}"][row] if number]
    return layers, numbers


def test_golden_folder(mini: Path) -> None:
    golden = np.load(GOLDEN / "broden_mini.npz")
    dataset = read(mini)
    categories = golden["categories"].tolist()
    assert sorted(dataset.categories) == sorted(categories)
    assert [label.number for label in dataset.concepts] == golden["label_numbers"].tolist()
    assert [label.name for label in dataset.concepts] == golden["label_names"].tolist()
    primary = [categories[position] for position in golden["primary_category"]]
    assert [label.category for label in dataset.concepts] == primary
    assert len(dataset) == 25 and set(dataset.splits) == {"train", "test"}
    seen: set[int] = set()
    for row in range(25):
        found = dataset.segmentation(row)
        layers, numbers = expected(golden, row, list(dataset.categories))
        np.testing.assert_array_equal(found.layers, layers)
        assert found.image_labels.tolist() == numbers
        assert dataset.image(row).shape == (56, 56, 3)
        seen |= set(np.unique(found.layers).tolist())
    assert {300, 513} <= seen  # above 255: red and green count


def test_label_number_is_red_plus_256_green(mini: Path) -> None:
    dataset = read(mini)
    (category, name) = dataset.row(0).maps[0]
    pixels = np.zeros((28, 28, 3), np.uint8)
    pixels[3, 4] = (1, 2, 99)
    Image.fromarray(pixels).save(mini / "images" / name)
    layer = dataset.segmentation(0).layers[0]
    assert category == "color" and layer[3, 4] == 513 and np.count_nonzero(layer) == 1


def test_writing_what_was_read_gives_it_back(mini: Path, tmp_path: Path) -> None:
    first = read(mini)
    write_broden(first, tmp_path / "copy")
    second = read(tmp_path / "copy")
    assert (first.concepts, first.categories) == (second.concepts, second.categories)
    assert first.ids.tolist() == second.ids.tolist() and first.splits.tolist() == second.splits.tolist()
    for row in range(len(first)):
        one, other = first.segmentation(row), second.segmentation(row)
        np.testing.assert_array_equal(one.layers, other.layers)
        np.testing.assert_array_equal(one.image_labels, other.image_labels)
        np.testing.assert_array_equal(first.image(row), second.image(row))
        assert [category for category, _ in first.row(row).maps] == [category for category, _ in second.row(row).maps]
    for name in TABLES:
        with open(mini / name, newline="") as old, open(tmp_path / "copy" / name, newline="") as new:
            for before, after in zip(csv.DictReader(old), csv.DictReader(new), strict=True):
                before.pop("syns", None), after.pop("syns", None)
                assert before == after, name


def test_scenes_written_as_broden(tmp_path: Path) -> None:
    scenes = open_dataset({"source": "scenes", "train": 4, "test": 2, "size": 32})
    write_broden(scenes, tmp_path / "scenes")
    dataset = read(tmp_path / "scenes")
    numbers = {label.number: label for label in scenes.concepts}
    for row in range(6):
        np.testing.assert_array_equal(dataset.image(row), scenes.image(row))
        one, other = scenes.segmentation(row), dataset.segmentation(row)
        assert _pixels(one) == _pixels(other)
        assert one.image_labels.tolist() == other.image_labels.tolist()
    present = {int(number) for row in range(6) for number in np.unique(dataset.segmentation(row).layers)} - {0}
    assert len(present) > 30
    assert {label for label in dataset.concepts if label.number in present} == {numbers[number] for number in present}


def _pixels(found: Segmentation) -> list[list[int]]:
    height, width = found.layers.shape[1:]
    return [sorted(set(found.layers[:, y, x].tolist()) - {0}) for y in range(0, height, 3) for x in range(0, width, 3)]


def test_choice_of_categories(mini: Path) -> None:
    golden = np.load(GOLDEN / "broden_mini.npz")
    dataset = read(mini, categories=["object", "material"])
    assert dataset.categories == ("object", "material")
    # Images that carry neither are dropped and counted.
    assert len(dataset) + dataset.index.notes["images without a label"] == 25 and len(dataset) < 25
    names = {label.name: label.category for label in dataset.concepts}
    assert "striped" not in names and "kitchen-s" not in names and "head" not in names
    assert names["wood"] == "material" and names["door"] == "object"
    for row, name in enumerate(dataset.ids):
        layers, numbers = expected(golden, int(name[6:9]), ["object", "material"])
        np.testing.assert_array_equal(dataset.segmentation(row).layers, layers)
        assert dataset.segmentation(row).image_labels.tolist() == numbers
    with pytest.raises(UserError, match=r"category\.csv' has no category 'animal'"):
        read(mini, categories=["animal"])


def test_primary_category_of_equal_coverage_is_the_last(mini: Path) -> None:
    def equal(rows: list[dict[str, str]]) -> None:
        for row in rows:
            if row["name"] in ("door", "fabric"):
                row["coverage"] = "2.0"

    for category in ("object", "part", "material"):
        edit(mini / f"c_{category}.csv", equal)
    names = {label.name: label.category for label in read(mini).concepts}
    assert names["door"] == "part"  # object, part
    assert names["fabric"] == "material"  # object, material


def test_a_label_without_coverage_goes_to_the_last_category(mini: Path) -> None:
    def drop(rows: list[dict[str, str]]) -> None:
        rows[:] = [row for row in rows if row["name"] != "head"]

    edit(mini / "c_part.csv", drop)
    assert {label.name: label.category for label in read(mini).concepts}["head"] == "texture"


def _set(column: str, value: str, row: int = 2) -> Callable[[list[dict[str, str]]], None]:
    def change(rows: list[dict[str, str]]) -> None:
        rows[row][column] = value

    return change


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("index.csv", _set("object", "syn/x.jpg"), r"index\.csv', line 4, has 'syn/x\.jpg' in the column 'object'"),
        ("index.csv", _set("object", "3.5"), r"line 4, has '3\.5'"),
        (
            "index.csv",
            _set("image", "syn/im000.png"),
            r"line 4, has the image 'syn/im000\.png', which is also in line 2",
        ),
        ("index.csv", _set("sh", "0"), r"line 4, has the sizes .* expected numbers from 1"),
        ("index.csv", _set("sw", "wide"), r"line 4, has 'wide' in the column 'sw'"),
        ("index.csv", _set("split", "dev"), r"line 4, has the split 'dev'"),
        ("index.csv", _set("image", ""), "line 4, names no image"),
        ("label.csv", _set("number", "1"), r"label\.csv', line 4, has the label number 1"),
        ("label.csv", _set("number", "one"), r"line 4, has 'one' in the column 'number'"),
        ("c_object.csv", _set("number", "77"), r"c_object\.csv', line 4, has the label number 77"),
        ("c_object.csv", _set("coverage", "much"), r"line 4, has the coverage 'much'"),
    ],
)
def test_wrong_tables(mini: Path, table: str, change: Callable[[list[dict[str, str]]], None], message: str) -> None:
    edit(mini / table, change)
    with pytest.raises(UserError, match=message):
        read(mini)


@pytest.mark.parametrize("name", ["index.csv", "category.csv", "label.csv", "c_part.csv"])
def test_missing_tables(mini: Path, name: str) -> None:
    (mini / name).unlink()
    with pytest.raises(UserError, match=rf"There is no file .*{name}"):
        read(mini)


def test_short_rows(mini: Path) -> None:
    path = mini / "index.csv"
    path.write_text(path.read_text().replace("syn/im003.png,val,56", "syn/im003.png,56", 1))
    with pytest.raises(UserError, match=r"line 5, does not have 12 cells"):
        read(mini)


def test_tables_in_another_encoding(mini: Path) -> None:
    (mini / "label.csv").write_bytes((mini / "label.csv").read_bytes().replace(b"door", b"T\xfcr"))
    with pytest.raises(UserError, match=r"label\.csv' cannot be read .*expected a CSV table in UTF-8"):
        read(mini)


def test_wrong_label_maps(mini: Path) -> None:
    dataset = read(mini)
    path = mini / "images" / dataset.row(0).maps[0][1]

    def fails(message: str) -> None:
        with pytest.raises(UserError, match=message):
            dataset.segmentation(0)

    Image.fromarray(np.zeros((28, 28), np.uint8)).save(path)
    fails(r"im000_color_1\.png' \(line 2 of index\.csv\) is greyscale or has a palette")
    Image.fromarray(np.zeros((28, 27, 3), np.uint8)).save(path)
    fails(r"im000_color_1\.png' has 28 x 27 pixels .* line 2 of index\.csv says 28 x 28")
    Image.fromarray(np.full((28, 28, 3), 200, np.uint8)).save(path)
    fails(r"has the label number 51400, which label\.csv lacks")
    path.unlink()
    fails("does not exist")


def test_unknown_image_label_and_paths_outside(mini: Path) -> None:
    edit(mini / "index.csv", _set("texture", "99", 4))
    edit(mini / "index.csv", _set("object", "../../secret.png", 5))
    dataset = read(mini)
    with pytest.raises(UserError, match=r"line 6 of index\.csv has the label number 99"):
        dataset.segmentation(4)
    with pytest.raises(UserError, match=r"line 7 of .*index\.csv' names .* outside"):
        dataset.segmentation(5)


def test_image_of_another_size(mini: Path) -> None:
    edit(mini / "index.csv", _set("ih", "57"))
    with pytest.raises(UserError, match=r"im002\.png' has 56 x 56 .* line 4 of index\.csv says 57 x 56"):
        read(mini).image(2)


def test_segmentation_file(mini: Path, tmp_path: Path) -> None:
    spec = {"source": "broden", "path": str(mini)}
    build_manifest(spec, tmp_path / "manifest.h5")
    build_segmentation(spec, tmp_path / "manifest.h5", tmp_path / "segmentation.h5")
    dataset = read(mini)
    depth = max(len(dataset.segmentation(row).layers) for row in range(25))
    with store.open_file(tmp_path / "segmentation.h5") as file:
        assert file["layers"].shape == (25, depth, 28, 28)
        offsets = file["image_label_offset"][...]
        for row in range(25):
            found = dataset.segmentation(row)
            np.testing.assert_array_equal(file["layers"][row, : len(found.layers)], found.layers)
            assert not file["layers"][row, len(found.layers) :].any()
            stored = file["image_label"][offsets[row] : offsets[row + 1]]
            np.testing.assert_array_equal(stored, found.image_labels)


def test_segmentation_file_of_whole_image_labels_alone(mini: Path, tmp_path: Path) -> None:
    spec = {"source": "broden", "path": str(mini), "categories": ["scene", "texture"]}
    build_manifest(spec, tmp_path / "manifest.h5")
    build_segmentation(spec, tmp_path / "manifest.h5", tmp_path / "segmentation.h5")
    with store.open_file(tmp_path / "segmentation.h5") as file:
        count = len(file["id"])
        assert file["layers"].shape == (count, 1, 28, 28) and not file["layers"][...].any()
        assert (np.diff(file["image_label_offset"][...]) > 0).all()


def test_nothing_is_written_outside(tmp_path: Path, save: Callable[..., Path]) -> None:
    save(tmp_path / "data" / "images" / "a.png")
    save(tmp_path / "data" / "labels" / "a.png", np.zeros((12, 16), np.uint8))
    table = '[{"value": 0, "name": "sky", "category": "x/../../../../escaped"}]'
    (tmp_path / "data" / "classes.json").write_text(table)
    dataset = open_dataset({"source": "segmentation", "path": str(tmp_path / "data")})
    with pytest.raises(UserError, match=r"names 'images/a_x/\.\./.*', which lies outside of"):
        write_broden(dataset, tmp_path / "deep" / "copy")
    assert not list(tmp_path.rglob("*escaped*"))


def test_writer_refuses(mini: Path, tmp_path: Path, segmented: Path) -> None:
    with pytest.raises(UserError, match="is not empty"):
        write_broden(read(mini), mini)
    void = open_dataset({"source": "segmentation", "path": str(segmented)})
    with pytest.raises(UserError, match="has void pixels"):
        write_broden(void, tmp_path / "new")
    flat = open_dataset({"source": "folder", "path": str(mini / "images"), "layout": "flat"})
    with pytest.raises(UserError, match="has no masks"):
        write_broden(flat, tmp_path / "newer")

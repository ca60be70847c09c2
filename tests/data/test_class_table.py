from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from intermodel.data.class_table import ClassTable, read_class_table
from intermodel.data.dataset import Label
from intermodel.engine.errors import UserError


def table(path: Path, content: object, **more: object) -> ClassTable:
    if isinstance(content, str):
        path = path / "classes.csv"
        path.write_text(content, encoding="utf-8")
    else:
        path = path / "classes.json"
        path.write_text(json.dumps(content))
    return read_class_table(path, **more)  # type: ignore[arg-type]


def test_names_count_from_zero_and_become_labels_from_one(tmp_path: Path) -> None:
    found = table(tmp_path, {"classes": ["sky", "road"], "void": 11, "size": [3, 4]})
    assert found.labels == (Label(1, "sky", "object"), Label(2, "road", "object"))
    layer, valid = found.decode(np.array([[0, 1, 11]]), "it")
    np.testing.assert_array_equal(layer, [[1, 2, 0]])
    np.testing.assert_array_equal(valid, [[True, True, False]])


@pytest.mark.parametrize(
    "content",
    [
        {"7": "sky", "300": "road"},
        [{"value": 7, "name": "sky"}, {"value": 300, "name": "road"}],
        {"classes": [{"value": 7, "name": "sky"}, {"value": 300, "name": "road"}]},
        "value,name\n7,sky\n300,road\n",
        "value, name, category\n7, sky,\n300, road, object\n",
    ],
)
def test_forms(tmp_path: Path, content: object) -> None:
    found = table(tmp_path, content)
    assert [label.name for label in found.labels] == ["sky", "road"]
    assert found.values == (7, 300)
    layer, valid = found.decode(np.array([[300, 7]]), "it")
    assert layer.tolist() == [[2, 1]] and layer.dtype == np.uint16 and valid is None


def test_categories(tmp_path: Path) -> None:
    found = table(tmp_path, "value,name,category\n1,wheel,part\n2,car,\n3,door,part\n", category="object")
    assert found.categories == ("part", "object")
    assert found.labels[1] == Label(2, "car", "object")


def test_colours(tmp_path: Path) -> None:
    found = table(tmp_path, "name,r,g,b\nsky,128,128,128\nroad,128,64,128\nVoid,0,0,0\n")
    pixels = np.array([[[128, 64, 128], [0, 0, 0], [128, 128, 128]]], np.uint8)
    layer, valid = found.decode(pixels, "it")
    assert layer.tolist() == [[2, 0, 1]] and valid is not None and valid.tolist() == [[True, False, True]]
    with pytest.raises(UserError, match=r"value \(1, 2, 3\) at 1 pixels"):
        found.decode(np.array([[[1, 2, 3]]], np.uint8), "it")
    with pytest.raises(UserError, match="single channel"):
        found.decode(np.zeros((2, 2), np.int32), "it")


def test_void_and_unlabelled(tmp_path: Path) -> None:
    rows = "value,name\n0,unlabeled\n1,sky\n2,ignore\n3,road\n"
    found = table(tmp_path, rows)
    assert (set(found.void), set(found.unlabelled)) == ({2}, {0})
    assert [label.name for label in found.labels] == ["sky", "road"]
    found = table(tmp_path, rows, void=[3, 255])
    assert found.void == {2, 3, 255} and [label.name for label in found.labels] == ["sky"]
    found = table(tmp_path, {"classes": ["sky"], "void": 9}, void=8, unlabelled=[7])
    assert (set(found.void), set(found.unlabelled)) == ({8}, {7})


def test_unknown_values_are_counted(tmp_path: Path) -> None:
    found = table(tmp_path, {"classes": ["sky"]})
    with pytest.raises(UserError, match=r"the map m\.png has the value 5 at 3 pixels"):
        found.decode(np.array([[0, 5, 5, 5]]), "the map m.png")
    with pytest.raises(UserError, match="is an RGB image"):
        found.decode(np.zeros((2, 2, 3), np.uint8), "the map m.png")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"classes": []}, "names no class"),
        ({"classes": ["sky", "sky"]}, r"names 'sky \(object\)' twice"),
        ([{"value": 1, "name": "a"}, {"value": 1, "name": "b"}], "gives the value 1 to two classes"),
        ([{"name": "a"}], "cannot be read"),
        ({"classes": 3}, "cannot be read"),
        ({"classes": ["sky"], "void": "black"}, "cannot be read"),
        ({str(value): str(value) for value in range(70_000)}, "names 70000 classes; expected 1 to 65,535"),
        ("value,name\n1,sky\x00\n" + "x" * 200_000, "cannot be read"),
        ("value,title\n1,sky\n", "cannot be read"),
        ("name,r,g,b\nsky,1,2,x\n", "cannot be read"),
    ],
)
def test_wrong_tables(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        table(tmp_path, content)


def test_what_is_no_text_is_named(tmp_path: Path) -> None:
    for name in ("classes.csv", "classes.json"):
        (tmp_path / name).write_bytes(b"value,name\n1,stra\xdfe\n")
        with pytest.raises(UserError, match=rf"{name}' cannot be read"):
            read_class_table(tmp_path / name)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(UserError, match=r"deep\.json' cannot be read"):
        read_class_table(tmp_path / "deep.json")


def test_missing_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no file"):
        read_class_table(tmp_path / "none.json")

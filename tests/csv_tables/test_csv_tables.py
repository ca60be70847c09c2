"""CSV tables: what is written is what is read, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.csv_tables import read_table, write_table
from intermodel.engine.errors import UserError

# Names of models, concepts and classes hold no line ends of their own, but commas, quotes and any letter.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
COLUMNS = st.integers(0, 6).flatmap(
    lambda rows: st.tuples(
        st.lists(st.floats(allow_infinity=True), min_size=rows, max_size=rows),
        st.lists(st.integers(-(2**53), 2**53), min_size=rows, max_size=rows),
        st.lists(TEXT, min_size=rows, max_size=rows),
    )
)


@settings(deadline=None)
@given(COLUMNS)
def test_columns_survive_exactly(tmp_path_factory: pytest.TempPathFactory, columns: Any) -> None:
    floats, integers, texts = columns
    path = tmp_path_factory.mktemp("table") / "table.csv"
    write_table(path, {"share": np.array(floats), "count": integers, "unit, of": texts})
    table = read_table(path, text=["unit, of"])
    assert list(table) == ["share", "count", "unit, of"]
    np.testing.assert_array_equal(table["share"], np.array(floats, dtype=float))
    assert table["count"].astype(int).tolist() == integers
    assert table["unit, of"].tolist() == texts


def test_rows_and_columns_give_the_same_file(tmp_path: Path) -> None:
    rows = [{"model": "a", "value": 0.1}, {"model": "b", "value": np.float32(0.1)}]
    write_table(tmp_path / "rows.csv", rows)
    write_table(tmp_path / "columns.csv", {"model": ["a", "b"], "value": [0.1, np.float32(0.1)]})
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "columns.csv").read_bytes()
    assert (tmp_path / "rows.csv").read_text() == "model,value\na,0.1\nb,0.10000000149011612\n"


def test_cells_of_every_kind(tmp_path: Path) -> None:
    write_table(
        tmp_path / "a.csv",
        {"x": [None, np.nan, 1, np.int64(2), np.bool_(True), False, 1e-300, 'say "a, b"']},
    )
    assert (tmp_path / "a.csv").read_text().splitlines()[1:] == [
        *('""', '""', "1", "2", "true", "false", "1e-300", '"say ""a, b"""')
    ]


def test_empty_cells_are_nan_among_numbers_and_empty_among_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("number,name\n1,\n,b\n")
    table = read_table(tmp_path / "a.csv")
    np.testing.assert_array_equal(table["number"], [1.0, np.nan])
    assert table["name"].tolist() == ["", "b"]


def test_classes_called_by_numbers_stay_text_on_request(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", {"class": ["0", "1"]})
    assert read_table(tmp_path / "a.csv")["class"].dtype == float
    assert read_table(tmp_path / "a.csv", text={"class"})["class"].tolist() == ["0", "1"]


def test_tables_without_rows(tmp_path: Path) -> None:
    write_table(tmp_path / "columns.csv", {"model": [], "value": []})
    assert {name: len(column) for name, column in read_table(tmp_path / "columns.csv").items()} == {
        "model": 0,
        "value": 0,
    }
    write_table(tmp_path / "nothing.csv", [])
    assert read_table(tmp_path / "nothing.csv") == {}


def test_tables_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.csv does not exist"):
        read_table(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("model,value\na,1\nb\n")
    with pytest.raises(UserError, match=r"a\.csv, line 3, has 1 cells, expected 2"):
        read_table(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="shorter"):
        write_table(tmp_path / "b.csv", {"x": [1, 2], "y": [1]})
    with pytest.raises(KeyError):
        write_table(tmp_path / "b.csv", [{"x": 1}, {"y": 1}])
    assert not (tmp_path / "b.csv").exists()

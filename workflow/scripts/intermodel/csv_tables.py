"""CSV tables: written atomically, read as columns."""

from __future__ import annotations

import csv
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.engine.publish import publish


def write_table(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]) -> None:
    """Write a CSV file atomically, from rows (dicts with equal keys) or from columns.

    Floats are written with all their digits, NaN and None as empty cells, booleans as true and false.
    """
    if isinstance(rows, Mapping):
        names = list(rows)
        lines: Iterable[Iterable[Any]] = zip(*(rows[name] for name in names), strict=True)
    else:
        names = list(rows[0]) if rows else []
        lines = ([row[name] for name in names] for row in rows)
    with publish(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(value) for value in line] for line in lines)


def read_table(path: str | os.PathLike[str], text: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """Read a CSV file as columns: float64 where every cell is a number or empty (NaN), otherwise str.

    Columns named in `text` stay str, also when all their cells are numbers (classes called 0, 1, 2, …).
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; run the workflow to make it.")
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        names = next(reader, [])
        lines = list(reader)
    for number, line in enumerate(lines, 2):
        if len(line) != len(names):
            raise UserError(f"{path}, line {number}, has {len(line)} cells, expected {len(names)} as in its heading.")
    columns: dict[str, NDArray[Any]] = {}
    for position, name in enumerate(names):
        cells = [line[position] for line in lines]
        columns[name] = np.array(cells, dtype=np.str_) if name in text else _column(cells)
    return columns


def _column(cells: list[str]) -> NDArray[Any]:
    try:
        return np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.array(cells, dtype=np.str_)


def _cell(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else value

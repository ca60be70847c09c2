"""The tables of a Broden folder: index.csv, category.csv, label.csv and c_<category>.csv."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from intermodel.data.dataset import Label
from intermodel.engine.errors import UserError

#: Columns of index.csv that are not categories.
INDEX_COLUMNS = ("image", "split", "ih", "iw", "sh", "sw")


@dataclass(frozen=True)
class Row:
    """One image of index.csv.

    Attributes
    ----------
    image
        Path below ``images/``.
    split
        ``"train"`` or ``"val"``.
    image_size, map_size
        (height, width) of the image and of its label maps.
    maps
        (category, png below ``images/``) of every label layer, in the order of the categories.
    image_labels
        (category, number) of every label of the whole image.
    line
        Its line in index.csv, for error messages.
    """

    image: str
    split: str
    image_size: tuple[int, int]
    map_size: tuple[int, int]
    maps: tuple[tuple[str, str], ...]
    image_labels: tuple[tuple[str, int], ...]
    line: int


@dataclass(frozen=True)
class Tables:
    """A Broden folder without its pixels.

    Attributes
    ----------
    categories
        In the order of category.csv, or as asked for.
    labels
        Every label of these categories with its primary category.
    rows
        Images with at least one label in these categories.
    dropped
        Number of images without.
    """

    categories: tuple[str, ...]
    labels: tuple[Label, ...]
    rows: tuple[Row, ...]
    dropped: int


def read_tables(root: Path, wanted: Sequence[str] | None = None) -> Tables:
    """Read and check the tables.

    Parameters
    ----------
    root
        The folder with index.csv.
    wanted
        Categories to read; all of category.csv by default.

    Raises
    ------
    UserError
        With file and line, if a table is missing or holds what the format does not allow.
    """
    known = [row["name"] for _, row in _read(root / "category.csv", ("name",))]
    categories = tuple(known if wanted is None else wanted)
    if not categories or len(set(categories)) != len(categories):
        raise UserError(f"The data set's `categories` are {list(categories)}; expected each of some names once.")
    for category in categories:
        if category not in known:
            raise UserError(
                f"{str(root / 'category.csv')!r} has no category {category!r}; it has {', '.join(known)}: correct "
                "`categories` in the study."
            )
    labels = _labels(root, categories, whole=set(categories) == set(known))
    rows, dropped = _rows(root, categories)
    return Tables(categories, labels, rows, dropped)


def _labels(root: Path, categories: tuple[str, ...], whole: bool) -> tuple[Label, ...]:
    path = root / "label.csv"
    names: dict[int, str] = {}
    listed: dict[int, set[str]] = {}
    for line, row in _read(path, ("number", "name", "category")):
        number = _whole(row["number"], path, line, "number")
        if number < 1 or number > 65535 or number in names:
            raise UserError(
                f"{str(path)!r}, line {line}, has the label number {number}; expected each from 1 to 65535 once."
            )
        names[number] = row["name"]
        listed[number] = {part.split("(")[0].strip() for part in row["category"].split(";")}
    # The category that covers most of a label; of equal ones, and for labels without coverage, the last.
    best: dict[int, tuple[float, str]] = {}
    for category in categories:
        table = root / f"c_{category}.csv"
        for line, row in _read(table, ("number", "coverage")):
            number = _whole(row["number"], table, line, "number")
            if number not in names:
                raise UserError(f"{str(table)!r}, line {line}, has the label number {number}, which label.csv lacks.")
            try:
                coverage = float(row["coverage"])
            except ValueError:
                raise UserError(
                    f"{str(table)!r}, line {line}, has the coverage {row['coverage']!r}, expected a number."
                ) from None
            if coverage > 0 and coverage >= best.get(number, (0.0, ""))[0]:
                best[number] = (coverage, category)
    return tuple(
        Label(number, name, best.get(number, (0.0, categories[-1]))[1])
        for number, name in sorted(names.items())
        if whole or number in best or listed[number] & set(categories)
    )


def _rows(root: Path, categories: tuple[str, ...]) -> tuple[tuple[Row, ...], int]:
    path = root / "index.csv"
    rows: list[Row] = []
    seen: dict[str, int] = {}
    dropped = 0
    for line, cells in _read(path, (*INDEX_COLUMNS, *categories)):
        where = f"{str(path)!r}, line {line},"
        image, split = cells["image"], cells["split"]
        if not image:
            raise UserError(f"{where} names no image.")
        if image in seen:
            raise UserError(f"{where} has the image {image!r}, which is also in line {seen[image]}; remove one.")
        seen[image] = line
        if split not in ("train", "val", "test"):
            raise UserError(f"{where} has the split {split!r}, expected train or val.")
        sizes = [_whole(cells[name], path, line, name) for name in ("ih", "iw", "sh", "sw")]
        if min(sizes) < 1:
            raise UserError(f"{where} has the sizes ih, iw, sh, sw = {sizes}, expected numbers from 1.")
        maps: list[tuple[str, str]] = []
        numbers: list[tuple[str, int]] = []
        for category in categories:
            for item in filter(None, (part.strip() for part in cells[category].split(";"))):
                if item.isdecimal():
                    numbers.append((category, int(item)))
                elif item.lower().endswith(".png"):
                    maps.append((category, item))
                else:
                    raise UserError(
                        f"{where} has {item!r} in the column {category!r}, expected label numbers or .png files, "
                        "separated by semicolons."
                    )
        if maps or numbers:
            height, width, rows_of_map, columns = sizes
            rows.append(Row(image, split, (height, width), (rows_of_map, columns), tuple(maps), tuple(numbers), line))
        else:
            dropped += 1
    return tuple(rows), dropped


def _read(path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Rows of a table with their line numbers; `columns` must be there."""
    if not path.is_file():
        raise UserError(f"There is no file {str(path)!r}; a Broden folder holds index.csv, category.csv, label.csv and "
                        "one c_<category>.csv for each category.")  # fmt: skip
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            return _rows_of(csv.DictReader(file, restval=None), path, columns)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{str(path)!r} cannot be read ({error}); expected a CSV table in UTF-8.") from error


def _rows_of(reader: csv.DictReader[str], path: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    missing = [column for column in columns if column not in (reader.fieldnames or [])]
    if missing:
        raise UserError(
            f"{str(path)!r} has no column {missing[0]!r}; it has {', '.join(reader.fieldnames or []) or 'none'}."
        )
    rows = []
    for row in reader:
        if None in row or None in row.values():
            raise UserError(
                f"{str(path)!r}, line {reader.line_num}, does not have {len(reader.fieldnames or [])} cells as its "
                "heading has."
            )
        rows.append((reader.line_num, row))
    return rows


def _whole(text: str, path: Path, line: int, column: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(
            f"{str(path)!r}, line {line}, has {text!r} in the column {column!r}, expected a whole number."
        ) from None

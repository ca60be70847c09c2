"""Tables that say which value of a label map stands for what."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.data.dataset import Label
from intermodel.engine.errors import UserError

VOID_NAMES = ("void", "ignore")
UNLABELLED_NAMES = ("unlabelled", "unlabeled")
MOST_LABELS = 2**16 - 1  # label maps are stored with 16 bits, 0 is unlabelled

#: A value of a greyscale label map, or R * 65536 + G * 256 + B of a coloured one.
Value = int


@dataclass(frozen=True)
class ClassTable:
    """Meaning of the values of label maps.

    Attributes
    ----------
    labels
        The concepts, numbered from 1 in the order of the table.
    values
        The value of each concept in the label maps.
    void
        Values of pixels that are left out of every count.
    unlabelled
        Values of pixels that carry no concept.
    colored
        Whether values are colours.
    name
        The table's file, for error messages.
    """

    labels: tuple[Label, ...]
    values: tuple[Value, ...]
    void: frozenset[Value]
    unlabelled: frozenset[Value]
    colored: bool
    name: str

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories in the order in which they first occur."""
        return tuple(dict.fromkeys(label.category for label in self.labels))

    def decode(self, pixels: NDArray[np.integer], where: str) -> tuple[NDArray[np.uint16], NDArray[np.bool_] | None]:
        """Label numbers of a label map, and which pixels are not void (None if the table knows no void).

        Parameters
        ----------
        pixels
            (..., H, W) values or, for a coloured table, (H, W, 3).
        where
            What the pixels are, for error messages.

        Raises
        ------
        UserError
            If a value is not in the table.
        """
        if self.colored:
            if pixels.ndim != 3 or pixels.shape[2] != 3:
                raise UserError(f"{where} has a single channel, but {self.name} names colours (columns r, g, b)")
            wide = pixels.astype(np.int64)
            pixels = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
        elif pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8:
            raise UserError(
                f"{where} is an RGB image, expected one channel (greyscale or palette), or a table with the columns "
                f"name, r, g, b instead of {self.name}"
            )
        present, inverse = _distinct(pixels)
        number = {value: label.number for value, label in zip(self.values, self.labels)}
        unknown = [int(v) for v in present if int(v) not in number and int(v) not in self.void | self.unlabelled]
        if unknown:
            pixel_count = int(np.isin(pixels, unknown).sum())
            raise UserError(
                f"{where} has the value {self._show(unknown[0])} at {pixel_count} pixels, which {self.name} does not "
                "name; add it there, or to `void` or `unlabelled` in the study"
            )
        table = np.array([number.get(int(value), 0) for value in present], np.uint16)
        layer = table[inverse].reshape(pixels.shape)
        if not self.void:
            return layer, None
        keep = np.array([int(value) not in self.void for value in present])
        return layer, keep[inverse].reshape(pixels.shape)

    def _show(self, value: int) -> str:
        return str((value >> 16, (value >> 8) & 255, value & 255)) if self.colored else str(value)


def _distinct(pixels: NDArray[np.integer]) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """As `numpy.unique` with the inverse, without sorting where values are small."""
    if pixels.size == 0 or pixels.min() < 0 or pixels.max() > 0xFFFF:
        return np.unique(pixels, return_inverse=True)
    present = np.flatnonzero(np.bincount(pixels.ravel()))
    position = np.zeros(int(present[-1]) + 1, np.intp)
    position[present] = np.arange(len(present))
    return present, position[pixels]


def read_class_table(
    path: str | os.PathLike[str],
    category: str = "object",
    void: int | Iterable[int] | None = None,
    unlabelled: int | Iterable[int] | None = None,
) -> ClassTable:
    """Read a class table.

    Parameters
    ----------
    path
        A JSON file, ``{"classes": [...], "void": 11}`` where the classes are names (their values count from 0) or
        ``{"value": 3, "name": "car", "category": "object"}``, or ``{"0": "sky", ...}``; or a CSV file with the columns
        ``value,name`` or ``name,r,g,b``, and optionally ``category``. A row called void or unlabelled is taken so.
    category
        Category of the classes that have none.
    void, unlabelled
        Further values that are void or carry no label; they override the table's `void` and `unlabelled`.

    Raises
    ------
    UserError
        If the file is missing or does not have this form.
    """
    path = Path(path)
    name = f"the class table {str(path)!r}"
    if not path.is_file():
        raise UserError(f"There is no file {str(path)!r}; it should be the table of the classes (JSON or CSV).")
    try:
        if path.suffix.lower() == ".csv":
            rows, settings = _rows_of_csv(path)
        else:
            rows, settings = _rows_of_json(json.loads(path.read_text(encoding="utf-8-sig")))
        voids = _values(settings.get("void") if void is None else void)
        blanks = _values(settings.get("unlabelled") if unlabelled is None else unlabelled)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, csv.Error) as error:
        raise UserError(
            f'{name} cannot be read ({error}); expected JSON such as {{"classes": ["sky", "road"], "void": 255}} '
            "or CSV with the columns value,name[,category] or name,r,g,b[,category]."
        ) from error
    kept: list[Mapping[str, Any]] = []
    for row in rows:
        if row["name"].lower() in VOID_NAMES:
            voids |= {row["value"]}
        elif row["name"].lower() in UNLABELLED_NAMES:
            blanks |= {row["value"]}
        elif row["value"] not in voids | blanks:
            kept.append(row)
    if not 0 < len(kept) <= MOST_LABELS:
        raise UserError(f"{name} names {len(kept) or 'no'} class{'es' if kept else ''}; expected 1 to {MOST_LABELS:,}.")
    labels = tuple(Label(number, row["name"], row.get("category") or category) for number, row in enumerate(kept, 1))
    _check_unique([row["value"] for row in kept], f"{name} gives the value", "to two classes")
    _check_unique([f"{label.name} ({label.category})" for label in labels], f"{name} names", "twice")
    return ClassTable(
        labels, tuple(row["value"] for row in kept), frozenset(voids), frozenset(blanks),
        any("r" in row for row in rows), name,
    )  # fmt: skip


def _rows_of_json(content: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    settings: dict[str, Any] = {}
    if isinstance(content, dict) and "classes" in content:
        content, settings = content["classes"], content
    if isinstance(content, dict):
        content = [{"value": int(value), "name": name} for value, name in content.items()]
    rows = []
    for position, item in enumerate(content):
        row: dict[str, Any] = {"value": position, "name": item} if isinstance(item, str) else dict(item)
        rows.append({**row, "value": int(row["value"]), "name": str(row["name"])})
    return rows, settings


def _rows_of_csv(path: Path) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        rows = [{str(key).strip().lower(): (cell or "").strip() for key, cell in row.items()} for row in reader]
    result: list[dict[str, Any]] = []
    for row in rows:
        entry: dict[str, Any] = {"name": row["name"], "category": row.get("category", "")}
        if "value" in row:
            entry["value"] = int(str(row["value"]))
        else:
            red, green, blue = (int(str(row[channel])) for channel in "rgb")
            entry |= {"r": red, "value": (red << 16) | (green << 8) | blue}
        result.append(entry)
    return result, {}


def _values(values: int | Iterable[int] | None) -> set[int]:
    if values is None:
        return set()
    return {values} if isinstance(values, int) else {int(value) for value in values}


def _check_unique(items: list[Any], start: str, end: str) -> None:
    seen: set[Any] = set()
    for item in items:
        if item in seen:
            raise UserError(f"{start} {item!r} {end}; correct it.")
        seen.add(item)

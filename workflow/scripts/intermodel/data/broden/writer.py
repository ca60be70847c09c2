"""Write a data set with masks as a Broden folder, for other tools or to keep."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from intermodel.data.broden.reader import Broden
from intermodel.data.broden.tables import INDEX_COLUMNS
from intermodel.data.dataset import Dataset
from intermodel.data.image_file import encode_png
from intermodel.data.walk import inner_path
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.publish import publish

#: (category, (H, W) label numbers, 0 = unlabelled) and (category, label number of the whole image).
Layers = list[tuple[str, NDArray[np.uint16]]]
ImageLabels = list[tuple[str, int]]


@dataclass
class _Sums:
    """What the tables tell about one label in one category."""

    images: int = 0
    coverage: float = 0.0


def write_broden(dataset: Dataset, folder: str | os.PathLike[str]) -> None:
    """Write images (PNG), label maps and tables.

    Every label map holds labels of one category. Where `dataset` is itself a Broden folder, its columns and layers are
    kept; otherwise a label goes to the column of its primary category. All labels are written, also rare ones, and
    keep their numbers.

    Parameters
    ----------
    dataset
        A data set with masks and without void pixels, for which the format has no place.
    folder
        Where to; must be empty or not exist.

    Raises
    ------
    UserError
        If the data set has no masks or has void pixels, or the folder is not empty.
    """
    root = Path(folder)
    if not dataset.has_masks:
        raise UserError(f"The data set (source {dataset.source!r}) has no masks, which a Broden folder consists of.")
    if root.exists() and any(root.iterdir()):
        raise UserError(f"The folder {str(root)!r} is not empty; name a new one.")
    sums: dict[tuple[str, int], _Sums] = {}
    index: list[list[object]] = []
    names = _unique_stems(dataset.ids.tolist())
    for i in progress(range(len(dataset)), label="write Broden"):
        image = dataset.image(i)
        layers, image_labels, size = _by_category(dataset, i)
        _add(sums, layers, image_labels, size)
        _write(root / "images", f"{names[i]}.png", encode_png(image))
        cells: dict[str, list[str]] = {category: [] for category in dataset.categories}
        for category, layer in layers:
            name = f"{names[i]}_{category}_{len(cells[category]) + 1}.png"
            rgb = np.stack([layer & 255, layer >> 8, np.zeros_like(layer)], axis=-1).astype(np.uint8)
            _write(root / "images", name, encode_png(rgb))
            cells[category].append(name)
        for category, number in image_labels:
            cells[category].append(str(number))
        split = "train" if dataset.splits[i] == "train" else "val"
        index.append([f"{names[i]}.png", split, *image.shape[:2], *size, *(";".join(cell) for cell in cells.values())])
    _write_tables(root, dataset, sums)
    _table(root / "index.csv", [*INDEX_COLUMNS, *dataset.categories], index)


def _by_category(dataset: Dataset, i: int) -> tuple[Layers, ImageLabels, tuple[int, int]]:
    found = dataset.segmentation(i)
    height, width = found.layers.shape[1:]
    if found.valid is not None and not found.valid.all():
        raise UserError(f"The image {str(dataset.ids[i])!r} has void pixels, for which a Broden folder has no place.")
    if isinstance(dataset, Broden):
        row = dataset.row(i)
        return [(category, layer) for (category, _), layer in zip(row.maps, found.layers)], [*row.image_labels], (
            height, width,
        )  # fmt: skip
    primary = {label.number: label.category for label in dataset.concepts}
    layers: Layers = []
    for layer in found.layers:
        present = [int(number) for number in np.unique(layer) if number]
        for category in dataset.categories:
            numbers = [number for number in present if primary[number] == category]
            if numbers:
                layers.append((category, np.where(np.isin(layer, numbers), layer, 0).astype(np.uint16)))
    return layers, [(primary[int(number)], int(number)) for number in found.image_labels], (height, width)


def _add(sums: dict[tuple[str, int], _Sums], layers: Layers, image_labels: ImageLabels, size: tuple[int, int]) -> None:
    """Count an image; as in Broden, a pixel that has a label in two layers covers two pixels."""
    covered: dict[tuple[str, int], float] = {}
    for category, layer in layers:
        numbers, pixels = np.unique(layer[layer > 0], return_counts=True)
        for number, count in zip(numbers.tolist(), pixels.tolist()):
            covered[category, number] = covered.get((category, number), 0.0) + count / layer.size
    for category, number in image_labels:
        covered[category, number] = 1.0
    for key, share in covered.items():
        entry = sums.setdefault(key, _Sums())
        entry.images += 1
        entry.coverage += share


def _write_tables(root: Path, dataset: Dataset, sums: Mapping[tuple[str, int], _Sums]) -> None:
    names = {label.number: label.name for label in dataset.concepts}
    categories: list[list[object]] = []
    for category in dataset.categories:
        entries = sorted(
            ((number, entry) for (other, number), entry in sums.items() if other == category),
            key=lambda item: (-item[1].coverage, item[0]),
        )
        rows = [
            [code, number, names[number], entry.images, f"{entry.coverage:.6f}"]
            for code, (number, entry) in enumerate(entries, 1)
        ]
        _table(root / f"c_{category}.csv", ["code", "number", "name", "frequency", "coverage"], rows)
        numbers = [number for number, _ in entries] or [0]
        frequency = sum(entry.images for _, entry in entries)
        categories.append([category, min(numbers), max(numbers), len(entries), frequency])
    _table(root / "category.csv", ["name", "first", "last", "count", "frequency"], categories)
    labels = []
    for label in dataset.concepts:
        found = {category: entry for (category, number), entry in sums.items() if number == label.number}
        told = ";".join(f"{category}({found[category].images})" for category in sorted(found)) or label.category
        frequency = sum(entry.images for entry in found.values())
        coverage = sum(entry.coverage for entry in found.values())
        labels.append([label.number, label.name, told, frequency, f"{coverage:.6f}", ""])
    _table(root / "label.csv", ["number", "name", "category", "frequency", "coverage", "syns"], labels)


def _unique_stems(ids: Sequence[str]) -> list[str]:
    """Names without suffix; with it where two images would share one."""
    stems = [str(PurePosixPath(name).with_suffix("")) for name in ids]
    counts: dict[str, int] = {}
    for stem in stems:
        counts[stem] = counts.get(stem, 0) + 1
    return [stem if counts[stem] == 1 else name.replace(".", "_") for stem, name in zip(stems, ids)]


def _write(folder: Path, name: str, content: bytes) -> None:
    # The tables come last, so that a folder with an index is whole.
    path = inner_path(folder, name, "The data set")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _table(path: Path, heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with publish(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heading)
        writer.writerows(rows)

"""A Broden folder as a data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.data.broden.tables import Row, Tables, read_tables
from intermodel.data.dataset import Dataset, Index, Segmentation, make_index
from intermodel.data.image_file import file_digest, read_image, read_label_map
from intermodel.data.options import REQUIRED, options
from intermodel.data.walk import inner_path
from intermodel.engine.errors import UserError

KEYS: dict[str, Any] = {"path": REQUIRED, "categories": None}


def index_broden(spec: Mapping[str, Any]) -> Index:
    """Read the tables; ids are image paths, ``val`` counts as test.

    Raises
    ------
    UserError
        See `tables.read_tables`.
    """
    values = options(spec, KEYS)
    tables = read_tables(Path(values["path"]), values["categories"])
    return make_index(
        [row.image for row in tables.rows],
        splits=["train" if row.split == "train" else "test" for row in tables.rows],
        categories=tables.categories,
        concepts=tables.labels,
        notes={"images without a label": tables.dropped},
        where=f"The Broden folder {values['path']!r}",
    )


class Broden(Dataset):
    """Images with label maps in several categories and labels of whole images."""

    source = "broden"

    def __init__(self, spec: Mapping[str, Any], index: Index) -> None:
        super().__init__(index)
        values = options(spec, KEYS)
        self.root = Path(values["path"])
        self.tables: Tables = read_tables(self.root, values["categories"])
        self._rows = {row.image: row for row in self.tables.rows}
        highest = max((label.number for label in self.concepts), default=0)
        self._known = np.zeros(highest + 1, np.bool_)
        self._known[[0, *(label.number for label in self.concepts)]] = True

    def row(self, i: int) -> Row:
        """The line of index.csv that is image i."""
        name = str(self.ids[i])
        if name not in self._rows:
            raise UserError(f"the image {name!r} is not in {str(self.root / 'index.csv')!r} any more; run again")
        return self._rows[name]

    def image(self, i: int) -> NDArray[np.uint8]:
        row = self.row(i)
        pixels = read_image(self._path(row, row.image))
        if pixels.shape[:2] != row.image_size:
            raise UserError(
                f"the image {row.image!r} has {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width), line "
                f"{row.line} of index.csv says {row.image_size[0]} x {row.image_size[1]}"
            )
        return pixels

    def content(self, i: int) -> bytes:
        row = self.row(i)
        return file_digest(self._path(row, row.image))

    def segmentation(self, i: int) -> Segmentation:
        row = self.row(i)
        layers = np.empty((len(row.maps), *row.map_size), np.uint16)
        for position, (_, name) in enumerate(row.maps):
            layers[position] = self._layer(row, name)
        numbers = np.array([number for _, number in row.image_labels], np.int64)
        self._check(numbers, f"line {row.line} of index.csv")
        return Segmentation(layers, numbers.astype(np.uint16))

    def _layer(self, row: Row, name: str) -> NDArray[np.uint16]:
        path = self._path(row, name)
        pixels = read_label_map(path)
        if pixels.ndim != 3:
            raise UserError(
                f"the label map {str(path)!r} (line {row.line} of index.csv) is greyscale or has a palette, expected "
                "RGB with label number = R + 256 G"
            )
        if pixels.shape[:2] != row.map_size:
            raise UserError(
                f"the label map {str(path)!r} has {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width), line "
                f"{row.line} of index.csv says {row.map_size[0]} x {row.map_size[1]}"
            )
        layer = (pixels[..., 0] + pixels[..., 1].astype(np.int32) * 256).astype(np.uint16)
        self._check(layer, f"the label map {str(path)!r}")
        return layer

    def _check(self, numbers: NDArray[np.integer], where: str) -> None:
        present = np.unique(numbers)
        unknown = present[(present >= len(self._known)) | ~self._known[np.minimum(present, len(self._known) - 1)]]
        if unknown.size:
            raise UserError(
                f"{where} has the label number {int(unknown[0])}, which label.csv lacks or has in none of the "
                f"categories {', '.join(self.categories)}"
            )

    def _path(self, row: Row, name: str) -> Path:
        return inner_path(self.root / "images", name, f"line {row.line} of {str(self.root / 'index.csv')!r}")

"""From a specification to a data set."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.data.arrays import Arrays, index_arrays
from intermodel.data.broden.reader import Broden, index_broden
from intermodel.data.dataset import Dataset, Index
from intermodel.data.folder import Folder, index_folder
from intermodel.data.manifest_file import read_manifest
from intermodel.data.scenes.source import Scenes, index_scenes
from intermodel.data.segmentation_folder import SegmentationFolder, index_segmentation
from intermodel.data.torchvision_sets import Torchvision, index_torchvision
from intermodel.engine.errors import UserError

IMAGES_FILE = "images.h5"


def open_dataset(spec: Mapping[str, Any], manifest: str | os.PathLike[str] | None = None) -> Dataset:
    """Open a data set.

    Parameters
    ----------
    spec
        ``source`` and its keys; see docs/data.md.
    manifest
        The data set's manifest, if it has been made: ids, classes and splits then come from there, without looking
        through the folder again.

    Raises
    ------
    UserError
        If the specification is wrong or the data cannot be read.
    """
    source = spec.get("source")
    if source not in _SOURCES:
        raise UserError(f"The data set has the source {source!r}; expected one of {', '.join(_SOURCES)}.")
    scan, build = _SOURCES[source]
    if manifest is not None:
        found = read_manifest(manifest)
        if found.source != source:
            raise UserError(
                f"{str(manifest)!r} is the manifest of a data set of source {found.source!r}, expected {source!r}; "
                "give that of this data set."
            )
        index = found.index
        if source == "scenes":
            images = Path(manifest).with_name(IMAGES_FILE)
            return Scenes(spec, index, images if images.exists() else None)
        return build(spec, index)
    return build(spec, limited(scan(spec), spec.get("limit")))


def limited(index: Index, limit: int | None) -> Index:
    """At most `limit` images, spread evenly over splits and classes, in the order of the data set.

    Raises
    ------
    UserError
        If `limit` is not a positive number.
    """
    if limit is None:
        return index
    if not isinstance(limit, int) or limit < 1:
        raise UserError(f"The data set's `limit` is {limit!r}; expected a whole number from 1, or null for no limit.")
    return index.take(_spread(index, limit))


def _spread(index: Index, limit: int) -> NDArray[np.intp]:
    groups: dict[tuple[str, int], list[int]] = {}
    for row, group in enumerate(zip(index.splits.tolist(), index.labels.tolist())):
        groups.setdefault(group, []).append(row)
    # Deal one image of each group in turn until the limit is reached.
    turn = np.empty(len(index.ids), np.int64)
    for rows in groups.values():
        turn[rows] = np.arange(len(rows))
    order = np.argsort(turn, kind="stable")
    return np.sort(order[:limit])


_SOURCES: dict[str, tuple[Callable[[Mapping[str, Any]], Index], Callable[[Mapping[str, Any], Index], Dataset]]] = {
    "scenes": (index_scenes, Scenes),
    "folder": (index_folder, Folder),
    "segmentation": (index_segmentation, SegmentationFolder),
    "arrays": (index_arrays, Arrays),
    "torchvision": (index_torchvision, Torchvision),
    "broden": (index_broden, Broden),
}

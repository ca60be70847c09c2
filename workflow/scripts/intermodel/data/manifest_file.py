"""The manifest: what a data set holds, as a file that every later job can trust."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel import store
from intermodel.data.dataset import Index, Label


@dataclass(frozen=True)
class Manifest:
    """Contents of a manifest.

    Attributes
    ----------
    index
        Ids, classes, splits, concepts.
    width, height
        (N,) int32 pixels, as seen after rotation by the image's own orientation flag.
    source
        Kind of source.
    fingerprint
        sha256 of ids, sizes, classes, splits and contents: equal fingerprints mean equal data.
    """

    index: Index
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    source: str
    fingerprint: str


def write_manifest(path: str | os.PathLike[str], manifest: Manifest) -> None:
    """Write a manifest atomically."""
    index = manifest.index
    attributes: dict[str, Any] = {
        "source": manifest.source,
        "classes": list(index.classes),
        "fingerprint": manifest.fingerprint,
        "has_masks": bool(index.concepts),
        "has_labels": bool((index.labels >= 0).any()),
        "categories": list(index.categories),
        "concepts": [asdict(label) for label in index.concepts],
        "notes": index.notes,
    }
    with store.create(path) as file:
        store.write_strings(file, "id", index.ids)
        store.write_strings(file, "split", index.splits)
        file["width"], file["height"] = manifest.width, manifest.height
        file["label"] = index.labels
        store.write_attributes(file, attributes)


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read a manifest.

    Raises
    ------
    UserError
        If the file is missing, incomplete or of another kind.
    """
    with store.open_file(path) as file:
        store.require(file, "id", "split", "label", "width", "height")
        attributes = store.plain_attributes(file)
        index = Index(
            store.read_strings(file["id"]),
            file["label"][...],
            store.read_strings(file["split"]),
            tuple(json.loads(attributes["classes"])),
            tuple(json.loads(attributes["categories"])),
            tuple(Label(**label) for label in json.loads(attributes["concepts"])),
            json.loads(attributes["notes"]),
        )
        return Manifest(index, file["width"][...], file["height"][...], attributes["source"], attributes["fingerprint"])

"""The file of an embedding: everything that figures, findings and the report read."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from intermodel.concepts.vocabulary import Vocabulary
from intermodel.lce.clusters import Support
from intermodel.lce.complementarity import Overlap
from intermodel.lce.distances import DISTANCES
from intermodel.lce.embedding import Clusters, Embedding, Map, Measure
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import Ellipse, Estimate, NoiseFloor
from intermodel.store import create, open_file


@dataclass(frozen=True)
class Model:
    """A model as figures name it, with the layer that was dissected and its number of units."""

    name: str
    title: str
    family: str
    control: bool
    layer: str
    units: int


@dataclass(frozen=True)
class About:
    """What an embedding was made from.

    Attributes
    ----------
    dataset, images, folds
        The probe set: its name, its images, the folds that hold any.
    models, vocabulary
        Rows and columns of the embedding.
    settings
        The choices made.
    tail, iou_threshold, denominator
        How units were dissected.
    warnings
        Sentences that a reader must know before believing the numbers.
    """

    dataset: str
    images: int
    folds: int
    models: tuple[Model, ...]
    vocabulary: Vocabulary
    settings: Settings
    tail: float
    iou_threshold: float
    denominator: str
    warnings: tuple[str, ...]


def trained_models(about: About) -> list[int]:
    """Rows of the models that are no untrained controls."""
    return [number for number, model in enumerate(about.models) if not model.control]


def concept_names(vocabulary: Vocabulary) -> tuple[str, ...]:
    """Names of the labels, with the category where several labels share a name."""
    shared = {name for name, number in Counter(vocabulary.names).items() if number > 1}
    return tuple(
        f"{name} ({vocabulary.categories[category]})" if name in shared else name
        for name, category in zip(vocabulary.names, vocabulary.category.tolist(), strict=True)
    )


def write_embedding(path: str | Path, embedding: Embedding, about: About) -> None:
    """Write an embedding atomically."""
    chart, groups = embedding.chart, embedding.groups
    attributes: dict[str, Any] = {
        "dataset": about.dataset,
        "images": about.images,
        "folds": about.folds,
        "models": [asdict(model) for model in about.models],
        "settings": asdict(about.settings),
        "tail": about.tail,
        "iou_threshold": about.iou_threshold,
        "denominator": about.denominator,
        "warnings": list(about.warnings),
        "stress": chart.stress,
    }
    with create(path, **attributes, **about.vocabulary.attributes()) as file:
        for name in ("count", "vectors", "presence", "empty"):
            file.create_dataset(name, data=getattr(embedding, name), compression="gzip")
        for name in ("detectors", "unique", "only", "gap"):
            _write_estimate(file.create_group(name), getattr(embedding, name))
        for name, measure in embedding.measures.items():
            group = file.create_group(f"distance/{name}")
            _write_estimate(group, measure.value)
            _write_floor(group, measure.floor)
            group["resolved"] = measure.resolved
        group = file.create_group("map")
        for name in ("scores", "explained", "components", "loading_error"):
            group[name] = getattr(chart, name)
        group["ellipses"] = np.array([[*item.centre, *item.axes, item.angle] for item in chart.ellipses])
        _write_floor(group, chart.floor)
        group = file.create_group("clusters")
        for name in ("merges", "labels", "silhouettes", "together", "stability"):
            group[name] = getattr(groups, name)
        group.attrs["names"] = json.dumps(groups.names, ensure_ascii=False)
        for field in fields(Support):
            group[f"support/{field.name}"] = getattr(groups.support, field.name)
        group = file.create_group("overlap")
        for name in ("only", "shared", "union"):
            group[name] = getattr(embedding.overlap, name)


def read_embedding(path: str | Path) -> tuple[Embedding, About]:
    """Read what `write_embedding` has written."""
    with open_file(path) as file:
        attributes = file.attrs
        about = About(
            attributes["dataset"],
            int(attributes["images"]),
            int(attributes["folds"]),
            tuple(Model(**model) for model in json.loads(attributes["models"])),
            Vocabulary.from_attributes(attributes),
            Settings(**json.loads(attributes["settings"])),
            float(attributes["tail"]),
            float(attributes["iou_threshold"]),
            attributes["denominator"],
            tuple(json.loads(attributes["warnings"])),
        )
        chart = file["map"]
        groups = file["clusters"]
        embedding = Embedding(
            file["count"][...],
            file["vectors"][...],
            file["presence"][...],
            _read_estimate(file["detectors"]),
            _read_estimate(file["unique"]),
            {name: _read_measure(file[f"distance/{name}"]) for name in DISTANCES},
            Map(
                chart["scores"][...],
                tuple(Ellipse((x, y), (long, short), angle) for x, y, long, short, angle in chart["ellipses"][...]),
                _read_floor(chart),
                chart["explained"][...],
                chart["components"][...],
                chart["loading_error"][...],
                float(attributes["stress"]),
            ),
            Clusters(
                groups["merges"][...],
                groups["labels"][...],
                groups["silhouettes"][...],
                Support(*(groups[f"support/{field.name}"][...] for field in fields(Support))),
                groups["together"][...],
                groups["stability"][...],
                tuple(json.loads(groups.attrs["names"])),
            ),
            Overlap(*(file["overlap"][name][...] for name in ("only", "shared", "union"))),
            _read_estimate(file["only"]),
            _read_estimate(file["gap"]),
            file["empty"][...],
        )
    return embedding, about


def _write_estimate(group: h5py.Group, value: Estimate) -> None:
    for field in fields(value):
        group[field.name] = getattr(value, field.name)


def _read_estimate(group: h5py.Group) -> Estimate:
    return Estimate(*(group[field.name][...] for field in fields(Estimate)))


def _read_measure(group: h5py.Group) -> Measure:
    return Measure(_read_estimate(group), _read_floor(group), group["resolved"][...])


def _write_floor(group: h5py.Group, floor: NoiseFloor) -> None:
    group["floor_mean"], group["floor_high"] = floor.mean, floor.high


def _read_floor(group: h5py.Group) -> NoiseFloor:
    return NoiseFloor(group["floor_mean"][...], group["floor_high"][...])

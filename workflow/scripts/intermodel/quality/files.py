"""Quality files: one per (model, data set), a group per layer."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel import store
from intermodel.engine.seeds import derive_seed
from intermodel.probe.files import read_outcome
from intermodel.quality.events import (
    Events,
    all_zero,
    as_finite,
    block_events,
    check_shape,
    row_blocks,
    standardise,
)
from intermodel.quality.layer import LayerQuality, Representation, judge_layer
from intermodel.quality.row_scores import block_scores
from intermodel.quality.table import columns

PathLike = str | os.PathLike[str]
log = logging.getLogger(__name__)

# Rows of the feature file read at a time.
CHUNK = 1024


def score_model(
    dataset: str,
    model: str,
    features: Mapping[str, PathLike],
    probe: PathLike,
    output: PathLike,
    settings: Mapping[str, Any],
) -> None:
    """Score every image by every layer of a model and store scores, tables and event tables.

    Parameters
    ----------
    dataset, model
        Names, for the seeds.
    features
        Feature file of each layer, shallow to deep; each is read once.
    probe
        Probe file of the model: which images are used, how they are split, and what the probe says.
    output
        The HDF5 file to write.
    settings
        Those of `layer.judge_layer`, `reference_images` and `seed`.
    """
    with store.open_file(probe) as file:
        store.require(file, "id", "split")
        ids, split = store.read_strings(file["id"]), store.read_strings(file["split"])
    train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
    draw_seed = derive_seed(settings["seed"], "quality", dataset)
    # The same reference images for every model, so that neighbourhoods can be compared.
    reference = train
    if len(train) > settings["reference_images"]:
        generator = np.random.default_rng(derive_seed(settings["seed"], "quality", "reference", dataset))
        reference = np.sort(generator.choice(train, settings["reference_images"], replace=False))
    ladder = settings["eps_ladder"] if settings["eps"] == "auto" else [settings["eps"]]
    with store.create(
        output, dataset=dataset, model=model, layers=list(features), settings=dict(settings), draw_seed=draw_seed
    ) as file:
        store.write_strings(file, "id", ids)
        store.write_strings(file, "split", split)
        file["reference"] = reference
        for layer, path in features.items():
            data = read_representation(path, ids, train, test, reference, min(ladder))
            outcome = read_outcome(probe, layer)
            seed = derive_seed(settings["seed"], "quality", dataset, model, layer)
            quality = judge_layer(data, outcome.logits, outcome.correct, settings, seed, draw_seed)
            _write_layer(file.create_group(layer), data, quality)
            for note in quality.notes:
                log.warning("%s: %s", layer, note)


def read_representation(
    path: PathLike,
    ids: NDArray[np.str_],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    reference: NDArray[np.intp],
    eps: float,
    chunk: int = CHUNK,
) -> Representation:
    """Read a feature file once, `chunk` rows at a time, keeping what the scores need.

    Parameters
    ----------
    path
        Feature file with `pooled` (N', C) and `index`; it may hold more images than `ids`, in any order.
    ids
        The images used, (N,).
    train, test, reference
        Rows of `ids`.
    eps
        Threshold of the event table.
    """
    with store.open_file(path) as file:
        store.require(file, "pooled", "index")
        place = store.align(ids, store.read_strings(file["index"]), str(path))
        return scan(store.unbuffered(file, "pooled"), place, train, test, reference, eps, chunk)


def scan(
    features: h5py.Dataset | NDArray[np.floating],
    place: NDArray[np.intp],
    train: NDArray[np.intp],
    test: NDArray[np.intp],
    reference: NDArray[np.intp],
    eps: float,
    chunk: int = CHUNK,
) -> Representation:
    """One pass over the rows of `features`; image i is its row `place[i]`. See `read_representation`."""
    _, units = check_shape(features)
    kept = np.zeros(features.shape[0], dtype=np.bool_)
    kept[place] = True
    copied = np.zeros(features.shape[0], dtype=np.bool_)
    copied[place[test]] = copied[place[reference]] = True
    parts: list[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]] = []
    scores: list[dict[str, NDArray[np.float64]]] = []
    copies: list[NDArray[np.float32]] = []
    smallest, largest = np.inf, -np.inf
    for start, rows in row_blocks(features, chunk):
        wanted = kept[start : start + len(rows)]
        values = as_finite(rows, start)[wanted]
        if len(values) == 0:
            continue
        smallest, largest = min(smallest, float(values.min())), max(largest, float(values.max()))
        standard = standardise(values)
        parts.append(block_events(standard, eps))
        scores.append(block_scores(standard))
        copies.append(np.asarray(rows[copied[start : start + len(rows)]], dtype=np.float32))
    if smallest == largest == 0:
        raise all_zero(len(place))
    indptr = np.concatenate([[0], np.cumsum(np.concatenate([part[0] for part in parts]))]).astype(np.int64)
    col, z, excess = (np.concatenate([part[i] for part in parts]) for i in (1, 2, 3))
    events = Events(indptr, col, z, excess, units, eps)
    # From the order of the file to that of the ids.
    order = np.searchsorted(np.flatnonzero(kept), place)
    copy_order = np.flatnonzero(copied)
    copy = np.concatenate(copies)
    return Representation(
        events=events.take(order),
        row_scores={name: np.concatenate([block[name] for block in scores])[order] for name in scores[0]},
        smallest=smallest,
        train=train,
        test=test,
        reference=copy[np.searchsorted(copy_order, place[reference])],
        queries=copy[np.searchsorted(copy_order, place[test])],
    )


def _write_layer(group: h5py.Group, data: Representation, quality: LayerQuality) -> None:
    compressed = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
    events = group.create_group("events")
    for name in ("indptr", "col", "z", "excess"):
        events.create_dataset(name, data=getattr(data.events, name), **compressed)
    store.write_attributes(events, {"eps": data.events.eps, "ddof": data.events.ddof, "units": data.events.units})
    found = quality.qscores
    if found is not None:
        group["activation_rate"], group["mask"] = found.rate, found.mask.units
        group["q"], group["n_used"] = found.score, found.used
        group["n_active"] = data.events.counts(found.choice.eps)
        store.write_attributes(
            group,
            {
                "eps": found.choice.eps,
                "eps_tried": list(found.choice.ladder),
                "eps_tried_coverage": list(found.choice.coverage),
                "band_low": found.mask.low,
                "band_high": found.mask.high,
                "silent_units": found.mask.silent,
                "discriminative_units": int(found.mask.units.sum()),
                "train_coverage": float(np.mean(found.used[data.train] > 0)),
                "test_coverage": float(np.mean(found.used[data.test] > 0)),
            },
        )
    null = quality.null
    if null is not None:
        group["random_masks"] = null.auroc
        store.write_attributes(
            group,
            {
                f"random_masks_{name}": getattr(null, name)
                for name in (
                    "mean",
                    "low",
                    "high",
                    "difference",
                    "difference_low",
                    "difference_high",
                    "p_value",
                    "note",
                )
            },
        )
    scores = group.create_group("scores")
    for name, score in quality.scores.items():
        scores[name] = score.values
    group["neighbours"] = quality.neighbours.index
    write_rows(group, "table", quality.table)
    write_rows(group, "calibration", quality.calibration)
    write_rows(
        group,
        "models",
        [{"score": name, "value": score.value, "note": score.note} for name, score in quality.models.items()],
    )
    store.write_attributes(
        group,
        {
            "units": data.events.units,
            "smallest": data.smallest,
            "signed": data.signed,
            "train_images": len(data.train),
            "test_images": len(data.test),
            "reference_images": len(data.reference),
            "notes": list(quality.notes),
        },
    )


def write_rows(group: h5py.Group, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with equal keys as one data set per column."""
    table = group.create_group(name, track_order=True)
    for column, values in columns(rows).items():
        if isinstance(values[0], str):
            store.write_strings(table, column, values)
        else:
            table[column] = values


def read_rows(group: h5py.Group, name: str) -> list[dict[str, Any]]:
    """Rows written by `write_rows`, with plain Python values."""
    table = group[name]
    names = list(table)
    values = [
        store.read_strings(table[column]).tolist()
        if h5py.check_string_dtype(table[column].dtype)
        else table[column][...].tolist()
        for column in names
    ]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]

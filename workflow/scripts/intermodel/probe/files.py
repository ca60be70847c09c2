"""Probe files: one per (model, data set), a group per layer, outcomes by image id."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel import store
from intermodel.engine.errors import UserError
from intermodel.probe.accuracy import accuracy
from intermodel.probe.knn import knn_predict
from intermodel.probe.linear import fit_linear_probe
from intermodel.probe.splits import stratified_draw, train_test_split

PathLike = str | os.PathLike[str]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ProbeOutcome:
    """What a probe said about the test images of one layer.

    Attributes
    ----------
    ids, labels
        Test images and their classes, (M,).
    train_ids
        Training images, (N,).
    logits
        (M, K) float32; column k belongs to the class number `class_numbers[k]`.
    correct, knn_correct
        Whether the linear and the kNN probe are right, (M,) bool.
    attributes
        Of the layer's group: accuracy with interval, penalty, counts.
    """

    ids: NDArray[np.str_]
    labels: NDArray[np.int32]
    train_ids: NDArray[np.str_]
    logits: NDArray[np.float32]
    class_numbers: NDArray[np.int64]
    correct: NDArray[np.bool_]
    knn_correct: NDArray[np.bool_]
    attributes: dict[str, Any]


def probe_model(
    manifest: PathLike, features: Mapping[str, PathLike], output: PathLike, settings: Mapping[str, Any]
) -> None:
    """Fit a linear and a kNN probe on every layer of a model and store what they say about the test images.

    Parameters
    ----------
    manifest
        Manifest of the data set: ids, labels, splits.
    features
        Feature file of each layer, shallow to deep.
    output
        The HDF5 file to write: `id`, `split`, `label` of all images used, and per layer a group with `logits`,
        `prediction`, `correct`, `knn_prediction`, `knn_correct` of the test images in their order.
    settings
        penalties, validation_fraction, test_fraction, max_train_images, max_iterations, tolerance, neighbours,
        temperature.
    """
    with store.open_file(manifest) as file:
        store.require(file, "id", "label", "split")
        ids, labels, splits = store.read_strings(file["id"]), file["label"][...], store.read_strings(file["split"])
        classes = json.loads(file.attrs.get("classes", "[]"))
    split = train_test_split(ids, labels, splits, settings["test_fraction"], classes)
    train = _limited(ids, labels, split.train, settings["max_train_images"])
    test = split.test
    validation = stratified_draw(ids[train], labels[train], settings["validation_fraction"], "validation", classes)
    if split.unused:
        log.info("%d of %d images have no label or belong to no split; they are left out.", split.unused, len(ids))
    with store.create(
        output,
        layers=list(features),
        classes=classes,
        class_numbers=np.unique(labels[train]),
        own_split=split.own,
        unused_images=split.unused,
        settings=dict(settings),
    ) as file:
        used = np.sort(np.concatenate([train, test]))
        store.write_strings(file, "id", ids[used])
        file["label"] = labels[used]
        store.write_strings(file, "split", np.where(np.isin(used, test), "test", "train"))
        for layer, path in features.items():
            pooled = store.read_pooled(path)
            rows = store.align(ids[used], pooled.ids, str(path))
            values = pooled.values[rows]
            bad = ~np.isfinite(values).all(axis=1)
            if bad.any():
                raise UserError(
                    f"{path} holds features that are not finite for {int(bad.sum())} images, the first is "
                    f"{str(ids[used][bad][0])!r}; check the model's weights, delete the file and run again."
                )
            group = file.create_group(layer)
            # The same data sets under the group's own name, so that a group can be read alone.
            for name in ("id", "label", "split"):
                group[name] = file[name]
            _probe_layer(
                group,
                values[np.searchsorted(used, train)],
                labels[train],
                values[np.searchsorted(used, test)],
                labels[test],
                validation,
                settings,
            )
            log.info("%s: accuracy %.3f", layer, group.attrs["accuracy"])


def read_outcome(path: PathLike, layer: str) -> ProbeOutcome:
    """What the probes of one layer said, by image id."""
    with store.open_file(path) as file:
        store.require(file, layer, "id", "label", "split")
        group = file[layer]
        ids, test = store.read_strings(file["id"]), store.read_strings(file["split"]) == "test"
        return ProbeOutcome(
            ids=ids[test],
            labels=file["label"][...][test],
            train_ids=ids[~test],
            logits=group["logits"][...],
            class_numbers=file.attrs["class_numbers"],
            correct=group["correct"][...],
            knn_correct=group["knn_correct"][...],
            attributes=store.plain_attributes(group),
        )


def _probe_layer(
    group: h5py.Group,
    train: NDArray[np.float32],
    train_labels: NDArray[np.int32],
    test: NDArray[np.float32],
    test_labels: NDArray[np.int32],
    validation: NDArray[np.bool_],
    settings: Mapping[str, Any],
) -> None:
    probe = fit_linear_probe(
        train, train_labels, validation, settings["penalties"], settings["tolerance"], settings["max_iterations"]
    )
    logits = probe.logits(test)
    prediction = probe.classes[logits.argmax(axis=1)]
    neighbours = knn_predict(train, train_labels, test, settings["neighbours"], settings["temperature"])
    group["logits"] = logits.astype(np.float32)
    for name, predicted in (("", prediction), ("knn_", neighbours)):
        correct = predicted == test_labels
        result = accuracy(correct)
        group[f"{name}prediction"] = predicted.astype(np.int32)
        group[f"{name}correct"] = correct
        store.write_attributes(
            group,
            {f"{name}accuracy": result.value, f"{name}accuracy_low": result.low, f"{name}accuracy_high": result.high},
        )
    counts = np.bincount(test_labels)
    notes = []
    if 2 * probe.dropped > train.shape[1]:
        notes.append(f"{probe.dropped} of {train.shape[1]} features are constant and were dropped")
    if not probe.converged:
        notes.append("the fit stopped at max_iterations before it reached its tolerance")
    if len(probe.penalties) > 1 and probe.penalty in (probe.penalties[0], probe.penalties[-1]):
        notes.append(f"the chosen C = {probe.penalty:g} is at the edge of what was tried")
    for note in notes:
        log.warning("%s: %s", group.name[1:], note)
    store.write_attributes(
        group,
        {
            "C": probe.penalty,
            "penalties": list(probe.penalties),
            "validation_loss": list(probe.validation_loss),
            "dropped_features": probe.dropped,
            "features": train.shape[1],
            "converged": probe.converged,
            "train_images": len(train),
            "test_images": len(test),
            # Accuracy of always naming the commonest class of the test images.
            "majority": float(counts.max() / counts.sum()),
            "chance": 1.0 / len(probe.classes),
            "notes": notes,
        },
    )


def _limited(
    ids: NDArray[np.str_], labels: NDArray[np.integer], train: NDArray[np.intp], limit: int
) -> NDArray[np.intp]:
    """At most some `limit` training rows, the same share of every class."""
    if len(train) <= limit:
        return train
    log.info("Probes are fitted on %d of %d training images (max_train_images).", limit, len(train))
    return train[stratified_draw(ids[train], labels[train], limit / len(train), "limit")]

"""All quality files of a data set side by side: scores per image, scores per model, how they relate to accuracy."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel import csv_tables, store
from intermodel.engine.errors import UserError
from intermodel.probe.files import read_outcome
from intermodel.probe.models import Model, read_models
from intermodel.quality.files import read_rows
from intermodel.quality.findings import findings, warnings
from intermodel.quality.model_scores import MODEL_SCORES
from intermodel.quality.neighbours import neighbourhood_consistency
from intermodel.quality.table import SampleScore, quality_table
from intermodel.statistics.permutation import max_correlation_test

PathLike = str | os.PathLike[str]
Row = dict[str, Any]

CONSISTENCY = "neighbourhood_consistency"
# What the table of layers takes from the attributes of a layer's group, NaN where Q-Score is undefined.
LAYER_ATTRIBUTES = (
    "signed",
    "units",
    "eps",
    "band_low",
    "band_high",
    "discriminative_units",
    "silent_units",
    "train_coverage",
    "test_coverage",
    "random_masks_mean",
    "random_masks_low",
    "random_masks_high",
    "random_masks_difference",
    "random_masks_difference_low",
    "random_masks_difference_high",
    "random_masks_p_value",
)


def summarise_quality(
    qualities: Sequence[PathLike],
    probes: Sequence[PathLike],
    description: str,
    settings: Mapping[str, Any],
    tables: Mapping[str, PathLike],
) -> None:
    """Write the tables and findings of a data set.

    Parameters
    ----------
    qualities, probes
        Quality and probe files of all models, in the order of the study.
    description
        JSON text of `Study.describe`.
    settings
        consistency_neighbours and bootstrap.
    tables
        CSV files to write, by name: layers, scores, models, agreement, calibration, findings, warnings.
    """
    models = read_models(description)
    files = dict(zip((model.name for model in models), qualities, strict=True))
    probe_files = dict(zip((model.name for model in models), probes, strict=True))
    layers = layer_rows(files, models)
    scores = score_rows(files, models, "table") + consistency_rows(files, probe_files, models, settings)
    representations = model_rows(files, probe_files, models)
    agreement = agreement_rows(representations)
    csv_tables.write_table(tables["layers"], layers)
    csv_tables.write_table(tables["scores"], scores)
    csv_tables.write_table(tables["models"], representations)
    csv_tables.write_table(tables["agreement"], agreement)
    csv_tables.write_table(tables["calibration"], score_rows(files, models, "calibration"))
    statements = findings(layers, scores, representations, agreement, models)
    csv_tables.write_table(tables["findings"], {"statement": statements, "table": ["scores.csv"] * len(statements)})
    csv_tables.write_table(tables["warnings"], {"warning": warnings(layers)})


def layer_rows(files: Mapping[str, PathLike], models: Sequence[Model]) -> list[Row]:
    """One row per model and layer: the threshold, the band, coverage, the null of random masks, what to mind."""
    rows: list[Row] = []
    for model in models:
        with store.open_file(files[model.name]) as file:
            for layer in model.layers:
                store.require(file, layer)
                known = store.plain_attributes(file[layer])
                rows.append(
                    _identity(model, layer)
                    | {name: known.get(name, float("nan")) for name in LAYER_ATTRIBUTES}
                    | {"notes": "; ".join(json.loads(known["notes"]))}
                )
    return rows


def score_rows(files: Mapping[str, PathLike], models: Sequence[Model], name: str) -> list[Row]:
    """The rows of the table `name` ("table" or "calibration") of every layer."""
    rows: list[Row] = []
    for model in models:
        with store.open_file(files[model.name]) as file:
            for layer in model.layers:
                rows += [_identity(model, layer) | row for row in read_rows(file[layer], name)]
    return rows


def consistency_rows(
    files: Mapping[str, PathLike],
    probes: Mapping[str, PathLike],
    models: Sequence[Model],
    settings: Mapping[str, Any],
) -> list[Row]:
    """Rows of the neighbourhood consistency of every model's main layer with the main layers of the trained others.

    Raises
    ------
    UserError
        If the models were scored with different reference images.
    """
    if sum(not model.control for model in models) < 2:
        return []
    indices: list[NDArray[np.int32]] = []
    qscore: list[NDArray[np.float64]] = []
    reference: NDArray[np.intp] | None = None
    draw_seed = 0
    for model in models:
        with store.open_file(files[model.name]) as file:
            own = file["reference"][...]
            if reference is not None and not np.array_equal(own, reference):
                raise UserError(
                    f"{files[model.name]} was made with other reference images than {files[models[0].name]}; delete "
                    "both and run again."
                )
            reference, draw_seed = own, int(file.attrs["draw_seed"])
            # Neighbours are kept as places in the reference; only how many there are matters here.
            indices.append(file[model.main]["neighbours"][:, : settings["consistency_neighbours"]])
            qscore.append(file[model.main]["scores"]["qscore"][...])
    assert reference is not None
    overlap = neighbourhood_consistency(indices, len(reference), [not model.control for model in models])
    rows: list[Row] = []
    for model, values, own_qscore in zip(models, overlap, qscore, strict=True):
        correct = read_outcome(probes[model.name], model.main).correct
        scores = {
            "qscore": SampleScore(own_qscore, "features"),
            CONSISTENCY: SampleScore(
                values, "models", note="" if np.isfinite(values).all() else "no other trained model"
            ),
        }
        table = quality_table(scores, correct, settings["bootstrap"], draw_seed)
        rows += [_identity(model, model.main) | row for row in table if row["score"] == CONSISTENCY]
    return rows


def model_rows(files: Mapping[str, PathLike], probes: Mapping[str, PathLike], models: Sequence[Model]) -> list[Row]:
    """One row per model and layer: accuracy of the probe and every score of the whole representation."""
    rows: list[Row] = []
    for model in models:
        with store.open_file(files[model.name]) as file:
            for layer in model.layers:
                known = {row["score"]: row for row in read_rows(file[layer], "models")}
                notes = sorted({f"{name}: {row['note']}" for name, row in known.items() if row["note"]})
                rows.append(
                    _identity(model, layer)
                    | {
                        "accuracy": read_outcome(probes[model.name], layer).attributes["accuracy"],
                        "units": int(file[layer].attrs["units"]),
                        "images": int(file[layer].attrs["reference_images"]),
                    }
                    | {name: known[name]["value"] for name in MODEL_SCORES}
                    | {"note": "; ".join(notes)}
                )
    return rows


def agreement_rows(representations: Sequence[Row]) -> list[Row]:
    """Rank correlation over models of every score of a representation with the accuracy of its probe, main layers.

    p is from permuting the models, p_adjusted from the largest |rho| over all scores; all models count, controls
    included, since telling an untrained network from a trained one is part of the task.
    """
    main = [row for row in representations if row["main"]]
    values = np.array([[row[name] for name in MODEL_SCORES] for row in main], dtype=np.float64)
    accuracy = np.array([[row["accuracy"]] for row in main])
    # A score that is undefined for some model cannot rank them all.
    values[:, np.isnan(values).any(axis=0)] = np.nan
    test = max_correlation_test(values, accuracy, "spearman")
    return [
        {
            "score": name,
            "models": len(main),
            "spearman": float(test.correlations.r[i, 0]),
            "p": float(test.p[i, 0]),
            "p_adjusted": float(test.p_adjusted[i, 0]),
            "note": str(test.correlations.reason[i, 0]),
        }
        for i, name in enumerate(MODEL_SCORES)
    ]


def _identity(model: Model, layer: str) -> Row:
    return {"model": model.name, "layer": layer, "main": layer == model.main, "control": model.control}

"""All probes of a data set side by side: accuracies, paired differences, disagreement, and what they say."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from intermodel import csv_tables, store
from intermodel.probe.accuracy import paired_difference
from intermodel.probe.disagreement import COLUMNS as DISAGREEMENT_COLUMNS
from intermodel.probe.disagreement import disagreement_rows
from intermodel.probe.disagreement_report import disagreement_findings
from intermodel.probe.files import ProbeOutcome, read_outcome
from intermodel.probe.findings import findings
from intermodel.probe.models import Model, read_models
from intermodel.statistics.multiple_testing import benjamini_hochberg

PathLike = str | os.PathLike[str]
Row = dict[str, Any]


def summarise_probes(
    probes: Sequence[PathLike],
    description: str,
    accuracy: PathLike,
    differences: PathLike,
    disagreements: PathLike,
    statements: PathLike,
    disagreement_statements: PathLike,
    warnings: PathLike,
) -> None:
    """Write the tables and findings of a data set.

    Parameters
    ----------
    probes
        Probe files of all models, in the order of the study.
    description
        JSON text of `Study.describe`.
    accuracy, differences, disagreements, statements, disagreement_statements, warnings
        CSV files to write.
    """
    models = read_models(description)
    files = dict(zip((model.name for model in models), probes, strict=True))
    rows = accuracy_rows(files, models)
    outcomes = {model.name: read_outcome(files[model.name], model.main) for model in models}
    pairs = difference_rows(outcomes)
    csv_tables.write_table(accuracy, rows)
    csv_tables.write_table(differences, pairs or {name: [] for name in DIFFERENCE_COLUMNS})
    disagreeing = disagreement_rows(outcomes, [model.name for model in models if model.control])
    csv_tables.write_table(disagreements, disagreeing or {name: [] for name in DISAGREEMENT_COLUMNS})
    sentences = findings(rows, pairs, models)
    csv_tables.write_table(statements, {"statement": sentences, "table": ["accuracy.csv"] * len(sentences)})
    sentences = disagreement_findings(disagreeing, models)
    noted = [f"{row['model']}, {row['layer']}: {row['notes']}." for row in rows if row["notes"]]
    csv_tables.write_table(warnings, {"warning": noted})
    csv_tables.write_table(
        disagreement_statements, {"statement": sentences, "table": ["disagreement.csv"] * len(sentences)}
    )


def accuracy_rows(files: Mapping[str, PathLike], models: Sequence[Model]) -> list[Row]:
    """One row per model and layer: accuracies with 95 % intervals, chance, and how the probe was fitted."""
    rows: list[Row] = []
    for model in models:
        with store.open_file(files[model.name]) as file:
            own_split = bool(file.attrs["own_split"])
            for layer in model.layers:
                store.require(file, layer)
                known = store.plain_attributes(file[layer])
                rows.append(
                    {
                        "model": model.name,
                        "title": model.title,
                        "family": model.family,
                        "control": model.control,
                        "layer": layer,
                        "main": layer == model.main,
                    }
                    | {
                        name: known[name]
                        for name in (
                            "accuracy",
                            "accuracy_low",
                            "accuracy_high",
                            "knn_accuracy",
                            "knn_accuracy_low",
                            "knn_accuracy_high",
                            "chance",
                            "majority",
                            "C",
                            "features",
                            "dropped_features",
                            "train_images",
                            "test_images",
                        )
                    }
                    | {"own_split": own_split, "notes": "; ".join(json.loads(known["notes"]))}
                )
    return rows


DIFFERENCE_COLUMNS = (
    "model_a",
    "model_b",
    "difference",
    "difference_low",
    "difference_high",
    "only_a",
    "only_b",
    "images",
    "p",
    "q",
)


def difference_rows(outcomes: Mapping[str, ProbeOutcome]) -> list[Row]:
    """Paired difference in accuracy, a minus b, of every pair of models; q is adjusted for the number of pairs."""
    rows: list[Row] = []
    for first, second in combinations(outcomes, 2):
        a, b = outcomes[first], outcomes[second]
        order = store.align(a.ids, b.ids, f"the probe of {second}")
        found = paired_difference(a.correct, b.correct[order])
        values = (found.value, found.low, found.high, found.only_first, found.only_second, found.images, found.p_value)
        rows.append(dict(zip(DIFFERENCE_COLUMNS, (first, second, *values), strict=False)))
    for row, q in zip(rows, benjamini_hochberg(np.array([row["p"] for row in rows])), strict=True):
        row["q"] = float(q)
    return rows

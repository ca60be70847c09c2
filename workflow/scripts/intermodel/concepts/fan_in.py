"""From the tallies of a data set to its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intermodel.concepts import findings
from intermodel.concepts.chance import Detection
from intermodel.concepts.composition_files import read_compositions
from intermodel.concepts.files import read_tally
from intermodel.concepts.iou import Denominator
from intermodel.concepts.scores import read_scores
from intermodel.concepts.summary import layer_concepts
from intermodel.concepts.tables import Layer, check_alike, composition_rows, concept_rows, summary_rows, unit_rows
from intermodel.csv_tables import write_table
from intermodel.store import PathLike, read_attributes


def read_layers(
    tallies: Sequence[PathLike],
    models: Sequence[Mapping[str, Any]],
    iou_threshold: float = 0.04,
    denominator: Denominator = "category",
    detection: Detection = "threshold",
    fdr: float = 0.05,
    scores: Mapping[str, PathLike] | None = None,
    compositions: Mapping[str, PathLike] | None = None,
) -> list[Layer]:
    """Work out what each layer detects; models in the order of the study, layers from shallow to deep.

    Parameters
    ----------
    tallies
        Tally files in any order.
    models
        Records with name, title, family, control and layers.
    iou_threshold, denominator, detection, fdr
        As for `layer_concepts`.
    scores, compositions
        Files of the scores without thresholds and of the compositional explanations, by model; models may be missing.
    """
    composed = {name: read_compositions(path) for name, path in (compositions or {}).items()}
    scored = scores or {}
    found = {}
    for path in tallies:
        attributes = read_attributes(path)
        found[attributes["model"], attributes["layer"]] = (path, attributes)
    layers = []
    for model in models:
        for layer in model["layers"]:
            if (model["name"], layer) not in found:
                continue
            # One tally at a time: their intersections are the only large arrays.
            path, attributes = found[model["name"], layer]
            layers.append(
                Layer(
                    model["name"],
                    model["title"],
                    model["family"],
                    model["control"],
                    layer,
                    layer == model["layers"][-1],
                    layer_concepts(read_tally(path), iou_threshold, denominator, detection, fdr),
                    attributes,
                    read_scores(scored[model["name"]], layer) if model["name"] in scored else None,
                    next((c for name, c in composed.items() if (name, c.layer) == (model["name"], layer)), None),
                )
            )
    check_alike(layers)
    return layers


def write_tables(
    tallies: Sequence[PathLike],
    models: Sequence[Mapping[str, Any]],
    folder: PathLike,
    **settings: Any,
) -> None:
    """Write units.csv, concepts.csv, summary.csv, findings.csv and warnings.csv of a data set into `folder`.

    With compositional explanations compositions.csv is written as well.

    The arguments are those of `read_layers`.
    """
    layers = read_layers(tallies, models, **settings)
    folder = Path(folder)
    write_table(folder / "units.csv", unit_rows(layers))
    write_table(folder / "concepts.csv", concept_rows(layers))
    write_table(folder / "summary.csv", summary_rows(layers))
    if any(layer.compositions is not None for layer in layers):
        write_table(folder / "compositions.csv", composition_rows(layers))
    statements = [{"statement": statement, "table": table} for statement, table in findings.findings(layers)]
    write_table(folder / "findings.csv", statements or {"statement": [], "table": []})
    write_table(folder / "warnings.csv", {"warning": findings.warnings(layers)})

"""Tables and findings of one data set, from its pair files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from intermodel.csv_tables import write_table
from intermodel.store import PathLike
from intermodel.unit_matching.findings import Models, findings, warnings
from intermodel.unit_matching.groups import shared_groups
from intermodel.unit_matching.tables import edges, group_rows, match_rows, pair_rows, read_pairs, unit_rows


def read_models(description: str, layers: Mapping[str, str]) -> Models:
    """Models of a study from its description (JSON text of `Study.titles`) and the layer of each that is matched."""
    entries = json.loads(description)["models"]
    return Models(
        titles={entry["name"]: entry["title"] for entry in entries},
        layers={entry["name"]: layers[entry["name"]] for entry in entries},
        controls=[entry["name"] for entry in entries if entry["control"]],
    )


def summarise_matches(
    paths: Sequence[PathLike], models: Models, tables: Mapping[str, PathLike], group_models: int = 3
) -> None:
    """Write the tables of a data set.

    Parameters
    ----------
    paths
        Pair files of all models.
    models
        The models of the study.
    tables
        CSV files to write, by name: pairs, matches, units, groups, findings, warnings.
    group_models
        Models that a group of shared units must span.
    """
    pairs = read_pairs(paths)
    rows, groups = pair_rows(pairs), shared_groups(edges(pairs), group_models)
    write_table(tables["pairs"], rows)
    write_table(tables["matches"], match_rows(pairs))
    write_table(tables["units"], unit_rows(pairs, models.layers))
    write_table(tables["groups"], group_rows(groups, models.layers))
    statements, sources = zip(*findings(rows, groups, models), strict=True)
    write_table(tables["findings"], {"statement": statements, "table": sources})
    write_table(tables["warnings"], {"warning": warnings(rows)})

"""Tables and findings of one data set, from its pair files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from intermodel.csv_tables import write_table
from intermodel.similarity.findings import Models, findings, warnings
from intermodel.similarity.table import pair_rows, representation_rows

PathLike = str | os.PathLike[str]


def read_models(description: str) -> Models:
    """Models of a study from its description (JSON text of `Study.describe`)."""
    entries = json.loads(description)["models"]
    return Models(
        titles={entry["name"]: entry["title"] for entry in entries},
        layers={entry["name"]: list(entry["layers"]) for entry in entries},
        controls=[entry["name"] for entry in entries if entry["control"]],
    )


def summarise_similarity(
    pairs: Sequence[PathLike], intervals: PathLike, description: str, tables: Mapping[str, PathLike]
) -> None:
    """Write the tables of pairs and representations, the findings and the warnings.

    Parameters
    ----------
    pairs
        Pair files of all models of a data set.
    intervals
        File of standard errors.
    description
        JSON text of `Study.describe`.
    tables
        CSV files to write, by name: pairs, representations, findings, warnings.
    """
    rows, representations = pair_rows(pairs, intervals), representation_rows(pairs)
    statements = findings(rows, read_models(description))
    write_table(tables["pairs"], rows)
    write_table(tables["representations"], representations)
    write_table(tables["findings"], {"statement": statements, "table": ["pairs.csv"] * len(statements)})
    write_table(tables["warnings"], {"warning": warnings(rows, representations)})

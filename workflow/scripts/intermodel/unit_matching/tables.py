"""All pair files of a data set as tables: pairs of models, matches, units, groups of units that models share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.store import PathLike
from intermodel.unit_matching.groups import Edges, Group
from intermodel.unit_matching.pair import Pair, read_pair

Row = dict[str, Any]


def read_pairs(paths: Iterable[PathLike]) -> list[Pair]:
    """All pair files of a data set."""
    return [read_pair(path) for path in paths]


def pair_rows(pairs: Iterable[Pair]) -> list[Row]:
    """One row for each pair of models: what was matched, how much the two share, and what chance gives."""
    rows = []
    for pair in pairs:
        found, about = pair.matching, pair.attributes
        units = len(found.nearest_a.unit), len(found.nearest_b.unit)
        rows.append(
            {
                **{name: about[name] for name in ("dataset", "model_a", "layer_a", "model_b", "layer_b")},
                "units_a": units[0],
                "units_b": units[1],
                "constant_a": units[0] - found.live[0],
                "constant_b": units[1] - found.live[1],
                "mutual_units": len(found.mutual),
                "mutual_fraction": found.mutual_fraction,
                "matched_beyond_chance": int(found.beyond_chance.sum()),
                "similarity": found.similarity,
                "similarity_low": found.low,
                "similarity_high": found.high,
                "similarity_a": found.similarity_a,
                "similarity_b": found.similarity_b,
                "null_similarity": found.null_similarity,
                "null_mutual_fraction": found.null_mutual_fraction,
                "adjusted": found.adjusted,
                **{name: about[name] for name in ("over", "images", "positions")},
            }
        )
    return rows


def match_rows(pairs: Iterable[Pair]) -> dict[str, list[Any]]:
    """Columns of the mutual pairs of units of all models, in the order of the first model's units."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            *("model_a", "layer_a", "unit_a", "model_b", "layer_b", "unit_b"),
            *("correlation", "position", "p", "beyond_chance"),
        )
    }
    for pair in pairs:
        found, about = pair.matching, pair.attributes
        for name in ("model_a", "layer_a", "model_b", "layer_b"):
            columns[name] += [about[name]] * len(found.mutual)
        columns["unit_a"] += found.mutual[:, 0].tolist()
        columns["unit_b"] += found.mutual[:, 1].tolist()
        for name in ("correlation", "position", "p", "beyond_chance"):
            columns[name] += getattr(found, name).tolist()
    return columns


def edges(pairs: Iterable[Pair]) -> Edges:
    """Correlations of all mutual pairs of units beyond chance, for `shared_groups`."""
    return {
        ((pair.attributes["model_a"], a), (pair.attributes["model_b"], b)): correlation
        for pair in pairs
        for (a, b), correlation, real in zip(
            pair.matching.mutual.tolist(),
            pair.matching.correlation.tolist(),
            pair.matching.beyond_chance.tolist(),
            strict=True,
        )
        if real
    }


def group_rows(groups: Sequence[Group], layers: Mapping[str, str]) -> dict[str, list[Any]]:
    """Columns of the groups, one row for each unit; `layers` tells the layer of each model."""
    columns: dict[str, list[Any]] = {
        name: [] for name in ("group", "models", "weakest", "mean", "model", "layer", "unit")
    }
    for number, group in enumerate(groups, 1):
        for model, unit in group.units:
            row = (number, len(group), group.weakest, group.mean, model, layers[model], unit)
            for name, value in zip(columns, row, strict=True):
                columns[name].append(value)
    return columns


def partners(pairs: Iterable[Pair]) -> dict[str, NDArray[np.int64]]:
    """For each unit of each model, the number of other models in which it has a mutual match beyond chance."""
    result: dict[str, NDArray[np.int64]] = {}
    for pair in pairs:
        found = pair.matching
        real = found.mutual[found.beyond_chance]
        for side, units in (("a", found.nearest_a.unit), ("b", found.nearest_b.unit)):
            counts = result.setdefault(pair.attributes[f"model_{side}"], np.zeros(len(units), dtype=np.int64))
            counts[real[:, 0 if side == "a" else 1]] += 1
    return result


def unit_rows(pairs: Sequence[Pair], layers: Mapping[str, str]) -> dict[str, list[Any]]:
    """Columns of all units: how many other models match them, and the mean of their best correlations there."""
    best: dict[str, list[NDArray[np.float64]]] = {}
    for pair in pairs:
        for side, found in (("a", pair.matching.nearest_a), ("b", pair.matching.nearest_b)):
            best.setdefault(pair.attributes[f"model_{side}"], []).append(found.correlation)
    columns: dict[str, list[Any]] = {name: [] for name in ("model", "layer", "unit", "partners", "best_correlation")}
    counts = partners(pairs)
    for model, layer in layers.items():
        if model not in counts:
            continue
        units = len(counts[model])
        columns["model"] += [model] * units
        columns["layer"] += [layer] * units
        columns["unit"] += range(units)
        columns["partners"] += counts[model].tolist()
        columns["best_correlation"] += np.mean(best[model], axis=0).tolist()
    return columns


def matrix(rows: Sequence[Row], column: str, models: Sequence[str]) -> NDArray[np.float64]:
    """One column of the table of pairs as a symmetric matrix over models, (M, M); NaN on the diagonal."""
    position = {model: index for index, model in enumerate(models)}
    result = np.full((len(models), len(models)), np.nan)
    for row in rows:
        a, b = position[row["model_a"]], position[row["model_b"]]
        result[a, b] = result[b, a] = row[column]
    return result

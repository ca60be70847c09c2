"""All pair files of a data set as one table in long form, with intervals, and one table of the representations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.similarity.catalogue import CATALOGUE, base_name
from intermodel.statistics.intervals import student_quantile
from intermodel.store import open_file, plain_attributes, read_strings, require

PathLike = str | os.PathLike[str]
Row = dict[str, Any]

LEVEL = 0.95
IDENTITY = ("model_a", "layer_a", "model_b", "layer_b", "measure")


def pair_rows(pairs: Iterable[PathLike], intervals: PathLike | None = None) -> list[Row]:
    """Every unordered pair of layers of every pair file, one row per measure.

    Parameters
    ----------
    pairs
        Pair files.
    intervals
        File of standard errors, see `intermodel.similarity.intervals`.

    Returns
    -------
    list of dict
        dataset, model_a, layer_a, model_b, layer_b, measure; value with low and high (95 % interval, NaN where there
        is none); null_mean and null (how it is known); adjusted; p and calibrated (NaN without permutations); N, k_a
        and k_b (images; dimensions that the measure compares); flags; reason.
    """
    errors = {} if intervals is None else _standard_errors(intervals)
    rows: list[Row] = []
    for path in pairs:
        with open_file(path) as file:
            rows.extend(_rows(file, errors))
    return rows


def representation_rows(pairs: Iterable[PathLike]) -> list[Row]:
    """Every representation once, from the files that pair a model with itself.

    Returns
    -------
    list of dict
        dataset, model, layer, N, units, rank, k (components of the first threshold), participation_ratio,
        images_per_direction (N / k), warnings.
    """
    rows: list[Row] = []
    for path in pairs:
        with open_file(path) as file:
            attributes = plain_attributes(file)
            if attributes["model_a"] != attributes["model_b"]:
                continue
            layers, warnings = read_strings(file["layer_a"]), read_strings(file["warnings_a"])
            for position, layer in enumerate(layers):
                k = int(file["components_a"][position, 0])
                rows.append(
                    {
                        "dataset": attributes["dataset"],
                        "model": attributes["model_a"],
                        "layer": str(layer),
                        "N": attributes["images"],
                        "units": int(file["units_a"][position]),
                        "rank": int(file["rank_a"][position]),
                        "k": k,
                        "participation_ratio": float(file["participation_ratio_a"][position]),
                        "images_per_direction": attributes["images"] / k if k else float("nan"),
                        "warnings": str(warnings[position]),
                    }
                )
    return rows


def matrix(rows: Sequence[Row], measure: str, column: str, layers: Mapping[str, str]) -> NDArray[np.float64]:
    """One column of the table as a symmetric matrix over models, each at one layer; NaN where there is no row.

    Parameters
    ----------
    rows
        See `pair_rows`.
    measure, column
        Which measure, and ``"value"``, ``"adjusted"``, ``"null_mean"``, ``"low"`` or ``"high"``.
    layers
        The layer of each model, in the order of the matrix.

    Returns
    -------
    numpy.ndarray
        (M, M) float64.
    """
    position = {model: index for index, model in enumerate(layers)}
    result = np.full((len(layers), len(layers)), np.nan)
    for row in rows:
        a, b = row["model_a"], row["model_b"]
        if row["measure"] == measure and layers.get(a) == row["layer_a"] and layers.get(b) == row["layer_b"]:
            result[position[a], position[b]] = result[position[b], position[a]] = row[column]
    return result


def _rows(file: h5py.File, errors: Mapping[tuple[str, ...], tuple[float, bool, int]]) -> Iterator[Row]:
    attributes = plain_attributes(file)
    measures = json.loads(attributes["measures"])
    variance = json.loads(attributes["variance"])
    require(file, *measures, "layer_a", "layer_b", "components_a", "components_b")
    layers_a, layers_b = read_strings(file["layer_a"]), read_strings(file["layer_b"])
    itself = attributes["model_a"] == attributes["model_b"]
    dimensions = {side: (file[f"components_{side}"][...], file[f"rank_{side}"][...]) for side in "ab"}
    for name in measures:
        column = _threshold(name, variance)
        arrays = {key: file[f"{key}/{name}"][...] for key in ("null", "adjusted", "saturated", "few_images")}
        extra = {key: file[f"{key}/{name}"][...] for key in ("p", "calibrated") if f"{key}/{name}" in file}
        value, reason = file[name][...], file[f"reason/{name}"].asstr()[...]
        kind = file[f"null/{name}"].attrs["kind"]
        for i, layer_a in enumerate(layers_a):
            for j, layer_b in enumerate(layers_b):
                if itself and j < i:
                    continue
                identity = (attributes["model_a"], str(layer_a), attributes["model_b"], str(layer_b), name)
                low, high = _interval(name, float(value[i, j]), float(arrays["null"][i, j]), errors.get(identity))
                yield {
                    "dataset": attributes["dataset"],
                    **dict(zip(IDENTITY, identity, strict=True)),
                    "value": float(value[i, j]),
                    "low": low,
                    "high": high,
                    "null_mean": float(arrays["null"][i, j]),
                    "null": kind,
                    "adjusted": float(arrays["adjusted"][i, j]),
                    **{key: float(extra[key][i, j]) if key in extra else float("nan") for key in ("p", "calibrated")},
                    "N": attributes["images"],
                    **{
                        f"k_{side}": int(components[index, column] if column is not None else rank[index])
                        for (side, (components, rank)), index in zip(dimensions.items(), (i, j), strict=True)
                    },
                    "flags": " ".join(flag for flag in ("saturated", "few_images") if arrays[flag][i, j]),
                    "reason": str(reason[i, j]),
                }


def _threshold(name: str, variance: Sequence[float]) -> int | None:
    """Position of the threshold of an SVCCA measure; None for measures of all directions."""
    if not base_name(name).startswith("svcca"):
        return None
    return [f"{share:g}" for share in variance].index(name.split("@")[1]) if "@" in name else 0


def _interval(name: str, value: float, null_mean: float, error: tuple[float, bool, int] | None) -> tuple[float, float]:
    if error is None:
        return float("nan"), float("nan")
    standard_error, adjusted, subsamples = error
    half = student_quantile(0.5 + LEVEL / 2, subsamples - 1) * standard_error
    if adjusted:
        half *= 1.0 - null_mean
    largest = np.pi / 2 if CATALOGUE[base_name(name)].distance else 1.0
    return value - half, min(value + half, largest)


def _standard_errors(path: PathLike) -> dict[tuple[str, ...], tuple[float, bool, int]]:
    names = ("model_a", "layer_a", "model_b", "layer_b", "measure")
    with open_file(path) as file:
        require(file, *names, "standard_error", "adjusted")
        *sides, measures = (read_strings(file[name]) for name in names)
        errors, adjusted = file["standard_error"][...], file["adjusted"][...]
        subsamples = int(file.attrs["subsamples"])
    return {
        (*(str(name) for name in pair), str(measure)): (
            float(errors[row, column]),
            bool(adjusted[column]),
            subsamples,
        )
        for row, pair in enumerate(zip(*sides, strict=True))
        for column, measure in enumerate(measures)
    }

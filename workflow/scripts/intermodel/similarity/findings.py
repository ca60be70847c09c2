"""What the similarities of a data set say, in sentences that state chance and uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.similarity.catalogue import CATALOGUE, as_similarity, base_name
from intermodel.similarity.table import Row, matrix
from intermodel.statistics.correlation import correlate
from intermodel.statistics.jackknife import Difference, jackknife_over_models

# Fewer models than this say nothing about models in general.
FEWEST_MODELS = 4
# Two views of the same pairs: shared directions whatever their variance, and whole representations weighted by it.
HEADLINES = ("svcca", "cka_unbiased")
SPOKEN = {"svcca": "SVCCA", "cka_unbiased": "unbiased CKA"}
# Beyond this ratio of dimensions SVCCA says whether the smaller representation lies within the larger one.
CONTAINMENT = 2.0


@dataclass(frozen=True)
class Models:
    """Models of a study in its order: titles by name, layers by name (shallow to deep), names of untrained controls."""

    titles: Mapping[str, str]
    layers: Mapping[str, Sequence[str]]
    controls: Sequence[str] = ()

    @property
    def last_layers(self) -> dict[str, str]:
        """The deepest layer of each model."""
        return {model: layers[-1] for model, layers in self.layers.items()}


def headline_measures(rows: Sequence[Row], models: Models) -> list[str]:
    """The measures that findings speak of: of `HEADLINES`, those that most pairs of last layers can bear.

    Where none is left, the first measure that is defined for most pairs and saturated for few.
    """
    between = _between_models(rows, models.last_layers)

    def bearable(name: str) -> bool:
        chosen = [row for row in between if row["measure"] == name]
        usable = [row for row in chosen if np.isfinite(row["value"]) and "saturated" not in row["flags"]]
        return 2 * len(usable) > len(chosen)

    found = [name for name in HEADLINES if bearable(name)]
    return found or [name for name in dict.fromkeys(row["measure"] for row in between) if bearable(name)][:1]


def findings(rows: Sequence[Row], models: Models) -> list[str]:
    """Sentences on the most and least similar models, chance, depth, untrained controls and agreement of measures.

    Parameters
    ----------
    rows
        See `intermodel.similarity.table.pair_rows`.
    models
        The models of the study.
    """
    if len(models.layers) < 2:
        return ["There is one model only; similarities between models need a second one."]
    measures = headline_measures(rows, models)
    if not measures:
        return ["No measure is defined and unsaturated for most pairs of last layers; use more images."]
    sentences = [_extremes(rows, models, measure) for measure in measures]
    sentences += [_above_chance(rows, models, measure) for measure in measures]
    sentences += [_depth(rows, models, measure) for measure in measures]
    sentences += [_controls(rows, models, measure) for measure in measures]
    return [*filter(None, sentences), *_agreement(rows, models)]


def warnings(rows: Sequence[Row], representations: Sequence[Row]) -> list[str]:
    """What a reader must know before believing the table: saturated, missing or peculiar entries."""
    sentences = []
    saturated = [row for row in rows if "saturated" in row["flags"] and not _identity(row)]
    if saturated:
        worst = max(saturated, key=lambda row: row["k_a"] + row["k_b"])
        sentences.append(
            f"{_count(len(saturated), 'value')} of {_list(sorted({row['measure'] for row in saturated}))} would be "
            f"high for any data, since {worst['N']} images are too few for up to {worst['k_a']} and {worst['k_b']} "
            "directions; they are marked as saturated."
        )
    few = [row for row in rows if "few_images" in row["flags"] and row["measure"] == "svcca" and not _identity(row)]
    if few:
        sentences.append(
            f"{_count(len(few), 'value')} of SVCCA with fewer than 18 images per direction: unrelated features already "
            "give 0.2 or more there; read the null-adjusted column."
        )
    reasons = sorted({(row["measure"], row["reason"]) for row in rows if row["reason"]})
    sentences += [f"{measure} is undefined for some layers: {reason}." for measure, reason in reasons]
    sentences += [f"{row['model']}, {row['layer']}: {row['warnings']}." for row in representations if row["warnings"]]
    return sentences


def depth_contrast(rows: Sequence[Row], measure: str, layers: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """For each pair of models with equally many layers, mean similarity at the same depth minus at other depths.

    Returns
    -------
    numpy.ndarray
        (M, M), symmetric, of null-adjusted values; NaN on the diagonal and for pairs that cannot be contrasted.
    """
    names = list(layers)
    blocks: dict[tuple[str, str], NDArray[np.float64]] = {}
    for row in rows:
        a, b = row["model_a"], row["model_b"]
        if row["measure"] == measure and a != b and a in layers and b in layers:
            block = blocks.setdefault((a, b), np.full((len(layers[a]), len(layers[b])), np.nan))
            block[layers[a].index(row["layer_a"]), layers[b].index(row["layer_b"])] = row["adjusted"]
    result = np.full((len(names), len(names)), np.nan)
    for (a, b), block in blocks.items():
        if block.shape[0] == block.shape[1] > 1 and np.isfinite(block).all():
            same = np.trace(block) / len(block)
            other = (block.sum() - np.trace(block)) / (block.size - len(block))
            i, j = names.index(a), names.index(b)
            result[i, j] = result[j, i] = same - other
    return result


def _extremes(rows: Sequence[Row], models: Models, measure: str) -> str:
    chosen = [
        row
        for row in _between_models(rows, models.last_layers)
        if row["measure"] == measure and np.isfinite(row["value"])
    ]
    chosen.sort(key=lambda row: float(as_similarity(measure, row["value"])), reverse=True)
    if len(chosen) == 1:
        return (
            f"By {_label(measure)}, the last layers of {_pair(chosen[0], models)} reach {_value(chosen[0], measure)}."
        )
    first, second, last = chosen[0], chosen[1], chosen[-1]
    sentence = f"By {_label(measure)}, the most similar last layers are those of {_pair(first, models)}"
    sentence += f" at {_value(first, measure)}"
    if _overlap(first, second):
        sentence += f", though {_pair(second, models)} at {second['value']:z.2f} cannot be told from them"
    sentence += f"; the least similar are {_pair(last, models)} at {_value(last, measure)}."
    few, many = sorted((first["k_a"], first["k_b"]))
    if measure == "svcca" and many > CONTAINMENT * few:
        sentence += (
            f" With {few} and {many} directions, the first says that the smaller representation lies largely within "
            "the larger, not that the two are equal."
        )
    return sentence


def _above_chance(rows: Sequence[Row], models: Models, measure: str) -> str:
    chosen = [
        row
        for row in _between_models(rows, models.last_layers)
        if row["measure"] == measure and np.isfinite(row["low"]) and np.isfinite(row["null_mean"])
    ]
    if len(chosen) < 2:
        return ""
    above = sum(row["low"] > row["null_mean"] for row in chosen)
    return (
        f"By {_label(measure)}, {above} of {len(chosen)} pairs of last layers lie above chance: the 95 % interval "
        "excludes the mean for shuffled images "
        f"({np.mean([row['null_mean'] for row in chosen]):z.2f} on average)."
    )


def _depth(rows: Sequence[Row], models: Models, measure: str) -> str:
    trained = {name: layers for name, layers in models.layers.items() if name not in models.controls}
    contrast = depth_contrast(rows, measure, trained)
    kept = np.flatnonzero(np.isfinite(contrast).any(axis=1))
    contrast = contrast[np.ix_(kept, kept)]
    if len(kept) < FEWEST_MODELS or not np.isfinite(contrast[np.triu_indices(len(kept), 1)]).all():
        return ""
    found = jackknife_over_models(lambda chosen: _mean_of_pairs(contrast, chosen), len(kept))
    what = f"by {_label(measure)} above chance, same depth minus other depths is {_difference(found)}"
    if found.low > 0:
        return (
            f"Layers at the same depth of different trained models are more alike than layers at other depths: {what}."
        )
    if found.high < 0:
        return (
            f"Layers at the same depth of different trained models are less alike than layers at other depths: {what}."
        )
    return f"That layers at the same depth of different trained models are more alike is not established: {what}."


def _controls(rows: Sequence[Row], models: Models, measure: str) -> str:
    trained = [name for name in models.layers if name not in models.controls]
    controls = [name for name in models.layers if name in models.controls]
    if not controls or len(trained) < FEWEST_MODELS:
        return ""
    values = matrix(rows, measure, "adjusted", {name: models.layers[name][-1] for name in (*trained, *controls)})
    among, across = values[: len(trained), : len(trained)], values[: len(trained), len(trained) :]
    upper = np.triu_indices(len(trained), 1)
    if not (np.isfinite(among[upper]).all() and np.isfinite(across).all()):
        return ""
    found = jackknife_over_models(
        lambda chosen: _mean_of_pairs(among, chosen) - float(across[chosen].mean()), len(trained)
    )
    untrained = _list([f"**{models.titles[name]}**" for name in controls])
    what = (
        f"by {_label(measure)} above chance {among[upper].mean():z.2f} among trained models and {across.mean():z.2f} "
        f"between them and the untrained {untrained}; difference {_difference(found)}"
    )
    if found.low > 0:
        return f"Last layers of trained models are more like each other than like untrained ones: {what}."
    if found.high < 0:
        return f"Last layers of trained models are more like untrained ones than like each other: {what}."
    return f"That trained models share more with each other than with untrained ones is not established: {what}."


def _agreement(rows: Sequence[Row], models: Models) -> list[str]:
    """Whether the subspace view and the variance-weighted view order the pairs of models alike."""
    first = matrix(rows, "svcca", "adjusted", models.last_layers)
    second = matrix(rows, "cka_unbiased", "adjusted", models.last_layers)
    count = len(models.layers)
    upper = np.triu_indices(count, 1)
    if count < FEWEST_MODELS + 1 or not (np.isfinite(first[upper]).all() and np.isfinite(second[upper]).all()):
        return []

    def rank_correlation(chosen: NDArray[np.intp]) -> float:
        i, j = (chosen[side] for side in np.triu_indices(len(chosen), 1))
        return float(correlate(first[i, j], second[i, j], "spearman").r[0, 0])

    found = jackknife_over_models(rank_correlation, count)
    if not np.isfinite(found.low):
        return []
    low, high = max(found.low, -1.0), min(found.high, 1.0)
    return [
        f"SVCCA and unbiased CKA order the pairs of models with a rank correlation of {found.estimate:z.2f} "
        f"(95 % interval {low:z.2f} to {high:z.2f}, over models); no single measure decides what similar means."
    ]


def _mean_of_pairs(values: NDArray[np.float64], chosen: NDArray[np.intp]) -> float:
    return float(values[np.ix_(chosen, chosen)][np.triu_indices(len(chosen), 1)].mean())


def _between_models(rows: Sequence[Row], layers: Mapping[str, str]) -> list[Row]:
    return [
        row
        for row in rows
        if row["model_a"] != row["model_b"]
        and layers.get(row["model_a"]) == row["layer_a"]
        and layers.get(row["model_b"]) == row["layer_b"]
    ]


def _identity(row: Row) -> bool:
    return bool(row["model_a"] == row["model_b"] and row["layer_a"] == row["layer_b"])


def _overlap(first: Row, second: Row) -> bool:
    """Whether the interval of each holds the other's value; without intervals nothing is told apart."""
    ends = np.array([[row["low"], row["high"]] for row in (first, second)])
    return bool(not np.isfinite(ends).all() or (ends[0, 0] <= ends[1, 1] and ends[1, 0] <= ends[0, 1]))


def _pair(row: Row, models: Models) -> str:
    return f"**{models.titles[row['model_a']]}** and **{models.titles[row['model_b']]}**"


def _value(row: Row, measure: str) -> str:
    parts = []
    if np.isfinite(row["low"]):
        parts.append(f"95 % interval {row['low']:z.2f} to {row['high']:z.2f}")
    if np.isfinite(row["null_mean"]):
        parts.append(f"{row['null_mean']:z.2f} by chance")
    return f"{row['value']:z.2f}" + (f" ({'; '.join(parts)})" if parts else "")


def _difference(found: Difference) -> str:
    return f"{found.estimate:z.2f} (95 % interval {found.low:z.2f} to {found.high:z.2f}, over models)"


def _label(measure: str) -> str:
    return SPOKEN.get(measure, CATALOGUE[base_name(measure)].label)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _list(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"

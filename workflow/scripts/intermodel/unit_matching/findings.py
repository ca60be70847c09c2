"""What the matches of a data set say, in sentences that state chance and uncertainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from intermodel.statistics.jackknife import jackknife_over_models
from intermodel.unit_matching.groups import Group
from intermodel.unit_matching.tables import Row, matrix

# Fewer trained models than this say nothing about models in general.
FEWEST_MODELS = 4


@dataclass(frozen=True)
class Models:
    """Models of a study in its order: titles by name, the matched layer by name, names of untrained controls."""

    titles: Mapping[str, str]
    layers: Mapping[str, str]
    controls: Sequence[str] = ()


def findings(rows: Sequence[Row], groups: Sequence[Group], models: Models) -> list[tuple[str, str]]:
    """Sentences, each with the table it rests on.

    Parameters
    ----------
    rows
        See `tables.pair_rows`.
    groups
        See `groups.shared_groups`.
    models
        The models of the study.
    """
    known = [row for row in rows if np.isfinite(row["adjusted"])]
    if not known:
        return [("No two models have units that vary; nothing can be matched.", "pairs.csv")]
    sentences = [(_extremes(known, models), "pairs.csv"), (_shared(groups, models), "groups.csv")]
    controls = _controls(known, models)
    return sentences + ([(controls, "pairs.csv")] if controls else [])


def warnings(rows: Sequence[Row]) -> list[str]:
    """What a reader must know before believing the tables."""
    sentences = []
    constant: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        for side in "ab":
            if row[f"constant_{side}"]:
                place = row[f"model_{side}"], row[f"layer_{side}"]
                constant[place] = row[f"constant_{side}"], row[f"units_{side}"]
    for (model, layer), (count, units) in constant.items():
        sentences.append(f"{model}, {layer}: {count} of {units} units never vary on these images; they match nothing.")
    positional = [row for row in rows if row["null_similarity"] > 0.5]
    if positional:
        worst = max(positional, key=lambda row: float(row["null_similarity"]))
        sentences.append(
            f"In {len(positional)} of {len(rows)} pairs wrongly paired images already give a similarity above 0.5 "
            f"(at most {worst['null_similarity']:.2f}): units there tell positions rather than contents; read the "
            "adjusted column."
        )
    return sentences


def _extremes(rows: Sequence[Row], models: Models) -> str:
    ranked = sorted(rows, key=lambda row: -float(row["adjusted"]))
    first, last = ranked[0], ranked[-1]
    sentence = f"Units of {_pair(first, models)} are the most alike: {_value(first)}"
    if len(ranked) == 1:
        return sentence.replace("are the most alike", "match as follows") + "."
    return f"{sentence}; those of {_pair(last, models)} the least: {_value(last)}."


def _value(row: Row) -> str:
    return (
        f"their best correlations average {row['similarity']:.2f} (95 % interval {row['similarity_low']:.2f} to "
        f"{row['similarity_high']:.2f}; {row['null_similarity']:.2f} when images are paired wrongly), and "
        f"{row['matched_beyond_chance']} pairs of units are each other's nearest beyond chance"
    )


def _shared(groups: Sequence[Group], models: Models) -> str:
    if not groups:
        return "No unit is shared, beyond chance, by the number of models that the study asks of a group."
    most = len(groups[0])
    widest = sum(len(group) == most for group in groups)
    everyone = "all" if most == len(models.layers) else f"{most} of {len(models.layers)}"
    return (
        f"{len(groups)} groups of units answer the same places of the same images in several models; "
        f"{'one of them spans' if widest == 1 else f'{widest} of them span'} {everyone} models, and the best of these "
        f"has no correlation below {groups[0].weakest:.2f}."
    )


def _controls(rows: Sequence[Row], models: Models) -> str:
    trained = [name for name in models.layers if name not in models.controls]
    controls = [name for name in models.layers if name in models.controls]
    if not controls or len(trained) < FEWEST_MODELS:
        return ""
    values = matrix(rows, "adjusted", [*trained, *controls])
    among, across = values[: len(trained), : len(trained)], values[: len(trained), len(trained) :]
    upper = np.triu_indices(len(trained), 1)
    if not (np.isfinite(among[upper]).all() and np.isfinite(across).all()):
        return ""
    found = jackknife_over_models(
        lambda chosen: float(
            among[np.ix_(chosen, chosen)][np.triu_indices(len(chosen), 1)].mean() - across[chosen].mean()
        ),
        len(trained),
    )
    what = (
        f"similarity above chance is {among[upper].mean():z.2f} among trained models and {across.mean():z.2f} between "
        f"them and the untrained; difference {found.estimate:z.2f} (95 % interval {found.low:z.2f} to "
        f"{found.high:z.2f}, over models)"
    )
    if found.low > 0:
        return f"Units of trained models are more like each other than like untrained ones: {what}."
    if found.high < 0:
        return f"Units of trained models are more like untrained ones than like each other: {what}."
    return f"That trained models share more units with each other than with untrained ones is not established: {what}."


def _pair(row: Row, models: Models) -> str:
    return f"**{models.titles[row['model_a']]}** and **{models.titles[row['model_b']]}**"

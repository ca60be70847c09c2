"""From the dissections of a data set to its tables: labels under one common normalisation, models by models."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.clip_dissect.dissect import Dissection, best_cosines, read_dissection
from intermodel.clip_dissect.scores import WPMI, Floats, normalised
from intermodel.csv_tables import write_table
from intermodel.statistics.multiple_testing import benjamini_hochberg
from intermodel.statistics.nulls import chance_corrected
from intermodel.store import PathLike, open_file, read_attributes, read_strings

Row = dict[str, Any]

# A label that stays in this share of the draws is stable; the false discovery rate at which names are beyond chance.
STABLE, LEVEL = 0.8, 0.05


@dataclass(frozen=True)
class Models:
    """Models of a study in its order: titles by name, the layer by name, names of untrained controls."""

    titles: Mapping[str, str]
    layers: Mapping[str, str]
    controls: Sequence[str] = ()


def read_models(description: str, layers: Mapping[str, str]) -> Models:
    """Models of a study from its description (JSON text of `Study.titles`) and the layer of each."""
    entries = json.loads(description)["models"]
    return Models(
        titles={entry["name"]: entry["title"] for entry in entries},
        layers={entry["name"]: layers[entry["name"]] for entry in entries},
        controls=[entry["name"] for entry in entries if entry["control"]],
    )


@dataclass(frozen=True)
class Labels:
    """Of each unit the best word and the second best, -1 for constant units, with their scores (NaN)."""

    best: NDArray[np.intp]
    second: NDArray[np.intp]
    score: Floats
    second_score: Floats


def label_units(scores: Floats, live: NDArray[np.bool_]) -> Labels:
    """Words with the highest scores, (U, C), of equals the first in the list."""
    values = np.where(live[:, None], scores, 0.0)
    order = np.argsort(-values, axis=1, kind="stable")[:, :2]
    chosen = np.where(live[:, None], np.take_along_axis(values, order, axis=1), np.nan)
    order = np.where(live[:, None], order, -1)
    return Labels(order[:, 0], order[:, 1], chosen[:, 0], chosen[:, 1])


def common_total(totals: Sequence[Floats]) -> Floats:
    """logsumexp over the units of all layers, (C,), from those of each layer."""
    stacked = np.stack([total for total in totals if len(total)])
    largest = stacked.max(axis=0)
    return np.asarray(largest + np.log(np.exp(stacked - largest).sum(axis=0)))


def scores_of(layer: Dissection, log_total: Floats, units: int, evidence: NDArray[np.floating] | None = None) -> Floats:
    """Scores of a layer's units, (U, C), or of other evidence about the same words, under a normalisation over `units`
    units (WPMI; others need none)."""
    settings = WPMI.get(layer.attributes["score"])
    values = np.asarray(layer.evidence if evidence is None else evidence, dtype=np.float64)
    return normalised(values, log_total, units, settings.factor) if settings and len(log_total) else values


def stability(layer: Dissection, labels: Labels, log_total: Floats, units: int) -> Floats:
    """Share of the draws of the images in which each unit keeps its label among its candidates, (U,).

    The second term of scores of the WPMI kind, which runs over all units, stays that of all images. NaN for constant
    units, where the label is no candidate, and without draws.
    """
    result = np.full(len(layer.live), np.nan)
    if not len(layer.drawn):
        return result
    known = layer.live & (layer.candidates == labels.best[:, None]).any(axis=1)
    words = layer.candidates[known]
    common = log_total[words] if len(log_total) else np.zeros(words.shape)
    scores = scores_of(layer, common, units, layer.drawn[:, known])
    # Candidates are ordered by fit: the first of equals is the better one.
    won = np.take_along_axis(words[None], scores.argmax(axis=2)[..., None], axis=2)[..., 0]
    result[known] = (won == labels.best[known]).mean(axis=0)
    return result


def null_scores(layer: Dissection, log_total: Floats, units: int) -> Floats:
    """The best score of each unit with shuffled images, (R,).

    Where scores are normalised over units, each of them joins those units for its own score, so that it is held against
    the others and itself as every unit is.
    """
    if not len(layer.null):
        return np.empty(0)
    joined = np.logaddexp(log_total, layer.null) if len(log_total) else log_total
    return np.asarray(scores_of(layer, joined, units + 1, layer.null).max(axis=1))


def chance_of(labels: Labels, null: Floats) -> tuple[Floats, Floats]:
    """p and q of each unit's best score, (U,) each, among the best scores of units with shuffled images, (R,).

    p is (1 + those that reach it) / (1 + all); q the false discovery rate over the units. NaN for constant units and
    without anything to compare with.
    """
    nothing = np.full(len(labels.best), np.nan)
    if not len(null):
        return nothing, nothing
    reached = len(null) - np.searchsorted(np.sort(null), labels.score, side="left")
    p = np.where(labels.best >= 0, (1 + reached) / (1 + len(null)), np.nan)
    return p, benjamini_hochberg(p)


def summarise_dissections(
    paths: Sequence[PathLike], words: PathLike, models: Models, tables: Mapping[str, PathLike]
) -> None:
    """Write the tables of a data set.

    Parameters
    ----------
    paths
        Files of the dissections of all models, in any order.
    words
        File of the words.
    models
        The models of the study.
    tables
        CSV files to write, by name: units, words, summary, pairs, findings, warnings.
    """
    with open_file(words) as file:
        names = read_strings(file["word"])
    found = {read_attributes(path)["model"]: path for path in paths}
    ordered = [found[model] for model in models.layers]
    totals, counts = [], []
    for path in ordered:
        layer = read_dissection(path)
        totals.append(layer.log_total)
        counts.append(int(layer.live.sum()))
    together = common_total(totals) if any(map(len, totals)) else np.empty(0)

    nulls = {path: null_scores(read_dissection(path), together, sum(counts)) for path in ordered}
    if len(together):
        # What random images say about words depends on no model: all shuffled units serve every model.
        nulls = dict.fromkeys(ordered, np.concatenate(list(nulls.values())))
    units: list[Row] = []
    meanings: dict[str, tuple[Floats, Floats]] = {}
    summary: list[Row] = []
    # One layer at a time: scores of all words are the only large arrays.
    for path, total, count in zip(ordered, totals, counts, strict=True):
        layer = read_dissection(path)
        labels = label_units(scores_of(layer, together, sum(counts)), layer.live)
        alone = label_units(scores_of(layer, total, count), layer.live)
        rows = _unit_rows(layer, labels, alone, names)
        kept = stability(layer, labels, together, sum(counts))
        for row, share, p, q in zip(rows, kept, *chance_of(labels, nulls[path]), strict=True):
            row |= {"stability": share, "p": p, "q": q}
        units += rows
        summary.append(_summary_row(layer, rows))
        meanings[layer.attributes["model"]] = layer.embedding, layer.random
    pairs = pair_rows(meanings, models)
    write_table(tables["units"], units)
    write_table(tables["words"], word_rows(units, models))
    write_table(tables["summary"], summary)
    write_table(tables["pairs"], pairs or {name: [] for name in PAIR_COLUMNS})
    statements = findings(units, summary, pairs, models)
    write_table(
        tables["findings"],
        {"statement": [text for text, _ in statements], "table": [table for _, table in statements]},
    )
    write_table(tables["warnings"], {"warning": warnings(summary)})


def _unit_rows(layer: Dissection, labels: Labels, alone: Labels, names: NDArray[np.str_]) -> list[Row]:
    def word(number: int) -> str:
        return str(names[number]) if number >= 0 else ""

    return [
        {
            "model": layer.attributes["model"],
            "layer": layer.attributes["layer"],
            "unit": unit,
            "label": word(labels.best[unit]),
            "score": labels.score[unit],
            "second": word(labels.second[unit]),
            "second_score": labels.second_score[unit],
            "label_within_layer": word(alone.best[unit]),
            "clarity": layer.clarity[unit],
        }
        for unit in range(len(layer.clarity))
    ]


def _summary_row(layer: Dissection, rows: Sequence[Row]) -> Row:
    live = layer.live
    return {
        **{name: layer.attributes[name] for name in ("dataset", "model", "layer")},
        "units": len(live),
        "constant_units": int((~live).sum()),
        "labels": len({row["label"] for row in rows if row["label"]}),
        "same_label_within_layer": float(
            np.mean([row["label"] == row["label_within_layer"] for row in rows if row["label"]])
            if live.any()
            else np.nan
        ),
        "stable_labels": _count(rows, "stability", lambda share: share >= STABLE, layer.drawn),
        "labels_beyond_chance": _count(rows, "q", lambda q: q <= LEVEL, layer.null),
        "clarity": float(layer.clarity[live].mean()) if live.any() else float("nan"),
        "clarity_of_all": layer.attributes["clarity_of_all"],
        **{name: layer.attributes[name] for name in ("score", "top_images", "exemplars", "images")},
    }


def _count(rows: Sequence[Row], column: str, holds: Callable[[float], bool], looked_at: NDArray[Any]) -> float:
    """Units of which something holds, NaN where it was not looked at."""
    return float(sum(holds(row[column]) for row in rows)) if len(looked_at) else float("nan")


def word_rows(units: Sequence[Row], models: Models) -> dict[str, list[Any]]:
    """Columns of the words that label a unit: models and units in all, and units of each model; most models first."""
    counts: dict[str, dict[str, int]] = {}
    for row in units:
        if row["label"]:
            of_word = counts.setdefault(row["label"], dict.fromkeys(models.layers, 0))
            of_word[row["model"]] += 1
    order = sorted(counts, key=lambda word: (-_models(counts[word]), -sum(counts[word].values()), word))
    columns: dict[str, list[Any]] = {
        "word": order,
        "models": [_models(counts[word]) for word in order],
        "units": [sum(counts[word].values()) for word in order],
    }
    return columns | {f"units_{model}": [counts[word][model] for word in order] for model in models.layers}


def _models(counts: Mapping[str, int]) -> int:
    return sum(count > 0 for count in counts.values())


PAIR_COLUMNS = (
    *("model_a", "layer_a", "model_b", "layer_b", "similarity", "similarity_a", "similarity_b"),
    *("null_similarity", "adjusted"),
)


def pair_rows(meanings: Mapping[str, tuple[Floats, Floats]], models: Models) -> list[Row]:
    """Similarity of every two models by the meanings of their units, and what units with random images would give.

    Parameters
    ----------
    meanings
        For each model the embeddings of its units, (U, E), and of as many random sets of images.
    models
        The models of the study.
    """
    rows = []
    for a, b in combinations(sorted(meanings), 2):
        one, other = best_cosines(meanings[a][0], meanings[b][0])
        null = float(np.mean(best_cosines(meanings[a][1], meanings[b][1])))
        similarity = (one + other) / 2
        values = (similarity, one, other, null, float(chance_corrected(similarity, null)))
        rows.append(dict(zip(PAIR_COLUMNS, (a, models.layers[a], b, models.layers[b], *values), strict=True)))
    return rows


def findings(
    units: Sequence[Row], summary: Sequence[Row], pairs: Sequence[Row], models: Models
) -> list[tuple[str, str]]:
    """Sentences, each with the table it rests on."""
    sentences = []
    words = word_rows(units, models)
    if words["word"]:
        everywhere = [word for word, count in zip(words["word"], words["models"]) if count == len(models.layers)]
        named = f", e.g. {', '.join(everywhere[:3])}" if everywhere else ""
        sentence = (
            f"Through CLIP, {len(words['word'])} words name the units of {len(models.layers)} models; "
            f"{len(everywhere)} of them occur in every model{named}."
        )
        sentences.append((sentence, "words.csv"))
    told = [row for row in summary if np.isfinite(row["labels_beyond_chance"]) and np.isfinite(row["stable_labels"])]
    if told:
        parts = [
            f"**{models.titles[row['model']]}** {row['labels_beyond_chance']:.0f} and {row['stable_labels']:.0f} of "
            f"{row['units'] - row['constant_units']}"
            for row in told
        ]
        sentence = (
            "Units whose name fits better than the best name of units with shuffled images (false discovery rate "
            f"{LEVEL:.0%}), and units whose name stays in {STABLE:.0%} of the draws of the images: {'; '.join(parts)}."
        )
        sentences.append((sentence, "summary.csv"))
    known = [row for row in summary if np.isfinite(row["clarity"])]
    if known:
        best = max(known, key=lambda row: float(row["clarity"]))
        sentence = (
            f"The strongest images of a unit are most alike in **{models.titles[best['model']]}**: their mean cosine "
            f"in CLIP's space is {best['clarity']:.2f}, against {best['clarity_of_all']:.2f} for any two images."
        )
        sentences.append((sentence, "summary.csv"))
    ranked = sorted((row for row in pairs if np.isfinite(row["adjusted"])), key=lambda row: -float(row["adjusted"]))
    if ranked:
        first = ranked[0]
        a, b = (models.titles[first[f"model_{side}"]] for side in "ab")
        sentence = (
            f"By what their units mean to CLIP, **{a}** and **{b}** are the most alike: a unit's closest counterpart "
            f"has a mean cosine of {first['similarity']:.2f}, against {first['null_similarity']:.2f} for units with "
            "random images."
        )
        sentences.append((sentence, "pairs.csv"))
    return sentences


def warnings(summary: Sequence[Row]) -> list[str]:
    """What a reader must know before believing the labels."""
    sentences = [
        f"{row['model']}, {row['layer']}: {row['constant_units']} of {row['units']} units never vary on these images; "
        "they have no label."
        for row in summary
        if row["constant_units"]
    ]
    doubtful = [row for row in summary if row["labels_beyond_chance"] < (row["units"] - row["constant_units"]) / 2]
    if doubtful:
        named = ", ".join(f"{row['model']} ({row['labels_beyond_chance']:.0f} of {row['units']})" for row in doubtful)
        sentences.append(
            f"Most names could be those of units with shuffled images: fewer than half are beyond chance in {named}."
        )
    if any(row["score"] in WPMI for row in summary):
        sentences.append(
            "Scores are log-ratios: they are relative to all words of the list and to all units of all models, and say "
            "which word fits best, not that it fits; every unit that varies gets one."
        )
    return sentences

"""From the tallies of all models to the files of the embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.files import read_tally
from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import assign_labels
from intermodel.concepts.tally import Tally
from intermodel.engine.errors import UserError
from intermodel.engine.progress import progress
from intermodel.engine.seeds import derive_seed
from intermodel.lce import performance, tables
from intermodel.lce.agreement import agreement_sentences, agreements, geometries
from intermodel.lce.embedding import Embedding, embed
from intermodel.lce.evidence import best_iou, detectors, gather
from intermodel.lce.files import About, Model, write_embedding
from intermodel.lce.findings import Finding, crossing_findings, findings
from intermodel.lce.settings import Settings
from intermodel.lce.uncertainty import Resampling, resampling
from intermodel.store import open_file, plain_attributes, read_attributes, read_table, write_table

# Attributes of a tally that must agree, and what they are called.
COMPARED = {
    "dataset_fingerprint": "probe images",
    "segmentation_fingerprint": "label maps",
    "images": "number of probe images",
    "tail": "tail",
    "thresholds": "rule for thresholds",
    "masks": "kind of masks",
    "size": "size of the label maps",
}


@dataclass(frozen=True)
class Knowledge:
    """All models under all weightings of the folds.

    Attributes
    ----------
    count
        Detectors, (weightings, models, labels).
    best
        Best IoU, (weightings, models, labels), or None where it is not needed.
    category_iou
        Mean over the units of the best IoU in each category, all images, (models, categories).
    units
        (models,).
    weights
        The weightings.
    first
        The first model's tally.
    warnings
        What a reader must know.
    """

    count: NDArray[np.int64]
    best: NDArray[np.float64] | None
    category_iou: NDArray[np.float64]
    units: NDArray[np.int64]
    weights: Resampling
    first: Tally
    warnings: tuple[str, ...]


def compare_models(
    tallies: Sequence[str | Path],
    models: Sequence[Mapping[str, Any]],
    folder: str | Path,
    dataset: str,
    settings: Mapping[str, Any],
    probes: Mapping[str, Mapping[str, str]] | None = None,
    companions: Mapping[str, str | Path] | None = None,
) -> None:
    """Embed the models of a study and write the embedding, its tables and its findings.

    Parameters
    ----------
    tallies
        Tally file of each model.
    models
        Of each model: name, title, family, control, layer.
    folder
        Where lce.h5 and the tables go.
    dataset
        Name of the probe set.
    settings
        See `intermodel.lce.settings.Settings`; further iou_threshold and denominator of the concepts, and
        performance, the path of a table of downstream results or None.
    probes
        Probe files by data set and model, for the study's own downstream results.
    companions
        Tables of pairs of other ways to compare the models on the same data set, by capability: "similarity",
        "unit_matching".

    Raises
    ------
    UserError
        If the tallies cannot be compared, or the performance table cannot be used.
    """
    folder = Path(folder)
    choices = Settings.of(settings)
    threshold, denominator = float(settings["iou_threshold"]), settings["denominator"]
    known = learn(tallies, [model["name"] for model in models], choices, threshold, denominator)
    vocabulary = known.first.vocabulary
    embedding = embed(
        known.weights.split(known.count),
        known.units,
        vocabulary.category,
        len(vocabulary.categories),
        known.weights,
        choices,
        None if known.best is None else known.weights.split(known.best),
    )
    about = About(
        dataset,
        int(known.first.folds.images.sum()),
        len(known.weights.sizes),
        tuple(
            Model(m["name"], m["title"], m["family"], bool(m["control"]), m["layer"], int(units))
            for m, units in zip(models, known.units, strict=True)
        ),
        vocabulary,
        choices,
        float(read_attributes(tallies[0])["tail"]),
        threshold,
        denominator,
        known.warnings + _warnings(embedding, known.units, choices, [model["title"] for model in models]),
    )
    for name, rows in tables.tables(embedding, about, known.category_iou).items():
        write_table(folder / f"{name}.csv", rows)
    rows, sentences = _cross(embedding, about, known.category_iou, settings.get("performance"), probes or {})
    write_table(folder / "performance.csv", rows or {name: [] for name in tables.PERFORMANCE_COLUMNS})
    gaps, rows, agreement = _agree(embedding, about, companions or {})
    write_table(folder / "geometries.csv", gaps or {name: [] for name in tables.GEOMETRY_COLUMNS})
    write_table(folder / "agreement.csv", rows or {name: [] for name in tables.AGREEMENT_COLUMNS})
    statements = findings(embedding, about) + sentences + agreement
    write_table(
        folder / "findings.csv",
        {
            "statement": [finding.statement for finding in statements],
            "table": [finding.table for finding in statements],
        },
    )
    write_table(folder / "warnings.csv", {"statement": list(about.warnings)})
    # Last, since everything that follows depends on it.
    write_embedding(folder / "lce.h5", embedding, about)


def learn(
    tallies: Sequence[str | Path],
    names: Sequence[str],
    settings: Settings,
    iou_threshold: float,
    denominator: Denominator,
) -> Knowledge:
    """Read the tallies one after the other and count detectors under all weightings of the folds."""
    first: Tally | None = None
    counts, bests, means, units = [], [], [], []
    warnings: list[str] = []
    for path, name in progress(list(zip(tallies, names, strict=True)), unit="model", label="embedding"):
        tally = read_tally(path)
        if first is None:
            first, weights = tally, _weights(tally, path, settings)
            stacked = weights.stacked()
        else:
            require_comparable(tallies[0], path, first, tally, names[0], name)
            if not np.array_equal(tally.folds.pixels, first.folds.pixels):
                warnings.append(
                    f"{names[0]} and {name} see different parts of the images (their preprocessing crops differently)."
                )
        evidence = gather(tally.folds, tally.vocabulary, iou_threshold, denominator)
        counts.append(detectors(evidence, stacked))
        if settings.variant == "soft":
            bests.append(best_iou(tally.folds, tally.vocabulary, stacked, denominator))
        labels = assign_labels(iou_matrix(tally.folds.total(), tally.vocabulary, denominator), tally.vocabulary)
        means.append(labels.category_iou.mean(axis=0))
        units.append(tally.units)
    if first is None:
        raise UserError("The embedding needs at least one model; name models in the study.")
    return Knowledge(
        np.stack(counts, axis=1),
        np.stack(bests, axis=1) if bests else None,
        np.stack(means),
        np.array(units),
        weights,
        first,
        tuple(warnings),
    )


def require_comparable(
    path: str | Path, other_path: str | Path, first: Tally, other: Tally, name: str, other_name: str
) -> None:
    """Refuse tallies of different probe sets, label sets, tails or masks.

    Raises
    ------
    UserError
        One sentence with what differs.
    """
    attributes, others = read_attributes(path), read_attributes(other_path)
    advice = f"delete {other_path} and {path} and run again, so that both are tallied alike."
    for key, words in COMPARED.items():
        if attributes.get(key) != others.get(key):
            raise UserError(
                f"{other_name} and {name} cannot be compared: they differ in the {words} "
                f"({key} is {others.get(key)!r} and {attributes.get(key)!r}); {advice}"
            )
    one, two = first.vocabulary, other.vocabulary
    if (one.names, one.categories) != (two.names, two.categories) or not (
        np.array_equal(one.numbers, two.numbers) and np.array_equal(one.category, two.category)
    ):
        raise UserError(f"{other_name} and {name} cannot be compared: they differ in the label set; {advice}")
    if not np.array_equal(first.folds.images, other.folds.images):
        raise UserError(f"{other_name} and {name} cannot be compared: they differ in the folds of images; {advice}")


def _weights(tally: Tally, path: str | Path, settings: Settings) -> Resampling:
    filled = int((tally.folds.images > 0).sum())
    if filled < 4:
        raise UserError(
            f"{path} holds {int(tally.folds.images.sum())} images in {filled} folds, expected at least 4 folds with "
            "images for intervals; use more images or more folds (analyses.concepts.folds)."
        )
    return resampling(tally.folds.images, settings.bootstrap, settings.splits, derive_seed(settings.seed, "lce"))


def _warnings(
    embedding: Embedding, units: NDArray[np.int64], settings: Settings, titles: Sequence[str]
) -> tuple[str, ...]:
    found = []
    if len(set(units.tolist())) > 1 and settings.variant == "count":
        found.append(
            f"The layers differ in width ({units.min()} to {units.max()} units) and counts grow with it: compare "
            "shares too (analyses.lce.variant: share or hellinger)."
        )
    empty = [title for title, nothing in zip(titles, embedding.empty, strict=True) if nothing]
    if empty:
        found.append(
            f"No concept is detected by {', '.join(empty)}: cosine and Hellinger distances to such a model "
            "are conventions."
        )
    return tuple(found)


def _cross(
    embedding: Embedding,
    about: About,
    category_iou: NDArray[np.float64],
    path: str | None,
    probes: Mapping[str, Mapping[str, str]],
) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Correlations with downstream results over the trained models, as rows and sentences."""
    settings = about.settings
    trained = [number for number, model in enumerate(about.models) if not model.control]
    names = [about.models[number].name for number in trained]
    parts = [performance.read_performance(path, names)] if path else []
    own = probe_outcomes(probes, [about.models[number] for number in trained])
    if own is not None:
        parts.append(own)
    if not parts:
        return [], []
    outcomes = parts[0] if len(parts) == 1 else performance.join(*parts)
    covariate = None
    if settings.covariate is not None:
        covariate, outcomes = performance.pick_covariate(outcomes, settings.covariate)
    if settings.summary:
        outcomes = performance.summarise(outcomes)
    predictor = {"unique": embedding.unique.value, "detectors": embedding.detectors.value, "iou": category_iou}
    columns = len(about.vocabulary.categories)
    crossings = performance.cross(
        predictor[settings.predictor][trained, :columns],
        outcomes,
        covariate,
        settings.permutations,
        derive_seed(settings.seed, "lce", "performance"),
        1 - settings.level,
    )
    categories = about.vocabulary.categories
    return (
        tables.performance(crossings, outcomes.results, categories, settings.covariate, settings.level),
        crossing_findings(crossings, outcomes.results, categories, len(trained), settings.level),
    )


def _agree(
    embedding: Embedding, about: About, companions: Mapping[str, str | Path]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Finding]]:
    """Agreement with other geometries over the trained models: the distances and the tests as rows, sentences."""
    settings = about.settings
    trained = [number for number, model in enumerate(about.models) if not model.control]
    names = [about.models[number].name for number in trained]
    found = geometries(
        embedding.measures[settings.distance].value.value[np.ix_(trained, trained)],
        {capability: read_table(path) for capability, path in companions.items()},
        {about.models[number].name: about.models[number].layer for number in trained},
    )
    if len(found) < 2 or len(trained) < 2:
        return [], [], []
    results = agreements(found, settings.permutations, derive_seed(settings.seed, "lce", "agreement"))
    sentences = agreement_sentences(results, [about.models[number].title for number in trained], settings.level)
    return (
        tables.geometries(found, names),
        tables.agreement(results, settings.distance, names),
        [Finding(sentence, "agreement.csv") for sentence in sentences],
    )


def probe_outcomes(probes: Mapping[str, Mapping[str, str]], models: Sequence[Model]) -> performance.Outcomes | None:
    """The study's own probe accuracies at the dissected layers as downstream results, None without any.

    Parameters
    ----------
    probes
        Probe files by data set and model.
    models
        The models, in the order of the rows.
    """
    results, columns = [], []
    for dataset, files in probes.items():
        values = np.full(len(models), np.nan)
        for row, model in enumerate(models):
            if model.name not in files:
                continue
            with open_file(files[model.name]) as file:
                if model.layer in file:
                    values[row] = float(plain_attributes(file[model.layer])["accuracy"])
        if not np.isnan(values).all():
            results.append(performance.Result("linear_probe", dataset, "accuracy"))
            columns.append(performance.transform(values, "fraction", True))
    if not results:
        return None
    return performance.Outcomes(tuple(results), np.stack(columns, axis=1), np.ones(len(results), bool))

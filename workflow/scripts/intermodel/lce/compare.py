"""From the tallies of all models to the files of the embedding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.vocabulary import Vocabulary
from intermodel.csv_tables import read_table, write_table
from intermodel.engine.seeds import derive_seed
from intermodel.lce import performance, tables
from intermodel.lce.agreement import agreement_sentences, agreements, geometries
from intermodel.lce.axes import axes_sentence, compare_axes
from intermodel.lce.axes_tables import axes_tables
from intermodel.lce.embedding import Embedding, embed
from intermodel.lce.enrichment import Enrichment, Regroup, amounts, enrich, group_name, regrouping
from intermodel.lce.families import FamilyMatch, match_families
from intermodel.lce.files import About, Model, concept_names, trained_models, write_embedding
from intermodel.lce.findings import Finding, findings
from intermodel.lce.knowledge import Knowledge, learn
from intermodel.lce.settings import Settings
from intermodel.lce.tasks import Panel, task_rows, task_statements
from intermodel.lce.variants import all_variants, liken, likeness_sentence
from intermodel.store import open_file, plain_attributes, read_attributes


def compare_models(
    tallies: Sequence[str | Path],
    models: Sequence[Mapping[str, Any]],
    folder: str | Path,
    dataset: str,
    settings: Mapping[str, Any],
    probes: Mapping[str, Mapping[str, str]] | None = None,
    companions: Mapping[str, str | Path] | None = None,
    scores: Sequence[str | Path] = (),
    resampled: Sequence[str | Path] = (),
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
        See `intermodel.lce.settings.Settings`; further iou_threshold and denominator of the concepts (and, if they are
        not the defaults, detection and fdr), and performance, the path of a table of downstream results or None.
    probes
        Probe files by data set and model, for the study's own downstream results.
    companions
        Tables of pairs of other ways to compare the models on the same data set, by capability: "similarity",
        "unit_matching", "clip_dissect".
    scores
        File of AUROC of each model, to compare variants.
    resampled
        Best AUROC of each model under resampled images (`intermodel.lce.auroc`); the variant "soft_auroc" needs them.

    Raises
    ------
    UserError
        If the tallies cannot be compared, or the performance table cannot be used.
    """
    folder = Path(folder)
    choices = Settings.of(settings)
    threshold, denominator = float(settings["iou_threshold"]), settings["denominator"]
    rule = {name: settings[name] for name in ("detection", "fdr") if name in settings}
    names, layers = [model["name"] for model in models], [model["layer"] for model in models]
    known = learn(
        *(tallies, names, choices, threshold, denominator),
        **rule,
        scores=scores,
        layers=layers,
        resampled=resampled,
    )
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
    enrichments = _enrich(embedding, known, models, choices)
    embedding = replace(
        embedding, groups=replace(embedding.groups, names=_names(embedding, enrichments[0], vocabulary, choices.level))
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
        known.warnings
        + _warnings(embedding, known.units, choices, [m["title"] for m in models], known.rotated is not None),
    )
    match = _match_families(embedding, about)
    crossed, tasks, crossing = _cross(embedding, about, known.category_iou, settings.get("performance"), probes or {})
    gaps, agreed, agreement = _agree(embedding, about, companions or {})
    alike, likeness = _vary(known, about)
    turned, beyond = _turn(embedding, known, about)
    statements = findings(embedding, about, enrichments, match, crossing) + agreement + likeness + beyond
    written = tables.tables(embedding, about, known.category_iou) | {
        "enrichment": tables.enrichment(enrichments, about),
        "families": [tables.families(match, embedding, about)],
        "performance": crossed,
        "tasks": tasks,
        "geometries": gaps,
        "agreement": agreed,
        "variants": alike,
        "findings": [{"statement": finding.statement, "table": finding.table} for finding in statements],
        "warnings": [{"statement": warning} for warning in about.warnings],
    }
    for name, rows in (written | turned).items():
        write_table(folder / f"{name}.csv", rows or {column: [] for column in tables.COLUMNS[name]})
    # Last, since everything that follows depends on it.
    write_embedding(folder / "lce.h5", embedding, about)


def _enrich(
    embedding: Embedding, known: Knowledge, models: Sequence[Mapping[str, Any]], settings: Settings
) -> list[Enrichment]:
    """What sets the clusters apart, then, where the study declares several, the families."""
    vocabulary = known.first.vocabulary
    categories = len(vocabulary.categories)
    parts = amounts(known.weights.split(known.count), known.units, settings, vocabulary.category, categories)
    best = None if known.best is None else known.weights.split(known.best).whole
    labels = embedding.groups.labels
    regroup = regrouping(embedding.count, best, known.units, settings, int(labels.max()) + 1)
    seed = derive_seed(settings.seed, "lce", "enrichment")
    groupings: list[tuple[str, list[str], Regroup | None]] = [
        ("cluster", [str(label + 1) for label in labels], regroup),
        ("family", [str(model["family"]) for model in models], None),
    ]
    return [
        enrich(name, groups, parts, vocabulary.category, known.weights.sizes, settings, seed, finder)
        for name, groups, finder in groupings
    ]


def _names(embedding: Embedding, found: Enrichment, vocabulary: Vocabulary, level: float) -> tuple[str, ...]:
    """A name for each cluster, from the concepts that set it apart."""
    names = concept_names(vocabulary)
    return tuple(
        "no concept detected" if embedding.empty[members].all() else group_name(found, group, names, level)
        for group, members in enumerate(found.members)
    )


def _match_families(embedding: Embedding, about: About) -> FamilyMatch:
    """Families against clusters, over the trained models."""
    trained = trained_models(about)
    return match_families(
        [about.models[number].family for number in trained],
        [int(embedding.groups.labels[number]) for number in trained],
        about.settings.permutations,
        derive_seed(about.settings.seed, "lce", "families"),
    )


def _warnings(
    embedding: Embedding, units: NDArray[np.int64], settings: Settings, titles: Sequence[str], rotated: bool
) -> tuple[str, ...]:
    found = []
    if len(set(units.tolist())) > 1 and settings.variant in ("count", "soft"):
        grow = "counts grow with it" if settings.variant == "count" else "the best of more units is higher by chance"
        found.append(
            f"The layers differ in width ({units.min()} to {units.max()} units) and {grow}: compare "
            "shares too (analyses.lce.variant: share or hellinger)."
        )
    if rotated and settings.variant == "soft_auroc":
        found.append(
            "What axes add beyond rotated units is not told: those have no AUROC (choose another analyses.lce.variant)."
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
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Finding]]:
    """Correlations with downstream results over the trained models, as rows, rows for each task, and sentences."""
    settings = about.settings
    trained = trained_models(about)
    names = [about.models[number].name for number in trained]
    parts = [performance.read_performance(path, names)] if path else []
    own = probe_outcomes(probes, [about.models[number] for number in trained])
    if own is not None:
        parts.append(own)
    if not parts:
        return [], [], []
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
    panel = Panel(crossings, outcomes.results, categories, settings.predictor, settings.covariate, settings.level)
    return (
        tables.performance(crossings, outcomes.results, categories, settings.covariate, settings.level),
        task_rows(panel),
        [Finding(statement, "tasks.csv") for statement in task_statements(panel)],
    )


def _agree(
    embedding: Embedding, about: About, companions: Mapping[str, str | Path]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[Finding]]:
    """Agreement with other geometries over the trained models: the distances and the tests as rows, sentences."""
    settings = about.settings
    trained = trained_models(about)
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


def _vary(known: Knowledge, about: About) -> tuple[list[dict[str, Any]], list[Finding]]:
    """How the variants agree on the trained models: rows, a sentence."""
    settings, trained = about.settings, trained_models(about)
    soft = {variant: values[trained] for variant, values in known.soft.items()}
    count = known.weights.split(known.count).whole
    likenesses = liken(all_variants(count[trained], known.units[trained], soft, settings.scale))
    sentence = likeness_sentence(likenesses, settings.variant, len(trained))
    rows = tables.variants(likenesses, len(trained))
    return rows, [Finding(sentence, "variants.csv")] if sentence else []


def _turn(
    embedding: Embedding, known: Knowledge, about: About
) -> tuple[dict[str, list[dict[str, Any]]], list[Finding]]:
    """What axes add beyond rotated units: tables by name, a sentence; without rotations tables of no row."""
    settings = about.settings
    if known.rotated is None or settings.variant == "soft_auroc":
        return axes_tables(None, embedding, about), []
    measure = embedding.measures["euclidean"]
    axes = compare_axes(
        embedding.count, known.soft["soft"], known.rotated, known.units, measure.floor.of_pairs(), settings
    )
    titles = [model.title for model in about.models]
    sentence = axes_sentence(axes, measure.value.value, titles, trained_models(about), settings.level)
    return axes_tables(axes, embedding, about), [Finding(sentence, "axes_distances.csv")] if sentence else []


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

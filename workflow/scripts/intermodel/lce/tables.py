"""The embedding as tables, one CSV file each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from intermodel.lce.agreement import Agreement, Geometry
from intermodel.lce.axes_tables import COLUMNS as AXES
from intermodel.lce.axes_tables import detectors
from intermodel.lce.complementarity import greedy_order
from intermodel.lce.embedding import ROUNDING, Embedding
from intermodel.lce.enrichment import Enrichment
from intermodel.lce.families import FamilyMatch
from intermodel.lce.files import About
from intermodel.lce.performance import Crossing, Result
from intermodel.lce.variants import Likeness
from intermodel.statistics.intervals import student_quantile

Rows = list[dict[str, Any]]

# Headings of the tables that may have no row.
COLUMNS: dict[str, tuple[str, ...]] = {
    "loadings": ("axis", "concept", "category", "loading", "low", "high", "sure"),
    "cluster_numbers": ("clusters", "silhouette", "stability", "unchanged", "chosen"),
    "enrichment": (
        *("grouping", "group", "inside", "outside", "kind", "name", "category", "difference", "low", "high"),
        *("p_images", "q_images", "p_models", "q_models", "least_p_models"),
    ),
    "performance": (
        *("category", "task", "dataset", "metric", "method", "covariate", "models"),
        *("r", "p", "p_adjusted", "q", "survives", "needed", "reason"),
    ),
    "tasks": (
        *("task", "dataset", "metric", "method", "covariate", "models", "tested", "strongest"),
        *("r", "p_adjusted", "needed_alone", "needed", "surviving"),
    ),
    "geometries": ("geometry", "model_a", "model_b", "dissimilarity"),
    "agreement": (
        *("geometry", "other", "distance", "models", "pairs", "r", "low", "high", "low_without"),
        *("p", "p_adjusted", "draws", "reason"),
    ),
    "variants": (
        *("variant", "other", "models", "pairs", "r", "low", "high"),
        *("map_r", "same_closest", "same_neighbour"),
    ),
    **AXES,
    "findings": ("statement", "table"),
    "warnings": ("statement",),
}


def tables(embedding: Embedding, about: About, category_iou: ArrayLike) -> dict[str, Rows]:
    """All tables but the crossing, by file name without suffix.

    Parameters
    ----------
    category_iou
        Mean over the units of the best IoU within each category, (models, categories), NaN for categories without
        labelled images.
    """
    return {
        "vectors": vectors(embedding, about),
        "map": chart(embedding, about),
        "distances": distances(embedding, about),
        "loadings": loadings(embedding, about),
        "clusters": clusters(embedding, about),
        "cluster_numbers": cluster_numbers(embedding),
        "complementarity": complementarity(embedding, about),
        "ensemble": ensemble(embedding, about),
        "categories": categories(embedding, about, category_iou),
    }


def vectors(embedding: Embedding, about: About) -> Rows:
    """A row for each model and concept, concepts that nobody detects included."""
    return [
        {
            **detectors(embedding, about, row, label),
            "value": float(embedding.vectors[row, label]),
            "presence": float(embedding.presence[row, label]),
        }
        for row in range(len(about.models))
        for label in range(len(about.vocabulary))
    ]


def chart(embedding: Embedding, about: About) -> Rows:
    """A row for each model with its place on the map, its confidence ellipse and its noise floor."""
    plane = embedding.chart
    return [
        {
            "model": model.name,
            "title": model.title,
            "family": model.family,
            "control": model.control,
            "layer": model.layer,
            "units": model.units,
            "x": float(plane.scores[row, 0]),
            "y": float(plane.scores[row, 1]),
            "explained_x": float(plane.explained[0]),
            "explained_y": float(plane.explained[1]),
            "ellipse_length": plane.ellipses[row].axes[0],
            "ellipse_width": plane.ellipses[row].axes[1],
            "ellipse_angle": plane.ellipses[row].angle,
            "noise_floor": float(plane.floor.high[row]),
        }
        for row, model in enumerate(about.models)
    ]


def loadings(embedding: Embedding, about: About) -> Rows:
    """A row for each axis of the map and each concept that any model detects, largest loading first.

    Empty for multidimensional scaling, whose axes mean nothing.
    """
    plane, words = embedding.chart, about.vocabulary
    width = student_quantile(0.5 + about.settings.level / 2, about.folds - 1)
    rows: Rows = []
    for axis, (values, errors) in enumerate(zip(plane.components, plane.loading_error, strict=True), 1):
        for label in np.argsort(-np.abs(values), kind="stable"):
            if max(abs(values[label]), errors[label]) > ROUNDING and not np.isnan(errors[label]):
                low, high = values[label] - width * errors[label], values[label] + width * errors[label]
                rows.append(
                    {
                        "axis": axis,
                        "concept": words.names[label],
                        "category": words.categories[words.category[label]],
                        "loading": float(values[label]),
                        "low": float(low),
                        "high": float(high),
                        "sure": bool(low > 0 or high < 0),
                    }
                )
    return rows


def distances(embedding: Embedding, about: About) -> Rows:
    """A row for each pair of models and each distance."""
    rows: Rows = []
    for name, measure in embedding.measures.items():
        floor = measure.floor.of_pairs()
        for a, first in enumerate(about.models):
            for b in range(a + 1, len(about.models)):
                convention = name in ("cosine", "hellinger") and bool(embedding.empty[a] or embedding.empty[b])
                rows.append(
                    {
                        "model_a": first.name,
                        "model_b": about.models[b].name,
                        "distance": name,
                        "value": float(measure.value.value[a, b]),
                        "low": float(measure.value.low[a, b]),
                        "high": float(measure.value.high[a, b]),
                        "noise_floor": float(floor[a, b]),
                        "resolved": bool(measure.resolved[a, b]),
                        "note": "a model without detectors: the distance is a convention" if convention else "",
                    }
                )
    return rows


def clusters(embedding: Embedding, about: About) -> Rows:
    """A row for each model with its cluster (numbered from 1)."""
    groups = embedding.groups
    return [
        {
            "model": model.name,
            "cluster": int(groups.labels[row]) + 1,
            "name": groups.names[groups.labels[row]],
            "silhouette": float(groups.silhouettes[row]),
            "cluster_stability": float(groups.stability[groups.labels[row]]),
        }
        for row, model in enumerate(about.models)
    ]


def cluster_numbers(embedding: Embedding) -> Rows:
    """A row for each number of clusters: how far inside the models lie, how stable it is, whether it was chosen."""
    found, chosen = embedding.groups.support, len(embedding.groups.stability)
    return [
        {
            "clusters": int(number),
            "silhouette": float(found.silhouette[row]),
            "stability": float(found.stability[row]),
            "unchanged": float(found.unchanged[row]),
            "chosen": bool(number == chosen),
        }
        for row, number in enumerate(found.clusters)
    ]


def enrichment(found: Sequence[Enrichment], about: About) -> Rows:
    """A row for each group and each category, then each concept that any model detects, largest difference first."""
    words, rows = about.vocabulary, []
    labels = len(words)
    for part in found:
        for group, name in enumerate(part.groups):
            inside = int(part.members[group].sum())
            order = np.argsort(-np.abs(part.difference.value[group]), kind="stable")
            tested = [int(column) for column in order if not np.isnan(part.p_images[group, column])]
            for column in sorted(tested, key=lambda column: column < labels):
                concept = column < labels
                category = words.category[column] if concept else column - labels
                rows.append(
                    {
                        "grouping": part.grouping,
                        "group": name,
                        "inside": inside,
                        "outside": len(about.models) - inside,
                        "kind": "concept" if concept else "category",
                        "name": words.names[column] if concept else words.categories[category],
                        "category": words.categories[category],
                        "difference": float(part.difference.value[group, column]),
                        "low": float(part.difference.low[group, column]),
                        "high": float(part.difference.high[group, column]),
                        "p_images": float(part.p_images[group, column]),
                        "q_images": float(part.q_images[group, column]),
                        "p_models": float(part.p_models[group, column]),
                        "q_models": float(part.q_models[group, column]),
                        "least_p_models": float(part.least[group]),
                    }
                )
    return rows


def families(match: FamilyMatch, embedding: Embedding, about: About) -> dict[str, Any]:
    """One row: do the declared families and the clusters agree?"""
    trained = [model for model in about.models if not model.control]
    return {
        "models": len(trained),
        "families": len({model.family for model in trained}),
        "clusters": len(embedding.groups.stability),
        "adjusted_rand": match.index,
        "p": match.p,
        "draws": match.draws,
        "reason": match.reason,
    }


def complementarity(embedding: Embedding, about: About) -> Rows:
    """A row for each ordered pair: what the first knows and the second does not."""
    level, only = about.settings.level, embedding.only
    sure, absent = embedding.presence >= level, embedding.presence <= 1 - level
    return [
        {
            "model": first.name,
            "other": second.name,
            "only": int(embedding.overlap.only[a, b]),
            "only_low": float(only.low[a, b]),
            "only_high": float(only.high[a, b]),
            "only_beyond_doubt": int((sure[a] & absent[b]).sum()),
            "shared": int(embedding.overlap.shared[a, b]),
            "union": int(embedding.overlap.union[a, b]),
            "gain_of_other": int(embedding.overlap.only[b, a]),
        }
        for a, first in enumerate(about.models)
        for b, second in enumerate(about.models)
        if a != b
    ]


def ensemble(embedding: Embedding, about: About) -> Rows:
    """Models in the order in which each adds most concepts to those before it."""
    order, covered = greedy_order(embedding.count)
    gains = np.diff(covered, prepend=0)
    return [
        {"step": step, "model": about.models[model].name, "gain": int(gain), "concepts": int(total)}
        for step, (model, gain, total) in enumerate(zip(order, gains, covered, strict=True), 1)
    ]


def categories(embedding: Embedding, about: About, category_iou: ArrayLike) -> Rows:
    """A row for each model and category, then for all categories together."""
    mean = np.asarray(category_iou, dtype=np.float64)
    rows: Rows = []
    for row, model in enumerate(about.models):
        for column, category in enumerate([*about.vocabulary.categories, "all"]):
            line: dict[str, Any] = {"model": model.name, "category": category}
            for name, part in (("detectors", embedding.detectors), ("unique", embedding.unique)):
                line[name] = int(part.value[row, column])
                line[f"{name}_low"] = float(part.low[row, column])
                line[f"{name}_high"] = float(part.high[row, column])
            line["mean_best_iou"] = float(mean[row, column]) if column < mean.shape[1] else float("nan")
            rows.append(line)
    return rows


def performance(
    crossings: Sequence[Crossing],
    results: Sequence[Result],
    category_names: Sequence[str],
    covariate: str | None,
    level: float,
) -> Rows:
    """A row for each correlation, undefined ones with their reason."""
    return [
        {
            "category": category,
            "task": result.task,
            "dataset": result.dataset,
            "metric": result.metric,
            "method": crossing.method,
            "covariate": covariate if crossing.partial else "",
            "models": int(crossing.test.correlations.count[row, column]),
            "r": float(crossing.test.correlations.r[row, column]),
            "p": float(crossing.test.p[row, column]),
            "p_adjusted": float(crossing.test.p_adjusted[row, column]),
            "q": float(crossing.q[row, column]),
            "survives": bool(crossing.test.p_adjusted[row, column] <= 1 - level),
            "needed": crossing.test.critical,
            "reason": str(crossing.test.correlations.reason[row, column]),
        }
        for crossing in crossings
        for row, category in enumerate(category_names)
        for column, result in enumerate(results)
    ]


def agreement(results: Sequence[Agreement], distance: str, models: Sequence[str]) -> Rows:
    """A row for each pair of geometries; `low_without` is the model whose absence lowers the correlation most."""
    return [
        {
            "geometry": result.first,
            "other": result.second,
            "distance": distance,
            "models": len(models),
            "pairs": len(models) * (len(models) - 1) // 2,
            "r": result.test.r,
            "low": result.low,
            "high": result.high,
            "low_without": models[result.pillar] if result.pillar >= 0 else "",
            "p": result.test.p,
            "p_adjusted": result.p_adjusted,
            "draws": result.test.draws,
            "reason": result.test.reason,
        }
        for result in results
    ]


def geometries(found: Sequence[Geometry], models: Sequence[str]) -> Rows:
    """A row for each geometry and pair of models: what the tests of agreement compare."""
    return [
        {
            "geometry": geometry.name,
            "model_a": models[a],
            "model_b": models[b],
            "dissimilarity": float(geometry.dissimilarity[a, b]),
        }
        for geometry in found
        for a in range(len(models))
        for b in range(a + 1, len(models))
    ]


def variants(likenesses: Sequence[Likeness], models: int) -> Rows:
    """A row for each pair of variants."""
    return [
        {
            "variant": item.first,
            "other": item.second,
            "models": models,
            "pairs": models * (models - 1) // 2,
            "r": item.r,
            "low": item.low,
            "high": item.high,
            "map_r": item.map_r,
            "same_closest": item.same_closest,
            "same_neighbour": item.same_neighbour,
        }
        for item in likenesses
    ]

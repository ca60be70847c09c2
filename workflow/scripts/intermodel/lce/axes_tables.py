"""What axes add beyond the space of a layer, as tables."""

from __future__ import annotations

from typing import Any

from intermodel.lce.axes import Axes
from intermodel.lce.embedding import Embedding
from intermodel.lce.files import About

Rows = list[dict[str, Any]]

# Headings of the tables, which have no row without rotations.
COLUMNS: dict[str, tuple[str, ...]] = {
    "axes": (
        *("model", "layer", "label", "concept", "category"),
        *("detectors", "rotated", "rotated_least", "rotated_most", "value"),
    ),
    "axes_map": (
        *("model", "control", "rotations", "detectors", "detectors_rotated", "concepts", "concepts_rotated"),
        *("length", "length_least", "length_most", "x", "y", "explained_x", "explained_y"),
    ),
    "axes_distances": ("model_a", "model_b", "value", "least", "most", "floor", "resolved", "own", "rotated"),
}


def axes_tables(axes: Axes | None, embedding: Embedding, about: About) -> dict[str, Rows]:
    """Tables by file name without suffix; without rows where axes were not compared."""
    if axes is None:
        return {name: [] for name in COLUMNS}
    return {
        "axes": concepts(axes, embedding, about),
        "axes_map": chart(axes, embedding, about),
        "axes_distances": distances(axes, embedding, about),
    }


def concepts(axes: Axes, embedding: Embedding, about: About) -> Rows:
    """A row for each model and concept: detectors before and after rotations, and the entry of the difference."""
    return [
        {
            **detectors(embedding, about, row, label),
            "rotated": float(axes.count[:, row, label].mean()),
            "rotated_least": int(axes.count[:, row, label].min()),
            "rotated_most": int(axes.count[:, row, label].max()),
            "value": float(axes.extra[row, label]),
        }
        for row in range(len(about.models))
        for label in range(len(about.vocabulary))
    ]


def detectors(embedding: Embedding, about: About, row: int, label: int) -> dict[str, Any]:
    """How many units of the model `row` detect the concept `label`, as the first cells of a row of a table."""
    model, words = about.models[row], about.vocabulary
    return {
        "model": model.name,
        "layer": model.layer,
        "label": int(words.numbers[label]),
        "concept": words.names[label],
        "category": words.categories[words.category[label]],
        "detectors": int(embedding.count[row, label]),
    }


def chart(axes: Axes, embedding: Embedding, about: About) -> Rows:
    """A row for each model: how much its axes add, and where it lies by that.

    `length_least` and `length_most` are those against each rotation alone.
    """
    whole, alone = axes.length
    return [
        {
            "model": model.name,
            "control": model.control,
            "rotations": len(alone),
            "detectors": int(embedding.count[row].sum()),
            "detectors_rotated": float(axes.count[:, row].sum(axis=-1).mean()),
            "concepts": int((embedding.count[row] > 0).sum()),
            "concepts_rotated": float((axes.count[:, row] > 0).sum(axis=-1).mean()),
            "length": float(whole[row]),
            "length_least": float(alone[:, row].min()),
            "length_most": float(alone[:, row].max()),
            "x": float(axes.scores[row, 0]),
            "y": float(axes.scores[row, 1]),
            "explained_x": float(axes.explained[0]),
            "explained_y": float(axes.explained[1]),
        }
        for row, model in enumerate(about.models)
    ]


def distances(axes: Axes, embedding: Embedding, about: About) -> Rows:
    """A row for each pair of models: by what their axes add, by their axes, by their rotated spaces."""
    whole, alone = axes.distance
    own = embedding.measures["euclidean"].value.value
    return [
        {
            "model_a": first.name,
            "model_b": about.models[b].name,
            "value": float(whole[a, b]),
            "least": float(alone[:, a, b].min()),
            "most": float(alone[:, a, b].max()),
            "floor": float(axes.floor[a, b]),
            "resolved": bool(axes.resolved[a, b]),
            "own": float(own[a, b]),
            "rotated": float(axes.rotated_distance[a, b]),
        }
        for a, first in enumerate(about.models)
        for b in range(a + 1, len(about.models))
    ]

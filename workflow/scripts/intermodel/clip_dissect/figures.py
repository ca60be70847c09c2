"""Figures of a data set's units in CLIP's space: models by models, words by models, clarity of units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel import plotting
from intermodel.clip_dissect.summary import Models
from intermodel.csv_tables import read_table
from intermodel.store import PathLike

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Table = Mapping[str, NDArray[Any]]

# Words in the chart.
SHOWN_WORDS = 30
# Columns that hold names, also where all of them look like numbers.
TEXT = ("model", "layer", "label", "word", "second", "label_within_layer", "model_a", "model_b", "layer_a", "layer_b")


def draw_figures(tables: Mapping[str, PathLike], models: Models, figures: Mapping[str, PathLike]) -> None:
    """Draw all figures of a data set.

    Parameters
    ----------
    tables
        CSV files by name: units, words, summary, pairs.
    models
        The models of the study.
    figures
        Files to write by name: models, words, clarity.
    """
    plotting.use_style()
    found = {name: read_table(path, TEXT) for name, path in tables.items()}
    plotting.save(model_matrix(found["pairs"], models), figures["models"])
    plotting.save(word_chart(found["words"], models), figures["words"])
    plotting.save(clarity_plot(found["units"], found["summary"], models), figures["clarity"])


def model_matrix(pairs: Table, models: Models) -> Figure:
    """Similarity of the meanings of all models' units above that of random images."""
    position = {name: place for place, name in enumerate(models.layers)}
    values = np.full((len(position), len(position)), np.nan)
    for a, b, adjusted in zip(pairs["model_a"], pairs["model_b"], pairs["adjusted"], strict=True):
        values[position[str(a)], position[str(b)]] = values[position[str(b)], position[str(a)]] = adjusted
    titles = {name: models.titles[name] for name in models.layers}
    if len(titles) < 2:
        return _note("A second model is needed.")
    return plotting.model_heat_map(values, titles, "Similarity of meanings (0 random images)", models.controls)


def word_chart(words: Table, models: Models) -> Figure:
    """How many units of each model carry each of the most widely used words."""
    import matplotlib.pyplot as plt
    import seaborn

    shown = words["word"][:SHOWN_WORDS].tolist()
    if not shown:
        return _note("No unit varies, so that none has a name.")
    counts = np.stack([words[f"units_{name}"][:SHOWN_WORDS] for name in models.layers], axis=1).astype(int)
    figure: Figure
    size = plotting.inches(45.0 + 9.0 * len(models.layers), 40.0 + 3.8 * len(shown))
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    seaborn.heatmap(
        counts,
        mask=counts == 0,
        cmap=plotting.SEQUENTIAL,
        annot=True,
        fmt="d",
        annot_kws={"fontsize": 6},
        linewidths=0.4,
        linecolor="white",
        cbar=False,
        xticklabels=[models.titles[name] for name in models.layers],
        yticklabels=shown,
        ax=axes,
    )
    axes.tick_params(length=0)
    axes.tick_params(axis="x", rotation=90)
    for label, name in zip(axes.get_xticklabels(), models.layers, strict=True):
        label.set_fontstyle("italic" if name in models.controls else "normal")
    return figure


def clarity_plot(units: Table, summary: Table, models: Models) -> Figure:
    """How alike the strongest images of each unit are, by model, beside any two images."""
    import matplotlib.pyplot as plt

    names = list(models.layers)
    values = [units["clarity"][units["model"] == name] for name in names]
    values = [clarity[np.isfinite(clarity)] for clarity in values]
    figure: Figure
    figure, axes = plt.subplots(
        figsize=plotting.inches(plotting.DOUBLE * 0.7, 6.0 * len(names) + 20.0), layout="constrained"
    )
    boxes = axes.boxplot(
        values, orientation="horizontal", whis=(5, 95), widths=0.6, showfliers=False, patch_artist=True,
        medianprops={"color": "black"}, tick_labels=[models.titles[name] for name in names],
    )  # fmt: skip
    for box, color in zip(boxes["boxes"], plotting.model_colors(names).values(), strict=True):
        box.set(facecolor=color, alpha=0.6, linewidth=0.6)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontstyle("italic" if name in models.controls else "normal")
    axes.axvline(float(summary["clarity_of_all"][0]), color=plotting.NEUTRAL, linestyle="--", linewidth=1.0)
    axes.invert_yaxis()
    axes.set_xlabel("Mean cosine of a unit's strongest images in CLIP's space (dashed: any two images)")
    return figure


def _note(text: str) -> Figure:
    import matplotlib.pyplot as plt

    figure: Figure = plt.figure(figsize=plotting.inches(plotting.SINGLE, 20.0))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure

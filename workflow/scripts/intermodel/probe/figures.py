"""Probe accuracies as a forest plot."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from intermodel import csv_tables, plotting
from intermodel.probe.models import Model, read_models

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = Mapping[str, Any]


def plot_accuracy(table: str | os.PathLike[str], description: str, paths: Sequence[str | os.PathLike[str]]) -> None:
    """Draw the accuracies in the formats of the suffixes of `paths`; see `accuracy_figure`.

    Parameters
    ----------
    table
        CSV file of `summary.summarise_probes`.
    description
        JSON text of `Study.describe`.
    paths
        Files to write (svg, png, pdf).
    """
    plotting.use_style()
    columns = csv_tables.read_table(table)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for path in paths:
        plotting.save(accuracy_figure(rows, read_models(description)), Path(path))


def accuracy_figure(rows: Sequence[Row], models: Sequence[Model]) -> Figure:
    """Accuracy of the linear and the kNN probe of every model with 95 % intervals, the main layer above the others.

    Parameters
    ----------
    rows
        Of `summary.accuracy_rows`.
    models
        The models of the study, from top to bottom.
    """
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    colors = plotting.model_colors([model.name for model in models])
    # One line per layer, deepest first, and half a line between models.
    places: list[tuple[Model, str, float]] = []
    height = 0.0
    for model in models:
        for layer in reversed(model.layers):
            places.append((model, layer, height))
            height += 1.0
        height += 0.6
    by_layer = {(row["model"], row["layer"]): row for row in rows}

    figure: Figure
    figure, axes = plt.subplots(figsize=plotting.inches(plotting.DOUBLE * 0.72, 22 + 4.4 * height))
    chance = max(row["majority"] for row in rows)
    axes.axvline(100 * chance, color=plotting.NEUTRAL, linestyle=(0, (4, 3)), linewidth=0.8, zorder=0)
    axes.annotate(
        "commonest class",
        (100 * chance, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=6.5,
        color=plotting.NEUTRAL,
    )
    for model, layer, place in places:
        row, main = by_layer[model.name, layer], layer == model.main
        color = colors[model.name]
        low, value, high = (100 * row[f"accuracy{end}"] for end in ("_low", "", "_high"))
        axes.plot([low, high], [place, place], color=color, linewidth=1.6 if main else 0.9, solid_capstyle="butt")
        axes.plot(value, place, "o", color=color, markersize=4.6 if main else 3.2)
        low, value, high = (100 * row[f"knn_accuracy{end}"] for end in ("_low", "", "_high"))
        axes.plot([low, high], [place + 0.3, place + 0.3], color=color, linewidth=0.6, alpha=0.8)
        axes.plot(
            value, place + 0.3, "s", markersize=2.8, markerfacecolor="white", markeredgecolor=color, markeredgewidth=0.8
        )
    axes.set_yticks([place for _, _, place in places])
    axes.set_yticklabels([f"{model.title}  {layer}" if layer == model.main else layer for model, layer, _ in places])
    for label, (model, layer, _) in zip(axes.get_yticklabels(), places, strict=True):
        if layer != model.main:
            label.set_color(plotting.NEUTRAL)
            label.set_fontsize(6.5)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(height - 0.6, -0.8)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel("test accuracy (%) with 95 % interval")
    handles = [
        Line2D([], [], color="black", marker="o", markersize=4.4, linewidth=1.4, label="linear probe"),
        Line2D(
            [], [], color="black", marker="s", markersize=3, linewidth=0.6, markerfacecolor="white", label="kNN probe"
        ),
    ]
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False, borderpad=0)
    axes.set_xlim(left=0)
    return figure

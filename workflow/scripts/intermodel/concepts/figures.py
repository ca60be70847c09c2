"""Pictures of a data set's concepts across models: how many of which category, and which ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.plotting import DOUBLE, category_color, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Columns = Mapping[str, NDArray[Any]]

# Columns of one panel of the map of concepts, and the most that are drawn.
PANEL = 48
MOST_CONCEPTS = 144


def draw_overview(summary: Columns) -> Figure:
    """Detectors by category and number of different concepts of every layer, beside what chance and reach allow.

    Parameters
    ----------
    summary
        Columns of summary.csv.
    """
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    rows = len(summary["model"])
    categories = category_names(summary)
    place = np.arange(rows)
    main = summary["main"] == "true"
    figure: Figure
    figure, (left, right) = plt.subplots(
        1, 2, figsize=inches(DOUBLE, 24 + 5.2 * rows), layout="constrained", sharey=True, width_ratios=[1.25, 1]
    )
    begin = np.zeros(rows)
    for category in categories:
        share = 100 * summary[f"{category}_detectors"] / np.maximum(summary["units"], 1)
        left.barh(place, share, left=begin, height=0.62, color=category_color(category), alpha=1.0, lw=0)
        begin += share
    chance = summary["detectors_by_chance"]
    if not np.isnan(chance).all():
        left.plot(
            100 * chance / np.maximum(summary["units"], 1), place, "|", ms=9, mew=1.4, color="black", clip_on=False
        )
    sure = 100 * summary["detectors_sure"] / np.maximum(summary["units"], 1)
    left.plot(sure, place, "D", ms=3.4, mec="black", mew=0.7, mfc="white", clip_on=False)
    handles: list[Any] = [Patch(color=category_color(category), label=category) for category in categories]
    handles.append(
        Line2D([], [], marker="D", ms=3.4, mec="black", mew=0.7, mfc="white", lw=0, label="interval above threshold")
    )
    handles.append(Line2D([], [], marker="|", ms=8, mew=1.4, lw=0, color="black", label="wrong label maps"))
    left.set_xlabel("Units that detect a concept (%)")
    left.set_xlim(left=0)
    right.hlines(place, summary["concepts_low"], summary["concepts_high"], color="0.25", lw=1.2)
    right.plot(summary["concepts"], place, "o", ms=4, color="0.25", label="concepts detected (95 % interval)")
    right.plot(summary["reachable"], place, "|", ms=8, mew=1.2, color="#D55E00", label="concepts within reach")
    right.set_xlabel("Different concepts")
    right.set_xlim(left=0)
    _name_layers(left, summary, main)
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, columnspacing=1.2)
    extra = right.get_legend_handles_labels()
    figure.legend(*extra, loc="outside upper right", frameon=False)
    return figure


def draw_concepts(summary: Columns, concepts: Columns) -> Figure:
    """Number of detectors of each concept in the main layer of each model; concepts that no model has are left out.

    Parameters
    ----------
    summary, concepts
        Columns of summary.csv and concepts.csv.
    """
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import ScalarFormatter

    main = summary["main"] == "true"
    keys = list(zip(summary["model"][main], summary["layer"][main], strict=True))
    titles = list(summary["title"][main])
    units = np.stack([_of_layer(concepts, model, layer, "units") for model, layer in keys])
    first = (concepts["model"] == keys[0][0]) & (concepts["layer"] == keys[0][1])
    names, of = concepts["concept"][first], concepts["category"][first]
    chosen = _chosen(units, of, category_names(summary))
    figure: Figure
    if len(chosen) == 0:
        figure, axes = plt.subplots(figsize=inches(DOUBLE, 20), layout="constrained")
        axes.text(0.5, 0.5, "No unit of any model detects a concept.", ha="center", va="center")
        axes.set_axis_off()
        return figure
    panels = [chosen[start : start + PANEL] for start in range(0, len(chosen), PANEL)]
    height = 4.2 * len(keys) + 24
    figure, grid = plt.subplots(
        len(panels), 1, figsize=inches(DOUBLE, height * len(panels) + 6), layout="constrained", squeeze=False
    )
    top = max(float(units.max()), 2.0)
    image = None
    for axes, panel in zip(grid[:, 0], panels, strict=True):
        values = units[:, panel].astype(float)
        values[values == 0] = np.nan
        image = axes.imshow(values, cmap="viridis_r", norm=LogNorm(1, top), aspect="auto", interpolation="nearest")
        # Panels share one width of a column, so that cells can be compared.
        width = min(len(chosen), PANEL)
        axes.set_xlim(-0.5, width - 0.5)
        axes.set_xticks(range(len(panel)), names[panel], rotation=60, ha="right", rotation_mode="anchor", fontsize=6)
        axes.set_yticks(range(len(titles)), titles)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        for label, column in zip(axes.get_xticklabels(), panel, strict=True):
            label.set_color(category_color(of[column]))
        _bracket_categories(axes, of[panel])
        rows, columns = np.nonzero(np.isnan(values))
        axes.plot(columns, rows, ".", ms=1, color="0.8")
    assert image is not None
    bar = figure.colorbar(image, ax=grid[:, 0], pad=0.01, aspect=25, fraction=0.03)
    bar.set_label("Units")
    ticks = [tick for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if tick <= top]
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.ax.yaxis.set_minor_formatter(ScalarFormatter())
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    return figure


def category_names(summary: Columns) -> list[str]:
    """Categories in the order of the data set, from the columns of summary.csv."""
    return [name.removesuffix("_reachable") for name in summary if name.endswith("_reachable")]


def _of_layer(concepts: Columns, model: str, layer: str, name: str) -> NDArray[Any]:
    return np.asarray(concepts[name][(concepts["model"] == model) & (concepts["layer"] == layer)])


def _chosen(units: NDArray[np.float64], of: NDArray[np.str_], categories: Sequence[str]) -> NDArray[np.intp]:
    """Detected concepts by category, the most detected first within each; the least detected give way for space."""
    total = units.sum(axis=0)
    found = np.flatnonzero(total)
    most = found[np.argsort(-total[found], kind="stable")][:MOST_CONCEPTS]
    rank = np.array([list(categories).index(of[c]) for c in most], dtype=np.intp)
    return np.asarray(most[np.lexsort((-total[most], rank))])


def _name_layers(axes: Axes, summary: Columns, main: NDArray[np.bool_]) -> None:
    labels = [f"{title}  {layer}" for title, layer in zip(summary["title"], summary["layer"], strict=True)]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    for label, strong in zip(axes.get_yticklabels(), main, strict=True):
        label.set_color("black" if strong else "0.45")


def _bracket_categories(axes: Axes, of: NDArray[np.str_]) -> None:
    """A bar with the name of the category above its columns."""
    edges = np.flatnonzero(np.append(True, of[1:] != of[:-1]))
    for begin, end in zip(edges, [*edges[1:], len(of)], strict=True):
        color = category_color(of[begin])
        axes.plot([begin - 0.4, end - 0.6], [-0.75, -0.75], color=color, lw=2, clip_on=False, solid_capstyle="butt")
        # A name needs some three columns; narrower groups are told by their colour.
        if end - begin >= 3:
            axes.text((begin + end - 1) / 2, -1.0, of[begin], color=color, ha="center", va="bottom", fontsize=7)

"""What sets each cluster apart: its strongest differences from all other models, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.lce.embedding import Embedding
from intermodel.lce.files import About
from intermodel.lce.map_figure import circled
from intermodel.plotting import DOUBLE, category_color, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Table = Mapping[str, NDArray[Any]]
# Concepts shown of each cluster, and panels side by side.
SHOWN = 8
COLUMNS = 3
# Letters of a title that fit the width of the figure.
LETTERS = 112


def draw_enrichment(table: Table, embedding: Embedding, about: About) -> Figure:
    """A panel for each cluster: categories above, concepts below, inside minus outside.

    Filled points differ beyond what other images may change (false discovery rate over images); a star differs
    beyond what other models may change (over models).

    Parameters
    ----------
    table
        Columns of enrichment.csv.
    embedding, about
        The clusters and their models.
    """
    use_style()
    import matplotlib.pyplot as plt

    clusters = len(embedding.groups.stability)
    rows = [_rows(table, number) for number in range(clusters)]
    if clusters < 2 or not any(map(len, rows)):
        figure: Figure = plt.figure(figsize=inches(DOUBLE / 2, 20))
        figure.text(0.5, 0.5, "The models are not divided into groups.", ha="center", va="center")
        return figure
    across = 2 if clusters == 4 else min(COLUMNS, clusters)
    down = -(-clusters // across)
    height = 18 + 3.6 * max(map(len, rows))
    figure, grid = plt.subplots(
        down, across, figsize=inches(DOUBLE, 12 + height * down), squeeze=False, layout="constrained", sharex=True
    )
    for axes in grid.flat[clusters:]:
        axes.set_visible(False)
    for number, (axes, chosen) in enumerate(zip(grid.flat, rows, strict=False)):
        _draw_cluster(axes, table, chosen, 1 - about.settings.level)
        members = [about.models[model].title for model in np.flatnonzero(embedding.groups.labels == number)]
        lines = wrap(f"{circled(number)} {', '.join(members)}", LETTERS // across, max_lines=2, placeholder=" …")
        axes.set_title("\n".join(lines), fontsize=7, loc="left")
    share = about.settings.variant in ("share", "hellinger")
    figure.supxlabel(f"Difference from all other models in % of the {'detectors' if share else 'units'}", fontsize=7.5)
    _legend(figure, 1 - about.settings.level)
    return figure


def _rows(table: Table, number: int) -> NDArray[np.intp]:
    """Rows of a cluster to show: its categories, then its strongest concepts, as the table orders them."""
    of_cluster = (table["grouping"] == "cluster") & np.isin(_text(table["group"]), [str(number + 1)])
    categories = np.flatnonzero(of_cluster & (table["kind"] == "category"))
    return np.concatenate([categories, np.flatnonzero(of_cluster & (table["kind"] == "concept"))[:SHOWN]])


def _text(values: NDArray[Any]) -> NDArray[np.str_]:
    """A column of names; a table without declared families has numbers only, which are read as such."""
    return values if values.dtype.kind == "U" else np.array([f"{value:.0f}" for value in values], dtype=np.str_)


def _draw_cluster(axes: Axes, table: Table, rows: NDArray[np.intp], level: float) -> None:
    names = []
    for place, row in enumerate(rows.tolist()):
        value, low, high = (100 * float(table[name][row]) for name in ("difference", "low", "high"))
        concept = table["kind"][row] == "concept"
        color = category_color(str(table["category"][row]))
        sure, general = table["q_images"][row] <= level, table["q_models"][row] <= level
        axes.plot([low, high], [place, place], color=color, lw=1)
        marker = "*" if general else ("o" if concept else "s")
        size = 7.5 if general else 4
        axes.plot(value, place, marker, ms=size, color=color, mfc=color if sure or general else "white", mew=0.8)
        names.append(str(table["name"][row]) if concept else f"{table['name'][row]} (category)")
    first = int((table["kind"][rows] == "category").sum())
    if 0 < first < len(rows):
        axes.axhline(first - 0.5, color="0.8", lw=0.5)
    axes.axvline(0, color="0.6", lw=0.6, zorder=0)
    axes.set_yticks(range(len(rows)), names, fontsize=6.5)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelbottom=True)
    axes.locator_params(axis="x", nbins=4)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _legend(figure: Figure, level: float) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], ls="", marker="o", color="0.35", ms=4, label=f"sure of the images (q ≤ {level:.2g})"),
        Line2D([], [], ls="", marker="o", color="0.35", mfc="white", ms=4, label="not sure"),
        Line2D([], [], ls="", marker="*", color="0.35", ms=7.5, label=f"sure over models too (q ≤ {level:.2g})"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3, frameon=False)

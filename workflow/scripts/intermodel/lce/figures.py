"""The other pictures of an embedding: distances with their tree, categories, complementarity, crossing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.lce.embedding import Embedding
from intermodel.lce.files import About
from intermodel.lce.map_figure import numbered_titles
from intermodel.plotting import DIVERGING, DOUBLE, NEUTRAL, SEQUENTIAL, SINGLE, category_color, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Above this many models the cells are too small for numbers.
WRITTEN = 18


def draw_distances(embedding: Embedding, about: About) -> Figure:
    """Distances between all models in the order of their tree; pairs within the noise floor are hatched."""
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch, Rectangle

    name, groups = about.settings.distance, embedding.groups
    measure = embedding.measures[name]
    order = leaf_order(groups.merges)
    values, resolved = measure.value.value[np.ix_(order, order)], measure.resolved[np.ix_(order, order)]
    models = len(order)
    width = min(DOUBLE, 75 + 11 * models)
    figure: Figure
    figure, (tree, grid) = plt.subplots(
        1, 2, figsize=inches(width, 30 + 6.5 * models), width_ratios=[1, 3], layout="constrained", sharey=True
    )
    _draw_tree(tree, embedding, order)
    other = ~np.eye(models, dtype=bool)
    image = grid.imshow(
        np.where(other, values, np.nan), cmap=SEQUENTIAL, vmin=0, aspect="auto", interpolation="nearest"
    )
    top = values.max(initial=0)
    for row, column in np.argwhere(other):
        dark = values[row, column] < 0.6 * top
        ink = "white" if dark else "black"
        if not resolved[row, column]:
            grid.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="/////", ec=ink, lw=0, alpha=0.45)
            )
        if models <= WRITTEN:
            text = f"{values[row, column]:.1f}" if top >= 3 else f"{values[row, column]:.2f}"
            grid.text(column, row, text, ha="center", va="center", color=ink, fontsize=6.5)
    titles = numbered_titles(embedding, about)
    _name_axes(grid, [titles[model] for model in order])
    if not resolved[other].all():
        patch = Patch(fill=False, hatch="/////", ec="0.4", lw=0, label="within the noise floor")
        figure.legend(handles=[patch], loc="outside upper right", frameon=False)
    bar = figure.colorbar(image, ax=grid, pad=0.02, aspect=30)
    bar.set_label(f"{'Euclidean' if name == 'euclidean' else name.capitalize()} distance")
    bar.outline.set_visible(False)
    return figure


def _name_axes(axes: Axes, titles: list[str]) -> None:
    """Models along both sides of a matrix."""
    axes.set_xticks(range(len(titles)), titles, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(titles)), titles)
    axes.tick_params(axis="y", labelleft=True)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def leaf_order(merges: NDArray[np.float64]) -> list[int]:
    """Models in the order in which the tree can be drawn without crossings."""
    models = len(merges) + 1

    def leaves(group: int) -> list[int]:
        if group < models:
            return [group]
        first, second = merges[group - models, :2].astype(int)
        return leaves(first) + leaves(second)

    return leaves(2 * models - 2)


def _draw_tree(axes: Axes, embedding: Embedding, order: list[int]) -> None:
    """The cluster tree growing to the left, one colour per cluster, its stability at the branch."""
    groups, models = embedding.groups, len(order)
    place = {model: (float(row), 0.0) for row, model in enumerate(order)}
    cluster = {model: {int(groups.labels[model])} for model in order}
    for step, (first, second, height, size) in enumerate(groups.merges):
        branches = [place[int(first)], place[int(second)]]
        members = cluster[int(first)] | cluster[int(second)]
        for row, depth in branches:
            axes.plot([depth, height], [row, row], color="0.35" if len(members) == 1 else "0.75", lw=1)
        rows = [row for row, _ in branches]
        axes.plot([height, height], rows, color="0.35" if len(members) == 1 else "0.75", lw=1)
        place[models + step], cluster[models + step] = (float(np.mean(rows)), float(height)), members
        share = groups.stability[next(iter(members))]
        if len(members) == 1 and (groups.labels == next(iter(members))).sum() == size and len(groups.stability) > 1:
            axes.annotate(
                f"{share:.0%}",
                (height, float(np.mean(rows))),
                (-1.5, 1.5),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=6.5,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
            )
    axes.invert_xaxis()
    axes.margins(x=0.12)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.tick_params(axis="y", left=False, labelleft=False)
    axes.set_xlabel("Height (%: stability)")


def draw_categories(embedding: Embedding, about: About) -> Figure:
    """Unique concepts (above) and detectors (below) per category and model, with intervals."""
    use_style()
    import matplotlib.pyplot as plt

    categories = [*about.vocabulary.categories, "all"]
    models = len(about.models)
    figure: Figure
    figure, panels = plt.subplots(
        2, len(categories), figsize=inches(DOUBLE, 22 + 9 * models), sharey=True, layout="constrained", squeeze=False
    )
    rows = np.arange(models)
    kinds = (("Unique concepts", embedding.unique), ("Detectors", embedding.detectors))
    for number, (line, (name, totals)) in enumerate(zip(panels, kinds, strict=True)):
        for column, (category, axes) in enumerate(zip(categories, line, strict=True)):
            value, low, high = (part[:, column] for part in (totals.value, totals.low, totals.high))
            color = category_color(category) if category != "all" else "0.35"
            axes.barh(rows, value, color=color, height=0.68, alpha=0.85)
            axes.errorbar(
                value,
                rows,
                xerr=[value - low, high - value],
                fmt="none",
                ecolor="0.15",
                elinewidth=0.7,
                capsize=1.5,
                capthick=0.7,
            )
            axes.set_xlim(0, max(1.0, float(high.max()) * 1.08))
            axes.locator_params(axis="x", nbins=3, integer=True)
            axes.tick_params(axis="y", length=0)
            if number == 0:
                axes.set_title(category, fontsize=8)
        line[0].set_yticks(rows, [model.title for model in about.models])
        line[len(categories) // 2].set_xlabel(name)
    panels[0, 0].invert_yaxis()
    return figure


def draw_complementarity(embedding: Embedding, about: About) -> Figure:
    """Concepts that the row's model has and the column's lacks; on the diagonal, all concepts of a model."""
    use_style()
    import matplotlib.pyplot as plt

    order = leaf_order(embedding.groups.merges)
    only = embedding.overlap.only[np.ix_(order, order)]
    known = np.diag(embedding.overlap.shared)[order]
    models = len(order)
    titles = [about.models[model].title for model in order]
    figure: Figure
    figure, axes = plt.subplots(figsize=inches(DOUBLE * 0.72, 30 + 6.5 * models), layout="constrained")
    diagonal = np.eye(models, dtype=bool)
    image = axes.imshow(
        np.where(diagonal, np.nan, only), cmap="cividis", vmin=0, aspect="auto", interpolation="nearest"
    )
    top = only.max(initial=0)
    for row in range(models):
        for column in range(models):
            own = row == column
            shade = "black" if own or only[row, column] > 0.55 * top else "white"
            axes.text(
                column,
                row,
                str(known[row] if own else only[row, column]),
                ha="center",
                va="center",
                fontsize=6.5,
                color=shade,
                weight="bold" if own else "normal",
            )
    _name_axes(axes, titles)
    axes.set_xlabel("… and this model lacks (bold: all concepts of the model)")
    axes.set_ylabel("Concepts that this model has")
    bar = figure.colorbar(image, ax=axes, pad=0.02, aspect=30)
    bar.ax.locator_params(axis="y", integer=True)
    bar.set_label("Concepts")
    bar.outline.set_visible(False)
    return figure


def draw_crossing(table: Mapping[str, NDArray[Any]], level: float) -> Figure:
    """Correlations of concept categories with downstream results; those that survive the test are framed.

    Parameters
    ----------
    table
        Columns of performance.csv.
    level
        Level of the intervals; cells survive at 1 - level.
    """
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    # A column of empty cells is read as numbers.
    held = np.array([isinstance(name, str) and name != "" for name in table["covariate"].tolist()])
    kinds = list(dict.fromkeys(zip(table["method"].tolist(), held.tolist(), strict=True)))
    categories = list(dict.fromkeys(table["category"]))
    outcomes = list(dict.fromkeys(zip(*(table[name].tolist() for name in ("task", "dataset", "metric")), strict=True)))
    figure: Figure
    names = _result_names(outcomes)
    width = 30 + 1.2 * max(map(len, names)) + 6.2 * len(categories) * len(kinds)
    figure, panels = plt.subplots(
        1,
        len(kinds),
        figsize=inches(min(DOUBLE, max(width, SINGLE)), 32 + 4.6 * max(len(outcomes), 3)),
        sharey=True,
        layout="constrained",
        squeeze=False,
    )
    figure.set_layout_engine("constrained", wspace=0.01, w_pad=0.02)
    for axes, (method, partial) in zip(panels[0], kinds, strict=True):
        grid = np.full((len(outcomes), len(categories)), np.nan)
        chosen = (table["method"] == method) & (held == partial)
        for index in np.flatnonzero(chosen):
            key = (table["task"][index], table["dataset"][index], table["metric"][index])
            row, column = outcomes.index(key), categories.index(table["category"][index])
            grid[row, column] = table["r"][index]
            if table["survives"][index] == "true":
                axes.add_patch(Rectangle((column - 0.46, row - 0.46), 0.92, 0.92, fill=False, ec="black", lw=1.3))
        axes.set_facecolor("0.92")
        image = axes.imshow(grid, cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
        for row, column in np.argwhere(~np.isnan(grid)):
            shade = "white" if abs(grid[row, column]) > 0.65 else "black"
            axes.text(
                column,
                row,
                _short(grid[row, column]),
                ha="center",
                va="center",
                fontsize=5,
                color=shade,
            )
        for row, column in np.argwhere(np.isnan(grid)):
            axes.text(column, row, "–", ha="center", va="center", fontsize=6, color=NEUTRAL)
        title = "Pearson r" if method == "pearson" else "Spearman ρ"
        title += "\ngiven covariate" if partial else ""
        axes.set_title(f"{title}\n{_needed(table, chosen)}", fontsize=7)
        axes.set_xticks(range(len(categories)), categories, rotation=40, ha="right", rotation_mode="anchor")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    panels[0, 0].set_yticks(range(len(outcomes)), names, fontsize=6.5)
    bar = figure.colorbar(image, ax=panels[0, -1], pad=0.02, aspect=30)
    bar.set_label("Correlation")
    bar.outline.set_visible(False)
    figure.supxlabel(
        f"Framed: adjusted p ≤ {1 - level:.2g}, which takes the |r| above the panel", fontsize=6.5, color="0.35"
    )
    return figure


def _needed(table: Mapping[str, NDArray[Any]], chosen: NDArray[np.bool_]) -> str:
    """How many models entered a panel, and the |r| that survives among so many cells."""
    models, needed = table["models"][chosen], float(table["needed"][chosen][0])
    count = f"n = {models.min():.0f}" + (f"–{models.max():.0f}" if models.min() < models.max() else "")
    return count if np.isnan(needed) else f"{count}\n|r| > {_short(needed)}"


def _result_names(outcomes: list[tuple[str, str, str]]) -> list[str]:
    """The task, and as much of metric and data set as it takes to tell results of one task apart."""
    tasks = [task for task, _, _ in outcomes]
    metrics = [(task, metric) for task, _, metric in outcomes]
    names = []
    for task, data, metric in outcomes:
        parts = [task]
        if tasks.count(task) > 1:
            several = len({name for other, name in metrics if other == task}) > 1
            parts += [metric] if several else []
            parts += [data] if metrics.count((task, metric)) > 1 or not several else []
        names.append(": ".join(part.replace("_", " ") for part in parts))
    return names


def _short(value: float) -> str:
    """A correlation in three or four narrow characters: .91, -.40, 1.0."""
    text = f"{abs(value):.2f}".removeprefix("0") if abs(value) < 0.995 else "1.0"
    return f"-{text}" if value < 0 and text != ".00" else text

"""Figures of the similarities of one data set: models by models, layers by layers, pairs with intervals."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intermodel import plotting
from intermodel.plotting import clustered
from intermodel.similarity.catalogue import CATALOGUE, as_similarity, base_name
from intermodel.similarity.findings import Models, headline_measures
from intermodel.similarity.table import Row, matrix, pair_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PathLike = str | os.PathLike[str]
Floats = NDArray[np.float64]
Marks = NDArray[np.bool_]

# Measures with different invariances, shown side by side.
COMPANIONS = ("svcca", "cka_unbiased", "mutual_knn", "procrustes_angle")
# Cells below this width in millimetres hold no number that could be read.
SMALLEST_ANNOTATED = 5.0
# Pairs shown with intervals: all, or the highest and lowest of them.
SHOWN_PAIRS = 30


def draw_figures(
    pairs: Sequence[PathLike],
    intervals: PathLike,
    models: Models,
    figures: Mapping[str, PathLike],
) -> None:
    """Draw all similarity figures of a data set.

    Parameters
    ----------
    pairs, intervals
        Pair files of all models, and the file of standard errors.
    models
        The models of the study.
    figures
        Files to write (svg, png or pdf) by name: models, layers, pairs.
    """
    import matplotlib

    plotting.use_style()
    matplotlib.rcParams["hatch.linewidth"] = 0.4
    rows = pair_rows(pairs, intervals)
    measures = headline_measures(rows, models) or [rows[0]["measure"]]
    order = clustered(shown(rows, measures[-1], models.last_layers)[0], list(models.layers))
    plotting.save(model_matrices(rows, models, order), figures["models"])
    plotting.save(layer_matrix(rows, measures, models, order), figures["layers"])
    plotting.save(interval_plot(rows, measures, models), figures["pairs"])


def shown(rows: Sequence[Row], measure: str, layers: Mapping[str, str]) -> tuple[Floats, bool]:
    """What a heat map shows, (M, M): values above chance, or raw similarities where chance is unknown; and which."""
    above_chance = any(np.isfinite(row["adjusted"]) for row in rows if row["measure"] == measure)
    if above_chance:
        return matrix(rows, measure, "adjusted", layers), True
    return as_similarity(measure, matrix(rows, measure, "value", layers)), False


def model_matrices(rows: Sequence[Row], models: Models, order: Sequence[str]) -> Figure:
    """Last layers of all models with one another by measures with different invariances, chance subtracted."""
    import matplotlib.pyplot as plt

    if len(order) < 2:
        return _second_model_needed()
    measured = {row["measure"] for row in rows}
    names = [name for name in COMPANIONS if name in measured] or sorted(measured)[:1]
    columns = min(2, len(names))
    lines = -(-len(names) // columns)
    side = float(np.clip(7.5 * len(order), 42.0, 62.0))
    size = plotting.inches(columns * (side + 12.0) + 40.0, lines * (side + 8.0) + 22.0)
    figure: Figure
    figure, grid = plt.subplots(lines, columns, figsize=size, squeeze=False, layout="constrained")
    layers = {name: models.last_layers[name] for name in order}
    for place, (axes, name) in enumerate(zip(grid.flat, names, strict=False)):
        values, above_chance = shown(rows, name, layers)
        marks = _saturated(rows, name, layers)
        lower = np.tril(np.ones_like(marks), -1)
        # The first row and the last column of a triangle without its diagonal are empty.
        _draw_cells(axes, values[1:, :-1], lower[1:, :-1], marks[1:, :-1], side / (len(order) - 1))
        _label_axis(axes.yaxis, order[1:] if place % columns == 0 else [], models)
        _label_axis(axes.xaxis, order[:-1] if place + columns >= len(names) else [], models)
        title = CATALOGUE[base_name(name)].label
        axes.set_title(title if above_chance else f"{title.removesuffix(' angle (rad)')}, chance left in", loc="left")
    for axes in list(grid.flat)[len(names) :]:
        axes.remove()
    _color_bar(figure, grid.flat[0], "Similarity (0 chance, 1 identical)")
    return figure


def layer_matrix(rows: Sequence[Row], measures: Sequence[str], models: Models, order: Sequence[str]) -> Figure:
    """All layers of all models with one another, one measure below the diagonal and one above it."""
    import matplotlib.pyplot as plt

    places = [(name, layer) for name in order for layer in models.layers[name]]
    position = {place: index for index, place in enumerate(places)}
    values, marks = np.full((len(places),) * 2, np.nan), np.zeros((len(places),) * 2, dtype=bool)
    for measure, upper in zip(measures, (False, True), strict=False):
        above_chance = any(np.isfinite(row["adjusted"]) for row in rows if row["measure"] == measure)
        for row in (row for row in rows if row["measure"] == measure):
            pair = sorted((position[row["model_a"], row["layer_a"]], position[row["model_b"], row["layer_b"]]))
            cell = tuple(pair if upper else pair[::-1])
            values[cell] = row["adjusted"] if above_chance else as_similarity(measure, row["value"])
            marks[cell] = "saturated" in row["flags"]
    side = float(np.clip(5.2 * len(places), 50.0, 128.0))
    drawn = ~np.eye(len(places), dtype=bool)
    if len(measures) < 2:
        drawn &= np.tri(len(places), dtype=bool)
    figure: Figure
    figure, axes = plt.subplots(figsize=plotting.inches(side + 55.0, side + 25.0), layout="constrained")
    _draw_cells(axes, values, drawn, marks, side / len(places))
    size = float(np.clip(side / len(places) * 1.5, 3.5, 7.0))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(np.arange(len(places)) + 0.5, [layer for _, layer in places], fontsize=size)
    axes.tick_params(axis="x", rotation=90, length=0)
    axes.tick_params(axis="y", rotation=0, length=0)
    start = 0
    for name in order:
        end = start + len(models.layers[name])
        for line in (axes.axhline, axes.axvline):
            line(end, color="white", linewidth=2.2)
        axes.text(len(places) + 0.3, (start + end) / 2, models.titles[name], va="center", **_emphasis(name, models))
        start = end
    for triangle, measure, place in zip("◣◥", measures, ("left", "right"), strict=False):
        axes.set_title(f"{triangle} {CATALOGUE[base_name(measure)].label}", loc=place)  # type: ignore[arg-type]
    _color_bar(figure, axes, "Similarity (0 chance, 1 identical)")
    return figure


def interval_plot(rows: Sequence[Row], measures: Sequence[str], models: Models) -> Figure:
    """Similarity of the last layers of every pair of models with its interval, beside what chance gives."""
    import matplotlib.pyplot as plt

    layers = models.last_layers
    chosen: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        a, b = row["model_a"], row["model_b"]
        if a != b and row["measure"] in measures and (layers[a], layers[b]) == (row["layer_a"], row["layer_b"]):
            chosen.setdefault((a, b), {})[row["measure"]] = row
    if not chosen:
        return _second_model_needed()
    first = measures[0]
    ranked = sorted(chosen, key=lambda pair: -np.nan_to_num(as_similarity(first, chosen[pair][first]["value"]), nan=-9))
    count = len(ranked)
    if count > SHOWN_PAIRS:
        ranked = ranked[: SHOWN_PAIRS // 2] + ranked[-(SHOWN_PAIRS // 2) :]
    size = plotting.inches(45.0 + 62.0 * len(measures), max(3.5 * len(ranked), 8.0) + 20.0)
    figure: Figure
    figure, grid = plt.subplots(1, len(measures), figsize=size, squeeze=False, sharey=True, layout="constrained")
    for axes, measure in zip(grid[0], measures, strict=True):
        _draw_intervals(axes, [chosen[pair][measure] for pair in ranked], models.controls)
        axes.set_xlabel(CATALOGUE[base_name(measure)].label)
        axes.set_xlim(min(-0.03, axes.get_xlim()[0]), np.pi / 2 if CATALOGUE[base_name(measure)].distance else 1.02)
        if count > SHOWN_PAIRS:
            axes.axhline(SHOWN_PAIRS // 2 - 0.5, color=plotting.NEUTRAL, linewidth=0.8, linestyle=":")
    titles = [f"{models.titles[a]} – {models.titles[b]}" for a, b in ranked]
    grid[0, 0].set_yticks(range(len(ranked)), titles)
    grid[0, 0].set_ylim(len(ranked) - 0.4, -0.6)
    if count > SHOWN_PAIRS:
        grid[0, 0].set_title(f"the {SHOWN_PAIRS // 2} highest and lowest of {count} pairs", loc="left")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if unique:
        figure.legend(
            list(unique.values()), list(unique), loc="outside upper right", ncols=3, frameon=False, handletextpad=0.3
        )
    return figure


def _second_model_needed() -> Figure:
    import matplotlib.pyplot as plt

    figure: Figure = plt.figure(figsize=plotting.inches(plotting.SINGLE, 20.0))
    figure.text(0.5, 0.5, "A second model is needed.", ha="center", va="center")
    return figure


def _draw_intervals(axes: Axes, rows: Sequence[Row], controls: Sequence[str]) -> None:
    kinds = ("both trained", "with an untrained model")
    for place, row in enumerate(rows):
        if np.isfinite(row["null_mean"]):
            axes.plot(
                row["null_mean"],
                place,
                "|",
                color=plotting.NEUTRAL,
                markersize=6.5,
                markeredgewidth=1.3,
                label="chance (shuffled images)",
            )
        if not np.isfinite(row["value"]):
            continue
        with_control = bool({row["model_a"], row["model_b"]} & set(controls))
        reach = np.array([[row["value"] - row["low"]], [row["high"] - row["value"]]])
        axes.errorbar(
            row["value"],
            place,
            xerr=np.maximum(reach, 0.0) if np.isfinite(reach).all() else None,
            fmt=plotting.MARKERS[with_control],
            color=plotting.PALETTE[with_control],
            markersize=3.0,
            elinewidth=1.1,
            capsize=1.5,
            label=kinds[with_control] if controls else "95 % interval over images",
        )
    axes.grid(axis="y", color="0.92", linewidth=0.5)
    axes.set_axisbelow(True)


def _draw_cells(axes: Axes, values: Floats, drawn: Marks, saturated: Marks, cell: float) -> None:
    """Cells of a matrix: numbers where they fit, hatched where saturated, grey where undefined.

    Parameters
    ----------
    values, drawn, saturated
        (rows, columns); only cells of `drawn` are shown.
    cell
        Width of a cell in millimetres.
    """
    import seaborn
    from matplotlib.patches import Rectangle

    # Rounding first and adding 0 keeps "-0.00" off the page.
    shades = np.round(np.nan_to_num(values), 2) + 0.0
    seaborn.heatmap(
        shades,
        mask=~(drawn & np.isfinite(values)),
        vmin=0.0,
        vmax=1.0,
        cmap=plotting.SEQUENTIAL,
        square=True,
        annot=cell >= SMALLEST_ANNOTATED,
        fmt=".2f",
        annot_kws={"fontsize": float(np.clip(cell * 0.95, 4.5, 7.0))},
        linewidths=0.4,
        linecolor="white",
        cbar=False,
        xticklabels=False,
        yticklabels=False,
        ax=axes,
    )
    for row, column in np.argwhere(drawn & ~np.isfinite(values)):
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor="0.9", edgecolor="white", linewidth=0.4))
    for row, column in np.argwhere(drawn & saturated & np.isfinite(values)):
        axes.add_patch(Rectangle((column, row), 1, 1, fill=False, hatch="////", edgecolor="white", linewidth=0.0))


def _label_axis(axis: object, names: Sequence[str], models: Models) -> None:
    """Titles of models along one axis; untrained controls in italics."""
    from matplotlib.axis import XAxis

    vertical = isinstance(axis, XAxis)
    axis.set_ticks(np.arange(len(names)) + 0.5, [models.titles[name] for name in names])  # type: ignore[attr-defined]
    axis.set_tick_params(length=0)  # type: ignore[attr-defined]
    for label, name in zip(axis.get_ticklabels(), names, strict=True):  # type: ignore[attr-defined]
        label.set(rotation=90 if vertical else 0, **_emphasis(name, models))


def _emphasis(name: str, models: Models) -> dict[str, str]:
    return {"fontstyle": "italic"} if name in models.controls else {}


def _color_bar(figure: Figure, axes: Axes, label: str) -> None:
    bar = figure.colorbar(axes.collections[0], ax=figure.axes, label=label, shrink=0.5, aspect=24, pad=0.02)
    bar.outline.set_visible(False)  # type: ignore[operator]


def _saturated(rows: Sequence[Row], measure: str, layers: Mapping[str, str]) -> Marks:
    marked = [row | {"marked": float("saturated" in row["flags"])} for row in rows if row["measure"] == measure]
    return np.asarray(matrix(marked, measure, "marked", layers) == 1.0)

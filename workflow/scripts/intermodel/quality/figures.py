"""Figures of a data set: scores against probe errors, activation rates, accuracy by score, scores of whole models."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel import csv_tables, plotting, store
from intermodel.probe.models import Model, read_models
from intermodel.quality.model_scores import MODEL_SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PathLike = str | os.PathLike[str]
Row = Mapping[str, Any]

# Scores shown, grouped by what they need; those that rank (nearly) as a shown one are left to the table.
SHOWN = {
    "features": ("qscore", "qscore_no_D", "q_v1", "l2norm", "max_of_unit", "hoyer", "gini", "kurtosis"),
    "reference": ("knn", "loglik"),
    "models": ("neighbourhood_consistency",),
    "labels": ("msp", "margin", "neg_entropy", "maxlogit", "energy", "maxlogit_pnorm"),
}
GROUP_NAMES = {
    "features": "the image's own features",
    "reference": "training images",
    "models": "other models",
    "labels": "a probe trained with labels",
}
GROUP_COLORS = {
    "features": plotting.PALETTE[0],
    "reference": plotting.PALETTE[2],
    "models": plotting.PALETTE[4],
    "labels": plotting.NEUTRAL,
}
SCORE_NAMES = {
    "qscore": "Q-Score",
    "qscore_no_D": "Q-Score, all units",
    "q_v1": "Q-Score, first version",
    "l2norm": "norm",
    "max_of_unit": "largest feature",
    "hoyer": "sparsity (Hoyer)",
    "gini": "sparsity (Gini)",
    "kurtosis": "kurtosis",
    "knn": "kNN closeness",
    "loglik": "log-density",
    "neighbourhood_consistency": "neighbour agreement",
    "msp": "softmax confidence",
    "margin": "margin",
    "neg_entropy": "negative entropy",
    "maxlogit": "largest logit",
    "energy": "energy",
    "maxlogit_pnorm": "largest logit / norm",
    "rankme": "RankMe",
    "effective_rank": "effective rank",
    "alpha_req": "α-ReQ",
    "nesum": "NESum",
    "stable_rank": "stable rank",
    "condition": "condition",
    "coherence": "coherence",
    "self_cluster": "SelfCluster",
    "uniformity": "uniformity",
    "twonn": "intrinsic dimension",
}
FAINT = "#E6E6E6"
BAND = "#C9C9C9"
COLUMNS = 4


def plot_quality(
    tables: Mapping[str, PathLike],
    qualities: Sequence[PathLike],
    description: str,
    figures: Mapping[str, Sequence[PathLike]],
) -> None:
    """Draw all figures of a data set.

    Parameters
    ----------
    tables
        CSV files of `summary.summarise_quality`: layers, scores, models, calibration.
    qualities
        Quality files of all models, in the order of the study.
    description
        JSON text of `Study.describe`.
    figures
        Files to write (svg, png, pdf) for each of scores, activation_rates, calibration, models.
    """
    plotting.use_style()
    models = read_models(description)
    rows = {name: table_rows(path) for name, path in tables.items()}
    rates = {}
    for model, path in zip(models, qualities, strict=True):
        with store.open_file(path) as file:
            group = file[model.main]
            if "activation_rate" in group:
                rates[model.name] = group["activation_rate"][...], group["mask"][...], float(group.attrs["eps"])
    draw: dict[str, Callable[[], Figure]] = {
        "scores": lambda: scores_figure(rows["scores"], rows["layers"], models),
        "activation_rates": lambda: activation_rates_figure(rates, models),
        "calibration": lambda: calibration_figure(rows["calibration"], rows["scores"], models),
        "models": lambda: models_figure(rows["models"], models),
    }
    for name, paths in figures.items():
        for path in paths:
            plotting.save(draw[name](), Path(path))


def table_rows(path: PathLike) -> list[dict[str, Any]]:
    """Rows of a CSV file, with true and false as booleans."""
    columns = csv_tables.read_table(path)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    flags = {"true": True, "false": False}
    return [
        {name: flags.get(value, value) if isinstance(value, str) else value for name, value in row.items()}
        for row in rows
    ]


def scores_figure(scores: Sequence[Row], layers: Sequence[Row], models: Sequence[Model]) -> Figure:
    """AUROC of every score against the errors of the probe, one panel per model (main layer), with 95 % intervals.

    The dashed line is chance. The grey band behind Q-Score spans the AUROC with random units in place of the
    discriminative ones.
    """
    present = {row["score"] for row in scores if row["main"]}
    shown = [(group, name) for group, names in SHOWN.items() for name in names if name in present]
    places, height = {}, 0.0
    for position, (group, name) in enumerate(shown):
        if position and shown[position - 1][0] != group:
            height += 0.7
        places[name] = height
        height += 1.0
    known = {(row["model"], row["score"]): row for row in scores if row["main"]}
    nulls = {row["model"]: row for row in layers if row["main"]}
    ends = [
        row[end]
        for row in known.values()
        if row["score"] in places
        for end in ("auroc_low", "auroc_high")
        if np.isfinite(row[end])
    ]
    left, right = (min(ends + [0.45]) - 0.02, max(ends + [0.55]) + 0.02)

    figure, panels = _panels(len(models), 16 + 3.3 * height, share_y=True)
    for model, axes in zip(models, panels, strict=True):
        axes.axvline(0.5, color="black", linestyle=(0, (4, 3)), linewidth=0.6, zorder=1)
        null = nulls[model.name]
        if np.isfinite(null["random_masks_low"]):
            width = null["random_masks_high"] - null["random_masks_low"]
            axes.barh(0.0, width, left=null["random_masks_low"], height=1.0, color=BAND, linewidth=0, zorder=0)
        absent = []
        for group, names in SHOWN.items():
            rows = [known.get((model.name, name)) for name in names if name in places]
            found = [row for row in rows if row is not None and np.isfinite(row["auroc"])]
            absent += [name for name in names if name in places and name not in {row["score"] for row in found}]
            y = [places[row["score"]] for row in found]
            low, value, high = ([row[f"auroc{end}"] for row in found] for end in ("_low", "", "_high"))
            axes.hlines(y, low, high, color=GROUP_COLORS[group], linewidth=1.1, zorder=2)
            axes.plot(value, y, "o", color=GROUP_COLORS[group], markersize=2.8, zorder=3)
            if found and found[0]["score"] == "qscore":
                axes.plot(value[0], y[0], "D", color=GROUP_COLORS[group], markersize=3.8, zorder=3)
        for name in absent:
            axes.annotate(
                "n/a",
                (0.5, places[name]),
                ha="center",
                va="center",
                fontsize=5.5,
                color=plotting.NEUTRAL,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
            )
        axes.set_xlim(left, right)
        axes.set_ylim(height - 0.3, -0.9)
        axes.set_yticks([places[name] for _, name in shown])
        axes.set_yticklabels([SCORE_NAMES.get(name, name) for _, name in shown])
        axes.tick_params(axis="y", length=0, labelsize=6.5)
        axes.tick_params(axis="x", labelsize=6.5)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_title(model.title, fontsize=7.5, loc="left", pad=3)
    figure.supxlabel("AUROC: right against wrong predictions of the probe on the last layer", fontsize=8)
    groups = [group for group in SHOWN if any(found == group for found, _ in shown)]
    _legend(
        figure,
        [
            (GROUP_NAMES[group], {"color": GROUP_COLORS[group], "marker": "o", "markersize": 3, "linewidth": 1.1})
            for group in groups
        ]
        + [("random units (95 % of masks)", {"color": BAND, "linewidth": 5})],
        "score needs",
    )
    return figure


def activation_rates_figure(
    rates: Mapping[str, tuple[NDArray[np.float64], NDArray[np.bool_], float]], models: Sequence[Model]
) -> Figure:
    """Share of training images that highly activate each unit, units sorted, the discriminative ones dark.

    Parameters
    ----------
    rates
        Activation rates in percent, the discriminative mask and eps by model name; models without are marked.
    models
        The models of the study.
    """
    figure, panels = _panels(len(models), 34, share_y=False)
    for model, axes in zip(models, panels, strict=True):
        axes.set_title(model.title, fontsize=7.5, loc="left", pad=3)
        axes.set_xlim(0, 100)
        axes.tick_params(labelsize=6.5)
        if model.name not in rates:
            _absent(axes, "n/a: signed features")
            continue
        rate, mask, eps = rates[model.name]
        order = np.argsort(rate, kind="stable")
        # Two corners per unit make a curve of steps.
        edges = np.repeat(np.linspace(0, 100, len(rate) + 1), 2)[1:-1]
        heights, chosen = np.repeat(rate[order], 2), np.repeat(mask[order], 2)
        axes.fill_between(edges, heights, where=~chosen, color=BAND, linewidth=0)
        axes.fill_between(edges, heights, where=chosen, color=plotting.PALETTE[0], linewidth=0)
        axes.plot(edges, heights, color="black", linewidth=0.6)
        top = max(float(rate.max()) * 1.08, 1e-9)
        # A strip below the axis shows the band also where units are silent.
        axes.fill_between(edges, -0.05 * top, 0, where=~chosen, color=BAND, linewidth=0)
        axes.fill_between(edges, -0.05 * top, 0, where=chosen, color=plotting.PALETTE[0], linewidth=0)
        axes.set_ylim(-0.05 * top, top)
        axes.annotate(
            f"eps {eps:g}\n{int(mask.sum())} of {len(rate)} units\n{int((rate == 0).sum())} silent",
            (0.04, 0.96),
            xycoords="axes fraction",
            va="top",
            fontsize=6,
            color="#404040",
        )
    figure.supxlabel("units, sorted by activation rate (%)", fontsize=8)
    figure.supylabel("images that highly\nactivate the unit (%)", fontsize=8)
    _legend(
        figure,
        [
            ("discriminative unit", {"color": plotting.PALETTE[0], "linewidth": 5}),
            ("too rare or too common", {"color": BAND, "linewidth": 5}),
        ],
    )
    return figure


def calibration_figure(calibration: Sequence[Row], scores: Sequence[Row], models: Sequence[Model]) -> Figure:
    """Accuracy of the probe in tenths of the test images, from low to high score, with 95 % intervals."""
    styles = {
        "qscore": (GROUP_COLORS["features"], "D"),
        "knn": (GROUP_COLORS["reference"], "o"),
        "msp": (GROUP_COLORS["labels"], "s"),
    }
    accuracy = {row["model"]: row["accuracy"] for row in scores if row["main"]}
    figure, panels = _panels(len(models), 34, share_y=True)
    for model, axes in zip(models, panels, strict=True):
        axes.axhline(100 * accuracy[model.name], color="black", linestyle=(0, (4, 3)), linewidth=0.6)
        for shift, (name, (color, marker)) in zip((-0.6, 0.0, 0.6), styles.items(), strict=True):
            rows = [row for row in calibration if row["main"] and row["model"] == model.name and row["score"] == name]
            if not rows:
                continue
            edges = np.cumsum([0] + [row["images"] for row in rows]) / sum(row["images"] for row in rows)
            place = 100 * (edges[1:] + edges[:-1]) / 2 + shift
            value, low, high = (
                100 * np.array([row[f"accuracy{end}"] for row in rows]) for end in ("", "_low", "_high")
            )
            axes.errorbar(
                place,
                value,
                yerr=[value - low, high - value],
                color=color,
                marker=marker,
                markersize=2.6,
                linewidth=0.9,
                elinewidth=0.6,
            )
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 103)
        axes.tick_params(labelsize=6.5)
        axes.set_title(model.title, fontsize=7.5, loc="left", pad=3)
    figure.supxlabel("test images, from low to high score (%)", fontsize=8)
    figure.supylabel("accuracy of the probe (%)", fontsize=8)
    _legend(
        figure,
        [
            (SCORE_NAMES[name], {"color": color, "marker": marker, "markersize": 3, "linewidth": 0.9})
            for name, (color, marker) in styles.items()
        ]
        + [("all images", {"color": "black", "linestyle": (0, (4, 3)), "linewidth": 0.6})],
    )
    return figure


def models_figure(representations: Sequence[Row], models: Sequence[Model]) -> Figure:
    """Label-free scores of whole representations against the accuracy of their probes, one panel per score."""
    colors = plotting.model_colors([model.name for model in models])
    markers = plotting.model_markers([model.name for model in models])
    main = {row["model"]: row for row in representations if row["main"]}
    figure, panels = _panels(len(MODEL_SCORES), 30, share_y=True, columns=5)
    for name, axes in zip(MODEL_SCORES, panels, strict=True):
        for model in models:
            row = main[model.name]
            if np.isfinite(row[name]):
                face = "white" if model.control else colors[model.name]
                axes.plot(
                    row[name],
                    100 * row["accuracy"],
                    markers[model.name],
                    color=colors[model.name],
                    markerfacecolor=face,
                    markersize=3.8,
                    markeredgewidth=0.8,
                )
        axes.tick_params(labelsize=6.5)
        axes.locator_params(axis="x", nbins=3)
        axes.margins(0.12)
        axes.grid(color=FAINT, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_title(SCORE_NAMES[name], fontsize=7.5, loc="left", pad=3)
    figure.supylabel("accuracy of the probe (%)", fontsize=8)
    _legend(
        figure,
        [
            (
                model.title,
                {
                    "color": colors[model.name],
                    "marker": markers[model.name],
                    "markersize": 4,
                    "linewidth": 0,
                    "markerfacecolor": "white" if model.control else colors[model.name],
                },
            )
            for model in models
        ],
    )
    return figure


def _panels(count: int, height: float, share_y: bool, columns: int = COLUMNS) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels, `height` mm each, at most `columns` beside one another."""
    import matplotlib.pyplot as plt

    columns = min(columns, count)
    lines = math.ceil(count / columns)
    width = plotting.DOUBLE if columns > 2 else plotting.DOUBLE * (0.35 + 0.2 * columns)
    figure, grid = plt.subplots(
        lines,
        columns,
        figsize=plotting.inches(width, lines * height + 14),
        squeeze=False,
        sharey=share_y,
        layout="constrained",
    )
    panels = list(grid.flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels[:count]


def _absent(axes: Axes, text: str) -> None:
    axes.set_yticks([])
    axes.set_xticks([])
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.annotate(
        text, (0.5, 0.5), xycoords="axes fraction", ha="center", va="center", fontsize=7, color=plotting.NEUTRAL
    )


def _legend(figure: Figure, entries: Sequence[tuple[str, dict[str, Any]]], title: str | None = None) -> None:
    import matplotlib.pyplot as plt

    handles = [plt.Line2D([], [], label=label, solid_capstyle="butt", **style) for label, style in entries]
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=min(len(handles), 5),
        frameon=False,
        title=title,
        alignment="left",
        columnspacing=1.4,
        handlelength=1.6,
    )

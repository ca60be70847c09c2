"""What the disagreement of equally accurate probes says, as sentences and as a figure."""

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
# More pairs than this do not fit on a page; those that disagree most are shown.
SHOWN_PAIRS = 28


def disagreement_findings(rows: Sequence[Row], models: Sequence[Model]) -> list[str]:
    """Sentences on the pairs whose accuracies the test images do not tell apart.

    Parameters
    ----------
    rows
        As `intermodel.probe.disagreement.disagreement_rows` gives them.
    models
        The models of the study, for their titles.
    """
    titles = {model.name: model.title for model in models}
    if not rows:
        return ["Fewer than two trained models have a probe, so there is nothing to compare."]
    equal = [row for row in rows if row["equal"]]
    images = int(rows[0]["images"])
    if not equal:
        return [f"No two of the {len(titles)} models are equally accurate: {images} test images tell all pairs apart."]
    most = max(equal, key=lambda row: row["disagreement"])
    names = f"**{titles[most['model_a']]}** and **{titles[most['model_b']]}**"
    sentences = [
        f"{len(equal)} of {len(rows)} pairs of trained models are equally accurate as far as {images:,} test images "
        "can tell (the 95 % interval of the difference holds 0).",
        f"Among them {names} disagree most: on {_percent(most['disagreement'])} of the images "
        f"[{_percent(most['disagreement_low'])}, {_percent(most['disagreement_high'])}], though they are right on "
        f"{_percent(most['accuracy_a'])} and {_percent(most['accuracy_b'])}.",
    ]
    closer = [row for row in equal if row["disagreement_high"] < row["independent_errors"]]
    sentences.append(
        f"In {len(closer)} of these {len(equal)} pairs the two disagree less than models of their accuracies would "
        "whose errors have nothing to do with each other, so they tend to fail on the same images."
    )
    return sentences


def disagreement_figure(rows: Sequence[Row], models: Sequence[Model]) -> Figure:
    """Disagreement of every pair with its interval, beside what independent errors would give and the most possible."""
    import matplotlib.pyplot as plt

    titles = {model.name: model.title for model in models}
    shown = sorted(rows, key=lambda row: (bool(row["equal"]), row["disagreement"]))[-SHOWN_PAIRS:]
    figure: Figure = plt.figure(figsize=plotting.inches(plotting.DOUBLE * 0.8, 22 + 5.2 * max(len(shown), 2)))
    axes = figure.add_subplot()
    for position, row in enumerate(shown):
        color = plotting.PALETTE[0] if row["equal"] else plotting.NEUTRAL
        axes.barh(position, 100 * row["largest_possible"], height=0.62, color="#EDEFF2", zorder=1)
        axes.plot(
            [100 * row["disagreement_low"], 100 * row["disagreement_high"]],
            [position] * 2,
            color=color,
            lw=1.6,
            zorder=3,
        )
        axes.plot(
            100 * row["disagreement"],
            position,
            "o",
            color=color,
            mfc=color if row["equal"] else "white",
            ms=4.5,
            zorder=4,
        )
        axes.plot(100 * row["independent_errors"], position, "x", color="black", ms=4, mew=0.9, zorder=4)
    axes.set_yticks(
        range(len(shown)), [f"{titles[row['model_a']]} – {titles[row['model_b']]}" for row in shown], fontsize=6.5
    )
    axes.set_xlim(0, None)
    axes.set_xlabel("test images with different answers (%)")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    if not shown:
        axes.text(0.5, 0.5, "no pair of trained models", transform=axes.transAxes, ha="center", color=plotting.NEUTRAL)
    handles = [
        plt.Line2D([], [], color=plotting.PALETTE[0], marker="o", ms=4.5, lw=1.6, label="equally accurate"),
        plt.Line2D([], [], color=plotting.NEUTRAL, marker="o", mfc="white", ms=4.5, lw=1.6, label="accuracies differ"),
        plt.Line2D([], [], color="black", marker="x", ms=4, lw=0, label="independent errors"),
        plt.Rectangle((0, 0), 1, 1, color="#EDEFF2", label="most possible"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=4, frameon=False)
    figure.set_layout_engine("constrained")
    return figure


def plot_disagreement(table: str | os.PathLike[str], description: str, path: str | os.PathLike[str]) -> None:
    """Draw the table of `disagreement_rows`; `description` is the JSON text of `Study.describe`."""
    plotting.use_style()
    columns = csv_tables.read_table(table)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    for row in rows:
        row["equal"] = str(row["equal"]) == "true"
    plotting.save(disagreement_figure(rows, read_models(description)), Path(path))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

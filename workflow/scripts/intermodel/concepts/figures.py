"""How many units detect something, of which category, and how many different concepts, layer by layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.membership import Columns, category_names
from intermodel.plotting import DOUBLE, category_color, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    if not np.isnan(summary.get("concepts_rotated", np.array([np.nan]))).all():
        # A little lower, so that neither hides the other.
        lower = place + 0.26
        right.hlines(lower, summary["concepts_rotated_low"], summary["concepts_rotated_high"], color="0.6", lw=1.0)
        right.plot(
            summary["concepts_rotated"], lower, "o", ms=3.6, mec="0.45", mew=0.8, mfc="white",
            label="rotated units (95 % range of rotations)",
        )  # fmt: skip
    right.set_xlabel("Different concepts")
    right.set_xlim(left=0)
    _name_layers(left, summary, main)
    figure.legend(handles=handles, loc="outside upper left", ncols=4, frameon=False, columnspacing=1.2)
    extra = right.get_legend_handles_labels()
    figure.legend(*extra, loc="outside upper right", frameon=False)
    return figure


def _name_layers(axes: Axes, summary: Columns, main: NDArray[np.bool_]) -> None:
    labels = [f"{title}  {layer}" for title, layer in zip(summary["title"], summary["layer"], strict=True)]
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    for label, strong in zip(axes.get_yticklabels(), main, strict=True):
        label.set_color("black" if strong else "0.45")

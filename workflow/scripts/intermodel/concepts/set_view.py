"""Shared and private concepts of all models: a bar for every combination of models that detects the same concepts.

The plot of Lex et al. (2014, UpSet): combinations as dots, how many concepts each has above, their names below, models
with their totals at the left.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.concept_map import model_order
from intermodel.concepts.membership import Membership
from intermodel.plotting import DOUBLE, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Combinations drawn at most, letters that name their concepts at most, and the height of the bars in millimetres.
MOST_COMBINATIONS, LETTERS, BARS = 24, 30, 32.0
ONE, SEVERAL, EVERY = "#D55E00", "#0072B2", "#009E73"


@dataclass(frozen=True)
class Combination:
    """Models that detect the same concepts, and no other does.

    Attributes
    ----------
    models
        (M,) bool.
    concepts
        The concepts, highest IoU first.
    sure
        Those that every model's interval puts on the side where it is shown.
    """

    models: NDArray[np.bool_]
    concepts: NDArray[np.intp]
    sure: NDArray[np.bool_]


def combinations(found: Membership) -> list[Combination]:
    """All combinations with a concept, the largest first, among equals those of fewer models."""
    detected = found.detected
    some = np.flatnonzero(detected.any(axis=0))
    patterns, which = np.unique(detected[:, some].T, axis=0, return_inverse=True)
    result = []
    for number, pattern in enumerate(patterns):
        concepts = some[which.reshape(-1) == number]
        concepts = concepts[np.argsort(-found.iou[:, concepts].max(axis=0), kind="stable")]
        result.append(Combination(pattern, concepts, np.asarray(found.sure[:, concepts].all(axis=0))))
    return sorted(result, key=lambda each: (-len(each.concepts), each.models.sum(), (~each.models).tolist()))


def draw_sets(found: Membership) -> Figure:
    """Which models share which concepts, and which are one model's own."""
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch
    from matplotlib.ticker import MaxNLocator

    found = found.models(model_order(found))
    every = combinations(found)
    figure: Figure
    if not every:
        figure, axes = plt.subplots(figsize=inches(DOUBLE, 20), layout="constrained")
        axes.text(0.5, 0.5, "No unit of any model detects a concept.", ha="center", va="center")
        axes.set_axis_off()
        return figure
    shown = every[:MOST_COMBINATIONS]
    models = len(found.titles)
    figure, grid = plt.subplots(
        2, 2, figsize=inches(DOUBLE, BARS + 36 + 4.6 * models), layout="constrained", width_ratios=[1, 3.4],
        height_ratios=[BARS, 4.6 * models],
    )  # fmt: skip
    (corner, bars), (totals, dots) = grid
    corner.set_axis_off()
    for place, each in enumerate(shown):
        _draw_combination(bars, dots, found, each, place)
    _draw_totals(totals, found)
    totals.set_ylim(models - 0.5, -0.5)
    for row in range(0, models, 2):
        dots.axhspan(row - 0.5, row + 0.5, color="0.95", lw=0, zorder=0)
    cells = np.indices((models, len(shown))).reshape(2, -1)
    dots.plot(cells[1], cells[0], "o", ms=3.2, color="0.85", lw=0, zorder=1)
    dots.set_ylim(models - 0.5, -0.5)
    dots.set_xlim(-0.7, len(shown) - 0.3)
    dots.tick_params(length=0, labelleft=False)
    dots.spines[:].set_visible(False)
    bars.tick_params(axis="x", length=0, labelbottom=False)
    bars.spines["bottom"].set_visible(False)
    bars.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    bars.set_xlim(dots.get_xlim())
    dots.set_xticks(
        range(len(shown)), [named(found, each) for each in shown], rotation=60, rotation_mode="anchor", ha="right",
        fontsize=6.5,
    )  # fmt: skip
    bars.set_ylabel("Concepts")
    colors = {_color(found, each) for each in shown}
    handles: list[Any] = [
        Patch(color=color, label=name)
        for color, name in ((ONE, "one model's own"), (SEVERAL, "shared"), (EVERY, "all trained models'"))
        if color in colors
    ]
    handles += [
        Patch(fc="0.4", ec="0.4", label="decided by all intervals"),
        Patch(fc="white", ec="0.4", label="not decided"),
    ]
    title = None
    if len(every) > len(shown):
        rest = sum(len(each.concepts) for each in every[MOST_COMBINATIONS:])
        title = f"Not drawn: {rest} concepts of {len(every) - len(shown)} further combinations"
    corner.legend(handles=handles, loc="upper left", frameon=False, borderaxespad=0, title=title, alignment="left")
    return figure


def named(found: Membership, each: Combination) -> str:
    """As many of a combination's concepts as fit, and how many more there are."""
    names = [str(found.names[concept]) for concept in each.concepts]
    count = len(names)
    while count > 1 and len(", ".join(names[:count])) > LETTERS:
        count -= 1
    text = ", ".join(names[:count])
    text = text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
    return text + (f" +{len(names) - count}" if count < len(names) else "")


def _draw_combination(bars: Axes, dots: Axes, found: Membership, each: Combination, place: int) -> None:
    rows = np.flatnonzero(each.models)
    color = _color(found, each)
    bars.bar(place, len(each.concepts), width=0.62, fc="white", ec=color, lw=0.9)
    bars.bar(place, int(each.sure.sum()), width=0.62, color=color, lw=0)
    bars.annotate(
        f"{len(each.concepts)}", (place, len(each.concepts)), (0, 1.5), textcoords="offset points", ha="center",
        va="bottom", fontsize=6.5,
    )  # fmt: skip
    dots.plot([place, place], [rows.min(), rows.max()], color=color, lw=1.4, zorder=2)
    dots.plot(np.full(len(rows), place), rows, "o", ms=4.6, color=color, zorder=3)


def _color(found: Membership, each: Combination) -> str:
    trained = each.models[~found.control]
    if each.models.sum() == 1:
        return ONE
    return EVERY if len(trained) > 1 and trained.all() else SEVERAL


def _draw_totals(axes: Axes, found: Membership) -> None:
    """Concepts of each model to the left of its name; filled those whose interval lies above the threshold."""
    from matplotlib.ticker import MaxNLocator

    rows, total = np.arange(len(found.titles)), found.detected.sum(axis=1)
    axes.barh(rows, total, height=0.55, fc="white", ec="0.35", lw=0.9)
    axes.barh(rows, (found.detected & found.sure).sum(axis=1), height=0.55, color="0.35", lw=0)
    axes.invert_xaxis()
    axes.yaxis.tick_right()
    axes.set_yticks(rows, found.titles)
    axes.tick_params(axis="y", length=0)
    for label, control in zip(axes.get_yticklabels(), found.control, strict=True):
        label.set_fontstyle("italic" if control else "normal")
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.set_xlabel("Concepts of the model")
    axes.spines[["left", "right", "top"]].set_visible(False)

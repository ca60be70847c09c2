"""Concepts by models as a heat map: how well the best unit of each model detects each, and how many do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.membership import Membership
from intermodel.plotting import DOUBLE, category_color, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

# Most concepts that are drawn, and how many make a second panel worth while.
MOST_CONCEPTS, SPLIT = 80, 24
# Millimetres: a row, the gap between categories, the widest column, names of concepts and of models, between panels,
# the bar of colours, the legend.
ROW, GAP, WIDEST, NAMES, HEAD, SEAM, BAR, LEGEND = 3.9, 1.6, 7.0, 30.0, 25.0, 4.0, 13.0, 8.0
CELL = 0.92
# Of seaborn; its faintest colour still shows as a frame on white.
COLORS = "crest"


def draw_concepts(found: Membership) -> Figure:
    """Concepts that some model detects, by category; models from the most to the fewest concepts, controls last."""
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.colors import Normalize

    found = found.models(model_order(found))
    chosen = chosen_concepts(found)
    figure: Figure
    if len(chosen) == 0:
        figure, axes = plt.subplots(figsize=inches(DOUBLE, 20), layout="constrained")
        axes.text(0.5, 0.5, "No unit of any model detects a concept.", ha="center", va="center")
        axes.set_axis_off()
        return figure
    panels = _panels(chosen, found.category)
    room = (DOUBLE - BAR - SEAM * (len(panels) - 1)) / len(panels) - NAMES
    column = min(WIDEST, room / len(found.titles))
    wide = NAMES + column * len(found.titles)
    deep = max(_height(found.category[panel]) for panel in panels)
    width, height = len(panels) * wide + SEAM * (len(panels) - 1) + BAR, HEAD + deep + LEGEND
    # One pair of axes for everything, in millimetres from the top left corner.
    figure = plt.figure(figsize=inches(width, height))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    norm = Normalize(float(found.threshold.min()), max(float(found.iou[:, chosen].max()), 1e-9))
    for number, panel in enumerate(panels):
        _draw_panel(axes, found, panel, number * (wide + SEAM) + NAMES, column, norm)
    _draw_bar(figure, norm, (width - BAR + 4, HEAD, 2.5, min(deep, 45)), (width, height))
    _explain(axes, found, chosen, height - LEGEND + 3.5)
    return figure


def model_order(found: Membership) -> NDArray[np.intp]:
    """Models from the most to the fewest concepts, untrained controls behind all others."""
    return np.lexsort((-found.detected.sum(axis=1), found.control))


def chosen_concepts(found: Membership) -> NDArray[np.intp]:
    """Detected concepts by category, in each those of most models first; the rarest give way for space."""
    models, units = found.detected.sum(axis=0), found.units.sum(axis=0)
    rank = np.array([found.categories.index(name) for name in found.category])
    some = np.flatnonzero(models)
    most = some[np.lexsort((-units[some], -models[some]))][:MOST_CONCEPTS]
    return most[np.lexsort((-found.iou[:, most].max(axis=0), -models[most], rank[most]))]


def _panels(chosen: NDArray[np.intp], category: NDArray[np.str_]) -> list[NDArray[np.intp]]:
    """One panel, or two of about equal height."""
    if len(chosen) <= SPLIT:
        return [chosen]
    depth = [_height(category[chosen[:cut]]) - _height(category[chosen[cut:]]) for cut in range(1, len(chosen))]
    cut = int(np.abs(depth).argmin()) + 1
    return [chosen[:cut], chosen[cut:]]


def _height(category: NDArray[np.str_]) -> float:
    return ROW * len(category) + GAP * float((category[1:] != category[:-1]).sum())


def _draw_panel(
    axes: Axes, found: Membership, panel: NDArray[np.intp], left: float, column: float, norm: Normalize
) -> None:
    """Rows of concepts with their cells; `left` is where cells begin, in millimetres."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    color = plt.get_cmap(COLORS)
    for place, title in enumerate(found.titles):
        axes.text(
            left + (place + 0.5) * column, HEAD - 1.2, title, rotation=50, rotation_mode="anchor", ha="left",
            va="center", fontsize=7,
        )  # fmt: skip
    y, begin = HEAD, HEAD
    for position, concept in enumerate(panel):
        category = found.category[concept]
        if position and category != found.category[panel[position - 1]]:
            y, begin = y + GAP, y + GAP
        axes.text(left - 2.2, y + ROW / 2, found.names[concept], ha="right", va="center", fontsize=7)
        for place in range(len(found.titles)):
            x, units = left + place * column, int(found.units[place, concept])
            middle = (x + column / 2, y + ROW / 2)
            if units == 0:
                # Out of reach whatever the model has learned, or reachable and not detected.
                axes.plot(
                    *middle, marker=("." if found.reachable[place, concept] else "x"), ms=2, mew=0.5, color="0.65"
                )
                continue
            ink = color(norm(found.iou[place, concept]))
            sure = found.sure[place, concept]
            inset = 0.0 if sure else 0.25
            box = (x + column * (1 - CELL) / 2 + inset, y + ROW * (1 - CELL) / 2 + inset)
            size = (column * CELL - 2 * inset, ROW * CELL - 2 * inset)
            axes.add_patch(
                Rectangle(box, *size, fc=ink if sure else "white", ec=ink, lw=0 if sure else 1.1, joinstyle="miter")
            )
            dark = sure and norm(found.iou[place, concept]) > 0.45
            axes.text(
                *middle, f"{units}", ha="center", va="center_baseline", fontsize=5.5, color="white" if dark else "black"
            )
        y += ROW
        if position + 1 == len(panel) or found.category[panel[position + 1]] != category:
            axes.add_patch(Rectangle((left - 1.5, begin), 0.9, y - begin, color=category_color(category), lw=0))


def _draw_bar(
    figure: Figure, norm: Normalize, place: tuple[float, float, float, float], size: tuple[float, float]
) -> None:
    """The bar of colours at left, top, width, height in millimetres of a figure of this width and height."""
    from matplotlib.cm import ScalarMappable

    (left, top, wide, tall), (width, height) = place, size
    axes = figure.add_axes((left / width, 1 - (top + tall) / height, wide / width, tall / height))
    bar = figure.colorbar(ScalarMappable(norm, COLORS), cax=axes)
    bar.set_label("IoU of the best unit", fontsize=7)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2)


def _explain(axes: Axes, found: Membership, chosen: NDArray[np.intp], y: float) -> None:
    """Categories, kinds of cells, and how many concepts are left out, in a line below."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [
        Patch(color=category_color(name), label=name) for name in dict.fromkeys(found.category[chosen])
    ]
    handles += [
        Patch(fc="0.55", ec="0.55", label="interval above threshold"),
        Patch(fc="white", ec="0.55", label="interval reaches below"),
        Line2D([], [], marker=".", ms=3, lw=0, color="0.65", label="not detected"),
        Line2D([], [], marker="x", ms=3, mew=0.7, lw=0, color="0.65", label="out of reach"),
    ]
    # A line of the legend takes some 16 mm for each of its entries.
    columns = min(len(handles), max(3, int(axes.get_xlim()[1] / 18)))
    missing = int(found.detected.any(axis=0).sum()) - len(chosen)
    title = f"Not drawn: {missing} further concepts of fewer models" if missing else None
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, y), bbox_transform=axes.transData, ncols=columns,
        frameon=False, borderaxespad=0, handlelength=1.2, columnspacing=1.0, handletextpad=0.4, title=title,
        fontsize=6.5,
    )  # fmt: skip

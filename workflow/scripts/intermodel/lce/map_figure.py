"""The map: models as points, what the images leave uncertain, and the concepts that span the plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from intermodel.lce.embedding import Embedding
from intermodel.lce.files import About
from intermodel.lce.placement import place_labels
from intermodel.lce.uncertainty import Ellipse
from intermodel.plotting import DOUBLE, MARKERS, NEUTRAL, PALETTE, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 8
# Arrows shorter than this share of the longest are left out.
SHORTEST = 0.25
# Colours tell families of models; concepts are grey.
INK = "0.45"


@dataclass(frozen=True)
class Arrow:
    """A concept in the plane of the map: where its arrow ends, its name, its category."""

    tip: NDArray[np.float64]
    name: str
    category: str


def draw_map(embedding: Embedding, about: About) -> Figure:
    """Models as points with confidence ellipses, discs of the noise floor and a biplot of concepts."""
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib import patches

    chart, style, arrows = embedding.chart, family_style(about), concept_arrows(embedding, about)
    figure: Figure = plt.figure(figsize=inches(DOUBLE, DOUBLE * 0.62), layout="constrained")
    axes = figure.add_subplot()
    for model, point, region, floor in zip(about.models, chart.scores, chart.ellipses, chart.floor.high, strict=True):
        color, marker = style[model.family]
        # Added as artists, which do not move the limits: `view` sets them.
        axes.add_artist(
            patches.Circle((point[0], point[1]), floor, facecolor=color, edgecolor="none", alpha=0.08, zorder=1)
        )
        axes.add_artist(
            patches.Ellipse(region.centre, *region.axes, angle=region.angle, fill=False, ec=color, lw=0.9, zorder=3)
        )
        axes.plot(*point, marker, color=color, ms=5.5, mec="white", mew=0.5, zorder=5)
    for arrow in arrows:
        shape = {
            "arrowstyle": "-|>,head_width=.13,head_length=.26",
            "color": INK,
            "lw": 0.7,
            "shrinkA": 0,
            "shrinkB": 0,
        }
        axes.annotate("", (arrow.tip[0], arrow.tip[1]), (0, 0), zorder=2, arrowprops=shape)
    axes.axhline(0, color="0.88", lw=0.5, zorder=0)
    axes.axvline(0, color="0.88", lw=0.5, zorder=0)
    rims = [_rim(region) for region in chart.ellipses]
    low, high = view([chart.scores, *(arrow.tip[None] for arrow in arrows)], rims, chart.floor.high)
    axes.update_datalim([low, high])
    axes.margins(0)
    axes.autoscale_view()
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(_axis_name(about, 1, chart.explained[0]))
    axes.set_ylabel(_axis_name(about, 2, chart.explained[1]))
    _legend(figure, about, style, bool(arrows))
    _group_legend(figure, embedding)
    names = numbered_titles(embedding, about) + [f"{arrow.name} ({arrow.category})" for arrow in arrows]
    places = np.concatenate([chart.scores, *(arrow.tip[None] for arrow in arrows)])
    colors = ["0.1"] * len(about.models) + [INK] * len(arrows)
    shafts = [np.linspace(0.1, 1, 40)[:, None] * arrow.tip for arrow in arrows]
    write_names(figure, axes, places, names, colors, np.concatenate(rims + shafts), italic=len(about.models))
    return figure


def view(
    places: Sequence[NDArray[np.float64]], rims: Sequence[NDArray[np.float64]], floors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper corner, (2,) each, of the part of the plane to show.

    Points and arrow tips lie inside. Ellipses and discs may reach beyond: one very uncertain model must not shrink
    all others to a dot, so the frame follows them for two fifths of the points' extent and then cuts them off.

    Parameters
    ----------
    places
        Points and arrow tips, (n, 2) each; the models come first.
    rims
        Rim of each model's ellipse, (m, 2) each.
    floors
        Radius of each model's disc.
    """
    points = np.concatenate(list(places))
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.4 * max(float((high - low).max()), 1e-9)
    shapes = np.concatenate([*rims, places[0] - floors[:, None], places[0] + floors[:, None]])
    margin = 0.1 * room
    return np.maximum(shapes.min(axis=0), low - room).clip(max=low) - margin, np.minimum(
        shapes.max(axis=0), high + room
    ).clip(min=high) + margin


def _axis_name(about: About, number: int, share: float) -> str:
    if about.settings.projection == "mds":
        return f"Dimension {number}"
    return f"Principal component {number} ({share:.0%} of the variance)"


def concept_arrows(embedding: Embedding, about: About) -> list[Arrow]:
    """Arrows for the concepts that move the models most, lengths to scale among each other."""
    chart, vocabulary = embedding.chart, about.vocabulary
    # What a concept contributes to what is seen: its loading times the spread of the models along each axis.
    weight = np.linalg.norm(chart.components * chart.scores.std(axis=0)[:, None], axis=0)
    strongest = [label for label in np.argsort(-weight, kind="stable")[:ARROWS] if weight[label] > 0]
    length = np.linalg.norm(chart.components, axis=0)
    # Stubs say nothing and their names would only crowd the middle.
    strongest = [label for label in strongest if length[label] >= SHORTEST * length[strongest].max()]
    if not strongest:
        return []
    loadings = chart.components[:, strongest].T
    tips = loadings / np.linalg.norm(loadings, axis=1).max() * np.linalg.norm(chart.scores, axis=1).max() * 0.8
    return [
        Arrow(tip, vocabulary.names[label], vocabulary.categories[vocabulary.category[label]])
        for label, tip in zip(strongest, tips, strict=True)
    ]


def circled(number: int) -> str:
    """A cluster's number in a circle; beyond twenty, which have signs of their own, in brackets."""
    return chr(ord("①") + number) if number < 20 else f"[{number + 1}]"


def numbered_titles(embedding: Embedding, about: About) -> list[str]:
    """Titles of the models with the number of their cluster, where there are several."""
    groups = embedding.groups
    if len(groups.stability) < 2:
        return [model.title for model in about.models]
    return [f"{model.title} {circled(int(label))}" for model, label in zip(about.models, groups.labels, strict=True)]


def _group_legend(figure: Figure, embedding: Embedding) -> None:
    """Below the map: what sets each cluster apart, and how often it comes back."""
    groups = embedding.groups
    if len(groups.stability) < 2:
        return
    lines = []
    for number, (name, share) in enumerate(zip(groups.names, groups.stability, strict=True)):
        stays = "" if np.isnan(share) else f" (together in {share:.0%} of the draws)"
        lines.append(f"{circled(number)} {name or 'no concept sets it apart'}{stays}")
    figure.text(0.01, 0.0, "\n".join(lines), fontsize=6.5, color="0.25", va="top", ha="left", linespacing=1.4)


def family_style(about: About) -> dict[str, tuple[str, str]]:
    """Colour and marker of each family of models in the order of the study; untrained controls are grey."""
    families = list(dict.fromkeys(model.family for model in about.models if not model.control))
    style = {model.family: (NEUTRAL, "X") for model in about.models if model.control}
    style.update({name: (PALETTE[k % len(PALETTE)], MARKERS[k % len(MARKERS)]) for k, name in enumerate(families)})
    return style


def _rim(region: Ellipse) -> NDArray[np.float64]:
    """Points on the rim of an ellipse, (n, 2)."""
    turn = np.linspace(0, 2 * np.pi, 40)
    around = np.stack([region.axes[0] / 2 * np.cos(turn), region.axes[1] / 2 * np.sin(turn)], axis=1)
    angle = np.deg2rad(region.angle)
    rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    rim: NDArray[np.float64] = np.array(region.centre) + around @ rotation
    return rim


def write_names(
    figure: Figure,
    axes: Axes,
    places: ArrayLike,
    names: Sequence[str],
    colors: Sequence[str],
    lines: ArrayLike,
    italic: int,
) -> None:
    """Write names beside points without overlap; those from number `italic` on in italics and smaller.

    `lines` are points (n, 2) along lines that names should not cross.
    """
    import matplotlib.patheffects as effects

    points = np.asarray(places, dtype=np.float64)
    figure.draw_without_rendering()
    # Neither the layout nor the limits may move once places are measured in pixels.
    figure.set_layout_engine("none")
    axes.set_autoscale_on(False)
    to_pixels, box = axes.transData.transform, axes.get_window_extent()
    # A rim of white keeps names legible where lines run below them.
    rim: list[Any] = [effects.withStroke(linewidth=1.6, foreground="white", alpha=0.85)]
    texts = [
        axes.text(
            point[0],
            point[1],
            name,
            color=color,
            ha="center",
            va="center",
            fontsize=7 if number < italic else 6.5,
            style="normal" if number < italic else "italic",
            zorder=6,
            path_effects=rim,
        )
        for number, (point, name, color) in enumerate(zip(points, names, colors, strict=True))
    ]
    sizes = np.array([[text.get_window_extent().width, text.get_window_extent().height] for text in texts])
    gap = 5 * figure.dpi / 72
    centres = place_labels(
        to_pixels(points), sizes, (box.x0, box.y0, box.x1, box.y1), gap, to_pixels(np.asarray(lines))
    )
    for text, point, centre, size in zip(texts, points, centres, sizes, strict=True):
        x, y = axes.transData.inverted().transform(centre)
        text.set_position((x, y))
        # From the point to the nearest place on the rim of the text.
        anchor = to_pixels(point)
        nearest = np.clip(anchor, centre - size / 2, centre + size / 2)
        if np.linalg.norm(nearest - anchor) > 1.6 * gap:
            end = axes.transData.inverted().transform(nearest)
            axes.plot([point[0], end[0]], [point[1], end[1]], color="0.45", lw=0.5, zorder=4)


def _legend(figure: Figure, about: About, style: dict[str, tuple[str, str]], arrows: bool) -> None:
    from matplotlib.lines import Line2D

    level = about.settings.level
    handles = [
        Line2D([], [], ls="", marker=style[family][1], color=style[family][0], ms=5.5, label=family)
        for family in dict.fromkeys(model.family for model in about.models)
    ]
    handles.append(Line2D([], [], ls="", marker="o", mfc="none", color="0.4", ms=7, label=f"{level:.0%} region"))
    handles.append(Line2D([], [], ls="", marker="o", color="0.4", mec="none", alpha=0.25, ms=10, label="noise floor"))
    if arrows:
        handles.append(Line2D([], [], color=INK, lw=0.8, marker=">", ms=3, markevery=[1], label="concept"))
    figure.legend(handles=handles, loc="outside right upper", frameon=False, handlelength=1.4, borderaxespad=0.2)

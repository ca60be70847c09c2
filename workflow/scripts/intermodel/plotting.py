"""One visual style for all figures: sizes in print millimetres, colour-blind safe palettes, atomic saving."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.imports import without
from intermodel.engine.publish import publish

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Widths of one and two columns in print, in millimetres.
SINGLE = 89.0
DOUBLE = 183.0

# The palette of Okabe and Ito (2008), told apart with any common colour vision deficiency; yellow comes last because
# it is faint on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
NEUTRAL = "#7F7F7F"

# Broden's categories, always in these colours.
CATEGORY_COLORS = {
    "object": "#0072B2",
    "part": "#56B4E9",
    "scene": "#009E73",
    "material": "#E69F00",
    "texture": "#D55E00",
    "color": "#CC79A7",
}
SEQUENTIAL = "viridis"
DIVERGING = "RdBu_r"


def load_seaborn() -> None:
    """Import seaborn without scipy, in half of its 1.6 CPU seconds: for jobs, whose figures need no statistics of it.

    In a notebook import seaborn yourself: what is loaded here has no clustered heat maps, for as long as Python runs.
    """
    with without("scipy"):
        import seaborn  # noqa: F401


def use_style() -> None:
    """Set the style of all figures (seaborn theme, 7-8 pt type, thin lines, text kept as text in SVG)."""
    import matplotlib

    matplotlib.use("Agg")
    import seaborn

    seaborn.set_theme(
        context="paper",
        style="ticks",
        palette=list(PALETTE),
        font="DejaVu Sans",
        rc={
            "font.size": 7.5,
            "axes.titlesize": 8.5,
            "axes.labelsize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "legend.fontsize": 7,
            "legend.title_fontsize": 7.5,
            "axes.linewidth": 0.6,
            "lines.linewidth": 1.2,
            "xtick.major.width": 0.6,
            "ytick.major.width": 0.6,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "figure.dpi": 150,
            "savefig.dpi": 300,
            "svg.fonttype": "path",
            # Equal figures give equal files.
            "svg.hashsalt": "intermodel",
        },
    )


def inches(width_mm: float, height_mm: float) -> tuple[float, float]:
    """A figure size in inches, as matplotlib wants it, from millimetres."""
    return width_mm / 25.4, height_mm / 25.4


def model_colors(names: Sequence[str]) -> dict[str, str]:
    """One colour per model in the order of the study; the palette repeats after eight (add `model_markers`)."""
    return {name: PALETTE[position % len(PALETTE)] for position, name in enumerate(names)}


def model_markers(names: Sequence[str]) -> dict[str, str]:
    """One marker per model, so that colour is never the only cue."""
    return {name: MARKERS[(position + position // len(PALETTE)) % len(MARKERS)] for position, name in enumerate(names)}


def category_color(category: str) -> str:
    """The colour of a concept category; categories beyond Broden's six are grey."""
    return CATEGORY_COLORS.get(category, NEUTRAL)


def clustered(similarity: NDArray[np.float64], models: Sequence[str]) -> list[str]:
    """Models in an order that puts similar ones beside each other (average linkage, optimal leaf order).

    Parameters
    ----------
    similarity
        (M, M) symmetric; the order of the study is kept where an entry is missing or M < 3.
    """
    upper = np.triu_indices(len(models), 1)
    if len(models) < 3 or not np.isfinite(similarity[upper]).all():
        return list(models)
    from scipy.cluster.hierarchy import leaves_list, linkage

    # Values above chance may lie slightly outside [0, 1].
    distance = np.maximum(1.0 - similarity[upper], 0.0)
    return [models[leaf] for leaf in leaves_list(linkage(distance, "average", optimal_ordering=True))]


# Cells of a heat map below this width in millimetres hold no number that could be read.
SMALLEST_ANNOTATED = 5.0


def model_heat_map(
    similarity: NDArray[np.float64], titles: Mapping[str, str], label: str, italic: Sequence[str] = ()
) -> Figure:
    """Models by models, the lower triangle, similar models beside each other; empty where nothing is known.

    Parameters
    ----------
    similarity
        (M, M) symmetric, 0 for chance and 1 for identical models, in the order of `titles`.
    titles
        What each model is called, by name.
    label
        Of the colour bar.
    italic
        Models whose titles are in italics (untrained controls).
    """
    import matplotlib.pyplot as plt
    import seaborn

    names = list(titles)
    order = clustered(similarity, names)
    rows = [names.index(name) for name in order]
    values = similarity[np.ix_(rows, rows)]
    side = float(np.clip(8.0 * len(order), 40.0, 120.0))
    figure: Figure
    figure, axes = plt.subplots(figsize=inches(side + 55.0, side + 30.0), layout="constrained")
    # The first row and the last column of a triangle without its diagonal are empty.
    shown, lower = values[1:, :-1], np.tri(len(order) - 1, dtype=bool)
    seaborn.heatmap(
        np.round(np.nan_to_num(shown), 2) + 0.0,
        mask=~(lower & np.isfinite(shown)),
        vmin=0.0,
        vmax=1.0,
        cmap=SEQUENTIAL,
        square=True,
        annot=side / len(order) >= SMALLEST_ANNOTATED,
        fmt=".2f",
        annot_kws={"fontsize": 6.5},
        linewidths=0.4,
        linecolor="white",
        cbar_kws={"label": label, "shrink": 0.8},
        ax=axes,
    )
    for axis, labels, turn in ((axes.yaxis, order[1:], 0), (axes.xaxis, order[:-1], 90)):
        axis.set_ticks(np.arange(len(labels)) + 0.5, [titles[name] for name in labels])
        axis.set_tick_params(length=0, rotation=turn)
        for text, name in zip(axis.get_ticklabels(), labels, strict=True):
            text.set_fontstyle("italic" if name in italic else "normal")
    return figure


# Longest side of a drawn image in pixels, from and to.
SMALLEST, LARGEST = 96, 144

# Of a suffix: nothing that differs from run to run; a page's raster is sharp on a screen of twice the usual density.
_OPTIONS: dict[str, dict[str, Any]] = {
    ".svg": {"metadata": {"Date": None}},
    ".pdf": {"metadata": {"CreationDate": None}},
    ".webp": {"dpi": 220, "pil_kwargs": {"quality": 85, "method": 6}},
}


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image (H, W, 3) whose longest side has `SMALLEST` to `LARGEST` pixels: enlarged smoothly or reduced."""
    from PIL import Image

    height, width = image.shape[:2]
    scale = float(np.clip(max(height, width), SMALLEST, LARGEST)) / max(height, width)
    if scale == 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def save(figure: Figure, *paths: str | os.PathLike[str]) -> None:
    """Write a figure atomically in the formats of the suffixes (svg, png, pdf, webp) and close it."""
    import matplotlib.pyplot as plt

    for path in map(Path, paths):
        with publish(path) as temporary:
            figure.savefig(
                temporary, format=path.suffix[1:], bbox_inches="tight", pad_inches=0.03, **_OPTIONS.get(path.suffix, {})
            )
    plt.close(figure)

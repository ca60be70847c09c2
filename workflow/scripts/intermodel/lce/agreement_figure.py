"""Ways of comparing models against each other: every pair of models in every pair of geometries."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from intermodel.lce.agreement import TITLES
from intermodel.lce.files import About
from intermodel.plotting import DIVERGING, DOUBLE, NEUTRAL, PALETTE, inches, use_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Table = Mapping[str, NDArray[Any]]
# Side of a panel in print, in millimetres.
PANEL = 30.0


def draw_agreement(geometries: Table, agreement: Table, about: About) -> Figure:
    """Below the diagonal pairs of models as points, dissimilarity against dissimilarity; above it the tests.

    Parameters
    ----------
    geometries, agreement
        Columns of geometries.csv and agreement.csv.
    about
        The models, whose families tell pairs apart.
    """
    use_style()
    import matplotlib
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(geometries["geometry"].tolist()))
    side = min(DOUBLE, PANEL * max(len(names), 2))
    figure: Figure
    figure, grid = plt.subplots(
        max(len(names), 1),
        max(len(names), 1),
        figsize=inches(side, side),
        squeeze=False,
        layout="constrained",
    )
    if not names:
        _write(grid[0, 0], "No other way of comparing these models was computed.")
        return figure
    values = {name: geometries["dissimilarity"][geometries["geometry"] == name] for name in names}
    limits = {name: _limits(numbers) for name, numbers in values.items()}
    alike = _of_one_family(geometries, names[0], about)
    shades = matplotlib.colormaps[DIVERGING]
    for row, below in enumerate(names):
        for column, left in enumerate(names):
            axes = grid[row, column]
            if row == column:
                _write(axes, f"{TITLES[below]}\n(dissimilarity)" if row == 0 else TITLES[below], bold=True)
            elif row > column:
                for chosen, color, marker in ((~alike, NEUTRAL, "o"), (alike, PALETTE[0], "s")):
                    axes.plot(
                        values[left][chosen], values[below][chosen], marker, color=color, ms=2.6, mew=0, alpha=0.8
                    )
                # Set rather than shared: the panels of words have no axes.
                axes.set(xlim=limits[left], ylim=limits[below])
                axes.locator_params(nbins=3)
                axes.tick_params(labelbottom=row == len(names) - 1, labelleft=column == 0, labelsize=6)
            else:
                index = np.flatnonzero((agreement["geometry"] == below) & (agreement["other"] == left))[0]
                text, r, survives = _verdict(agreement, int(index), about.settings.level)
                shade = shades(0.5 + 0.5 * r) if not np.isnan(r) else "0.95"
                axes.set_facecolor(shade)
                _write(axes, text, bold=survives, dark=not np.isnan(r) and abs(r) > 0.65)
    handles = [
        plt.Line2D([], [], ls="", marker="s", color=PALETTE[0], ms=4, mew=0, label="pair of one family"),
        plt.Line2D([], [], ls="", marker="o", color=NEUTRAL, ms=4, mew=0, label="pair of two families"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _of_one_family(geometries: Table, name: str, about: About) -> NDArray[np.bool_]:
    """Whether the two models of each pair belong to one family, in the order of the pairs."""
    family = {model.name: model.family for model in about.models}
    chosen = geometries["geometry"] == name
    pairs = zip(geometries["model_a"][chosen].tolist(), geometries["model_b"][chosen].tolist(), strict=True)
    return np.array([family[str(first)] == family[str(second)] for first, second in pairs], dtype=bool)


def _limits(values: NDArray[np.float64]) -> tuple[float, float]:
    """Ends of an axis, with some room; NaN is left out."""
    known = values[~np.isnan(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    room = 0.08 * (high - low) or 0.5
    return low - room, high + room


def _verdict(agreement: Table, index: int, level: float) -> tuple[str, float, bool]:
    """What stands above the diagonal: the correlation, its range without any one model, the adjusted p, n."""
    r, p, models = (float(agreement[name][index]) for name in ("r", "p_adjusted", "models"))
    if np.isnan(r):
        return fill(f"undefined: {agreement['reason'][index]}", 16), r, False
    low, high = float(agreement["low"][index]), float(agreement["high"][index])
    ends = f"\n{low:.2f} to {high:.2f}" if not np.isnan(low) else ""
    return f"r = {r:.2f}{ends}\np = {p:.2g}\n{models:.0f} models", r, bool(p <= 1 - level)


def _write(axes: Axes, text: str, bold: bool = False, dark: bool = False) -> None:
    """A panel that holds words only."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.text(
        0.5,
        0.5,
        text,
        ha="center",
        va="center",
        fontsize=6.5,
        weight="bold" if bold else "normal",
        color="white" if dark else "0.1",
        transform=axes.transAxes,
    )

"""Figures of the matches of one data set: models by models, and how many of its units each model shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from intermodel import plotting
from intermodel.unit_matching.findings import Models
from intermodel.unit_matching.tables import Row, matrix

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def model_matrix(rows: Sequence[Row], models: Models) -> Figure:
    """Similarity of the units of all models above chance, similar models beside each other."""
    values = matrix(rows, "adjusted", list(models.layers))
    titles = {name: models.titles[name] for name in models.layers}
    return plotting.model_heat_map(values, titles, "Similarity of units (0 chance)", models.controls)


def shared_bars(partners: dict[str, NDArray[np.int64]], models: Models) -> Figure:
    """Share of each model's units that match a unit in none, one, two, ... of the other models.

    Parameters
    ----------
    partners
        For each model, (U,) other models in which a unit has a match beyond chance.
    models
        The models of the study.
    """
    import matplotlib
    import matplotlib.pyplot as plt

    names = [name for name in models.layers if name in partners]
    most = len(names) - 1
    shares = np.array([np.bincount(partners[name], minlength=most + 1) / len(partners[name]) for name in names])
    figure: Figure
    size = plotting.inches(plotting.DOUBLE * 0.75, 5.5 * len(names) + 22.0)
    figure, axes = plt.subplots(figsize=size, layout="constrained")
    colors = ["0.9", *matplotlib.colormaps[plotting.SEQUENTIAL](np.linspace(0.05, 0.95, most))]
    start = np.zeros(len(names))
    for count in range(most + 1):
        axes.barh(range(len(names)), shares[:, count], left=start, color=colors[count], label=str(count), height=0.75)
        start += shares[:, count]
    axes.set_yticks(range(len(names)), [models.titles[name] for name in names])
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontstyle("italic" if name in models.controls else "normal")
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel("Share of units")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles, labels, title="other models with a match", loc="outside upper right", ncols=most + 1, frameon=False,
        columnspacing=0.8, handlelength=1.0, handletextpad=0.4,
    )  # fmt: skip
    return figure

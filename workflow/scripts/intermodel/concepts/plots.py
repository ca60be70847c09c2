"""From tables and tallies to the figures of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from intermodel.concepts.figures import draw_concepts, draw_overview
from intermodel.concepts.files import read_tally
from intermodel.concepts.gallery import Images, collect, draw_gallery
from intermodel.plotting import save
from intermodel.store import PathLike, read_table


def plot_tables(summary: PathLike, concepts: PathLike, overview: PathLike, chart: PathLike) -> None:
    """Draw the figures across models from summary.csv and concepts.csv."""
    lines, cells = read_table(summary), read_table(concepts)
    for columns in (lines, cells):
        for name in ("model", "layer", "title", "concept", "category"):
            # Names that look like numbers were read as numbers.
            if name in columns and columns[name].dtype.kind == "f":
                columns[name] = np.array([f"{value:g}" for value in columns[name]])
    save(draw_overview(lines), overview)
    save(draw_concepts(lines, cells), chart)


def plot_galleries(
    tallies: Sequence[PathLike],
    maps: Sequence[PathLike],
    patterns: PathLike,
    images: Images,
    paths: Iterable[Sequence[PathLike]],
    *,
    gallery_units: int,
    **settings: Any,
) -> None:
    """Draw one gallery for each model: its tally, its maps, the files (svg, webp, ...) to write; see `collect`."""
    for tally, source, files in zip(tallies, maps, paths, strict=True):
        shown = collect(read_tally(tally), source, patterns, images, units=gallery_units, **settings)
        save(draw_gallery(shown), *files)

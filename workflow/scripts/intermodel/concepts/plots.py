"""From tables and tallies to the figures of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from intermodel.concepts.concept_map import draw_concepts
from intermodel.concepts.figures import draw_overview
from intermodel.concepts.gallery import Images, collect, draw_gallery
from intermodel.concepts.membership import membership
from intermodel.concepts.set_view import draw_sets
from intermodel.csv_tables import read_table
from intermodel.plotting import save
from intermodel.store import PathLike


def plot_tables(
    summary: PathLike, concepts: PathLike, *, overview: PathLike, concept_map: PathLike, sets: PathLike
) -> None:
    """Draw the figures across models from summary.csv and concepts.csv."""
    text = ("model", "layer", "title", "concept", "category")
    lines, cells = read_table(summary, text), read_table(concepts, text)
    found = membership(lines, cells)
    save(draw_overview(lines), overview)
    save(draw_concepts(found), concept_map)
    save(draw_sets(found), sets)


def plot_galleries(
    tallies: Sequence[PathLike],
    patterns: PathLike,
    images: Images,
    paths: Iterable[Sequence[PathLike]],
    *,
    gallery_units: int,
    scores: Sequence[PathLike] = (),
    compositions: Sequence[PathLike] = (),
    **settings: Any,
) -> None:
    """Draw one gallery for each model: its tally, the files (svg, webp, ...) to write; see `collect`.

    `scores` and `compositions` hold one file for each model, or none.
    """
    for number, (tally, files) in enumerate(zip(tallies, paths, strict=True)):
        scored, composed = (given[number] if given else None for given in (scores, compositions))
        shown = collect(tally, patterns, images, units=gallery_units, scores=scored, compositions=composed, **settings)
        save(draw_gallery(shown), *files)

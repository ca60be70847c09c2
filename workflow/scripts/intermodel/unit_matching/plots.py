"""From the pair files of a data set to its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from intermodel import plotting
from intermodel.store import PathLike
from intermodel.unit_matching.figures import model_matrix, shared_bars
from intermodel.unit_matching.findings import Models
from intermodel.unit_matching.gallery import Images, collect, draw_gallery
from intermodel.unit_matching.groups import shared_groups
from intermodel.unit_matching.tables import edges, pair_rows, partners, read_pairs


def draw_figures(
    paths: Sequence[PathLike],
    models: Models,
    features: Mapping[str, PathLike],
    maps: Mapping[str, PathLike],
    images: Images,
    figures: Mapping[str, PathLike],
    *,
    group_models: int = 3,
    gallery_groups: int = 8,
) -> None:
    """Draw all figures of a data set.

    Parameters
    ----------
    paths
        Pair files of all models.
    models
        The models of the study.
    features, maps
        Files of pooled features and of maps by model, for the gallery.
    images
        The data set.
    figures
        Files to write by name: models, shared, and gallery (with gallery_raster, the same for a page) if it is to be
        drawn.
    group_models
        Models that a group of shared units must span.
    gallery_groups
        Groups shown in the gallery.
    """
    plotting.use_style()
    pairs = read_pairs(paths)
    plotting.save(model_matrix(pair_rows(pairs), models), figures["models"])
    plotting.save(shared_bars(partners(pairs), models), figures["shared"])
    if "gallery" in figures:
        groups = shared_groups(edges(pairs), group_models)[:gallery_groups]
        scenes = collect(groups, features, maps, images)
        files = [path for name, path in figures.items() if name.startswith("gallery")]
        plotting.save(draw_gallery(groups, scenes, models.titles), *files)

"""What shared units look at: for each group the images that drive all its units, with the outline of every model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel import plotting
from intermodel.store import Maps, PathLike, align, read_pooled
from intermodel.unit_matching.groups import Group

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Images of each group.
IMAGES = 6
# How much of an image's own light is left, the rest being white, so that outlines stand out.
LIGHT = 0.8
# A unit's outline lies at this share of the way from its mean to its largest value on the images shown.
LEVEL = 0.5
# Millimetres above the images of a group, between images, and for the legend.
HEAD, SEAM, LEGEND = 5.0, 0.8, 9.0


class Images(Protocol):
    """A data set's images by position."""

    ids: NDArray[np.str_]

    def image(self, i: int) -> NDArray[np.uint8]:
        """Image i as RGB."""
        ...


@dataclass(frozen=True)
class Outline:
    """Activity of a model's unit on an image, (h, w), the level that encloses it, and what of the image the map covers:
    left, right, top, bottom as shares of its sides."""

    model: str
    activity: NDArray[np.float32]
    level: float
    extent: tuple[float, float, float, float]


@dataclass(frozen=True)
class Scene:
    """An image, (H, W, 3) uint8, with the outlines of a group's units."""

    pixels: NDArray[np.uint8]
    outlines: tuple[Outline, ...]


def top_images(pooled: Sequence[NDArray[np.floating]], count: int = IMAGES) -> NDArray[np.intp]:
    """Images that drive all units of a group: those with the largest mean of the standardised pooled activations.

    Parameters
    ----------
    pooled
        For each unit (N,) pooled activations over the same images; units must vary.
    count
        Number of images.

    Returns
    -------
    numpy.ndarray
        (count,) positions, strongest first, the first of equals first.
    """
    values = np.asarray(pooled, dtype=np.float64)
    deviation = values.std(axis=1)
    if not (deviation > 0).all():
        # A unit may vary over positions and yet have the same mean on every image.
        values, deviation = values[deviation > 0], deviation[deviation > 0]
    scores = ((values - values.mean(axis=1, keepdims=True)) / deviation[:, None]).mean(axis=0)
    return np.argsort(-scores, kind="stable")[:count]


def collect(
    groups: Sequence[Group], features: Mapping[str, PathLike], maps: Mapping[str, PathLike], images: Images
) -> list[list[Scene]]:
    """Gather the strongest images of each group with the outlines of its units.

    Parameters
    ----------
    groups
        The groups to show.
    features, maps
        Files of pooled features and of maps by model.
    images
        The data set.
    """
    needed = sorted({model for group in groups for model, _ in group.units})
    pooled = {model: read_pooled(features[model]) for model in needed}
    rows = {model: align(images.ids, pooled[model].ids, str(features[model])) for model in needed}
    chosen = []
    for group in groups:
        values = [pooled[model].values[rows[model], unit] for model, unit in group.units]
        chosen.append(top_images(values))
    pixels = {int(image): images.image(int(image)) for found in chosen for image in found}
    outlines: dict[tuple[int, int], list[Outline]] = {}
    for model in needed:
        with Maps(maps[model]) as source:
            place = align(images.ids, source.ids, str(maps[model]))
            for number, (group, found) in enumerate(zip(groups, chosen, strict=True)):
                unit = dict(group.units).get(model)
                if unit is None:
                    continue
                shown = [source.images(int(place[image]), int(place[image]) + 1)[0, unit] for image in found]
                mean = float(pooled[model].values[:, unit].mean())
                level = mean + LEVEL * (max(float(values.max()) for values in shown) - mean)
                for image, values in zip(found.tolist(), shown, strict=True):
                    extent = _extent(json.loads(source.attributes["preprocessing"]), pixels[image].shape)
                    outlines.setdefault((number, image), []).append(Outline(model, values, level, extent))
    return [
        [Scene(plotting.thumbnail(pixels[image]), tuple(outlines.get((number, image), ()))) for image in found.tolist()]
        for number, found in enumerate(chosen)
    ]


def _extent(preprocessing: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Left, right, top and bottom, as shares of an image's sides, of what a network sees of it."""
    from intermodel.models.preprocessing import Preprocessing

    height, width = shape[:2]
    left, top, right, bottom = Preprocessing.from_dict(preprocessing).visible_box(width, height)
    return left / width, right / width, top / height, bottom / height


def draw_gallery(groups: Sequence[Group], scenes: Sequence[Sequence[Scene]], titles: Mapping[str, str]) -> Figure:
    """One row for each group, its images from left to right, one colour for each model."""
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    figure: Figure
    if not groups:
        figure = plt.figure(figsize=plotting.inches(plotting.DOUBLE, 20))
        figure.text(0.5, 0.5, "No group of units is shared by enough models.", ha="center", va="center")
        return figure
    colors = plotting.model_colors(list(titles))
    styles = {name: "-" if place < len(plotting.PALETTE) else "--" for place, name in enumerate(titles)}
    across = max(len(row) for row in scenes)
    side = plotting.DOUBLE / across
    tall = side * max(scene.pixels.shape[0] / scene.pixels.shape[1] for row in scenes for scene in row)
    present = [name for name in titles if any(name == model for group in groups for model, _ in group.units)]
    columns = min(len(present), 5)
    legend = LEGEND + 4.0 * (-(-len(present) // columns) - 1)
    total = len(groups) * (tall + HEAD) + legend
    # One pair of axes for everything, in millimetres from the top left corner.
    figure = plt.figure(figsize=plotting.inches(plotting.DOUBLE, total))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for number, (group, row) in enumerate(zip(groups, scenes, strict=True)):
        top = legend + number * (tall + HEAD)
        units = ", ".join(f"{titles[model]} {unit}" for model, unit in group.units)
        axes.text(0, top + HEAD - 1.2, f"Group {number + 1}", fontsize=8, weight="bold")
        about = f"correlations from {group.weakest:.2f}, mean {group.mean:.2f} · units: {units}"
        axes.text(18, top + HEAD - 1.2, about, fontsize=5.5, color="0.3")
        for place, scene in enumerate(row):
            box = (place * side, top + HEAD, side - SEAM, tall - SEAM)
            _draw_scene(axes, scene, box, colors, styles)
    axes.set_xlim(0, plotting.DOUBLE)
    axes.set_ylim(total, 0)
    handles = [Line2D([], [], color=colors[name], ls=styles[name], lw=1.6, label=titles[name]) for name in present]
    axes.legend(handles=handles, loc="upper left", ncols=columns, frameon=False, borderaxespad=0.2, fontsize=7)
    return figure


def _draw_scene(
    axes: Any,
    scene: Scene,
    box: tuple[float, float, float, float],
    colors: Mapping[str, str],
    styles: Mapping[str, str],
) -> None:
    """Draw a scene at left, top, width, height in millimetres."""
    left, top, wide, tall = box
    pixels = np.rint(scene.pixels * LIGHT + 255 * (1 - LIGHT)).astype(np.uint8)
    axes.imshow(pixels, extent=(left, left + wide, top + tall, top), interpolation="none", aspect="auto")
    for outline in scene.outlines:
        # A rim of the same values, so that outlines reach the edge of what the network sees.
        values = np.pad(outline.activity.astype(np.float64), 1, mode="edge")
        height, width = outline.activity.shape
        if min(height, width) < 2 or not values.min() < outline.level < values.max():
            continue
        first, last, upper, lower = outline.extent
        x = np.clip(np.arange(-1, width + 1) + 0.5, 0, width) / width * (last - first) + first
        y = np.clip(np.arange(-1, height + 1) + 0.5, 0, height) / height * (lower - upper) + upper
        axes.contour(
            left + x * wide, top + y * tall, values, [outline.level], colors=colors[outline.model],
            linestyles=styles[outline.model], linewidths=1.0,
        )  # fmt: skip

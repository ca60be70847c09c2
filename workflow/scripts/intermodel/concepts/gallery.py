"""What units look at: their strongest images with the outlines of their activity and of the concept they detect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.files import open_patterns, visible_boxes
from intermodel.concepts.iou import Denominator, iou_matrix
from intermodel.concepts.labels import assign_labels
from intermodel.concepts.patterns import label_mask
from intermodel.concepts.tally import Tally
from intermodel.concepts.upsampling import geometry, upsample
from intermodel.plotting import DOUBLE, category_color, inches, use_style
from intermodel.store import Maps, PathLike, align

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Units side by side, and images of each.
BLOCKS = 2
IMAGES = 4
# Longest side of a drawn image in pixels: 21 mm in print at 300 dpi.
PIXELS = 248
UNIT_COLOR, CONCEPT_COLOR = "#F0E442", "#56B4E9"


class Images(Protocol):
    """A data set's images by position."""

    ids: NDArray[np.str_]

    def image(self, i: int) -> NDArray[np.uint8]:
        """Image i as RGB."""
        ...


@dataclass(frozen=True)
class Scene:
    """One image of a unit: pixels, (h, w, 3) uint8, and on the grid of the label map, (H, W), activity and concept.

    `level` is above 0 where the unit is active, NaN where the network does not look; `concept` is where the concept is.
    """

    pixels: NDArray[np.uint8]
    level: NDArray[np.float64]
    concept: NDArray[np.bool_]


@dataclass(frozen=True)
class Shown:
    """A unit of the gallery with its label and images, strongest first."""

    unit: int
    concept: str
    category: str
    iou: float
    detector: bool
    scenes: tuple[Scene, ...]


def best_units(tally: Tally, count: int, denominator: Denominator = "category") -> list[tuple[int, int, float]]:
    """Unit, label and IoU of the units with the highest IoU, each label once."""
    vocabulary = tally.vocabulary
    labels = assign_labels(iou_matrix(tally.folds.total(), vocabulary, denominator), vocabulary)
    order = np.argsort(-labels.iou, kind="stable")
    order = order[labels.label[order] >= 0]
    _, first = np.unique(labels.label[order], return_index=True)
    chosen = order[np.sort(first)][:count]
    return [(int(unit), int(labels.label[unit]), float(labels.iou[unit])) for unit in chosen]


def collect(
    tally: Tally,
    maps: PathLike,
    patterns: PathLike,
    images: Images,
    *,
    units: int = 12,
    iou_threshold: float = 0.04,
    denominator: Denominator = "category",
) -> list[Shown]:
    """Gather what the gallery of a layer shows.

    Parameters
    ----------
    tally
        The layer's tally, with thresholds and top images.
    maps, patterns
        Files of its maps and of the data set's label maps.
    images
        The data set.
    units
        Number of units.
    iou_threshold, denominator
        As for `summary.layer_concepts`.
    """
    vocabulary = tally.vocabulary
    result = []
    with Maps(maps) as source, open_patterns(patterns) as (known, about):
        place = align(source.ids, known.ids, str(patterns))
        shown = align(source.ids, images.ids, "the data set")
        boxes = visible_boxes(
            json.loads(source.attributes["preprocessing"]), about["width"][place], about["height"][place], known.size
        )
        for unit, label, iou in best_units(tally, units, denominator):
            scenes = []
            for row in tally.top_images[unit, :IMAGES].tolist():
                box = None if boxes is None else tuple(boxes[row].tolist())
                grid = geometry(source.shape[2:], known.size, box)
                level = np.full(known.size, np.nan)
                everything = source.images(row, row + 1)[0]
                if np.isnan(tally.threshold[unit]):
                    enlarged = upsample(everything, grid)
                    level[grid.covered] = np.where(enlarged.argmax(axis=0) == unit, 1.0, -1.0)
                else:
                    level[grid.covered] = upsample(everything[unit], grid) - tally.threshold[unit]
                pixels = thumbnail(images.image(int(shown[row])))
                scenes.append(Scene(pixels, level, label_mask(known, int(place[row]), label)))
            category = vocabulary.categories[vocabulary.category[label]]
            result.append(Shown(unit, vocabulary.names[label], category, iou, iou > iou_threshold, tuple(scenes)))
    return result


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image of at most `PIXELS` a side: means of square blocks, so that nothing aliases."""
    factor = -(-max(image.shape[:2]) // PIXELS)
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, -1)
    return np.asarray(np.rint(blocks.mean(axis=(1, 3))), dtype=np.uint8)


def draw_gallery(shown: Sequence[Shown]) -> Figure:
    """Units in the order of their IoU, left to right and down, each with its strongest images."""
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    figure: Figure
    if not shown or not shown[0].scenes:
        figure = plt.figure(figsize=inches(DOUBLE, 20))
        figure.text(0.5, 0.5, "No unit shares a pixel with a concept.", ha="center", va="center")
        return figure
    lines = -(-len(shown) // BLOCKS)
    across = max(len(unit.scenes) for unit in shown)
    gap, head = 5.0, 4.6
    side = (DOUBLE - gap * (BLOCKS - 1)) / (BLOCKS * across)
    tall = side * max(scene.pixels.shape[0] / scene.pixels.shape[1] for unit in shown for scene in unit.scenes)
    total = lines * (tall + head) + 6
    figure = plt.figure(figsize=inches(DOUBLE, total))
    for number, unit in enumerate(shown):
        line, block = divmod(number, BLOCKS)
        x, y = block * (across * side + gap), total - 6 - line * (tall + head) - head
        ink = "black" if unit.detector else "0.5"
        figure.text(x / DOUBLE, (y + 0.9) / total, f"{unit.concept}", color=ink, fontsize=8, weight="bold")
        text = f"{unit.category} · unit {unit.unit} · IoU {unit.iou:.2f}" + (
            "" if unit.detector else " (below threshold)"
        )
        figure.text((x + across * side - 0.6) / DOUBLE, (y + 0.9) / total, text, color=ink, fontsize=6.5, ha="right")
        for position, scene in enumerate(unit.scenes):
            left = (x + position * side) / DOUBLE
            axes = figure.add_axes((left, (y - tall) / total, (side - 0.6) / DOUBLE, (tall - 0.6) / total))
            _draw_scene(axes, scene)
        strip = figure.add_axes(((x - 1.4) / DOUBLE, (y - tall + 0.3) / total, 0.8 / DOUBLE, (tall - 0.6) / total))
        strip.set_facecolor(category_color(unit.category))
        strip.set_xticks([])
        strip.set_yticks([])
        strip.spines[:].set_visible(False)
    handles = [
        Line2D([], [], color=UNIT_COLOR, lw=1.6, label="where the unit is active"),
        Line2D([], [], color=CONCEPT_COLOR, lw=1.6, ls="--", label="where the concept is"),
    ]
    legend = figure.legend(
        handles=handles, loc="upper right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=True, borderpad=0.3
    )
    legend.get_frame().set(facecolor="0.35", edgecolor="none")
    for text in legend.get_texts():
        text.set_color("white")
    return figure


def _draw_scene(axes: Axes, scene: Scene) -> None:
    import matplotlib.patheffects as effects

    height, width = scene.level.shape
    active = scene.level > 0
    axes.imshow(scene.pixels, extent=(0, width, height, 0), interpolation="bilinear", aspect="auto")
    shade = np.zeros((height, width, 4))
    shade[..., 3] = np.where(active, 0.0, 0.45)
    axes.imshow(shade, extent=(0, width, height, 0), interpolation="nearest", aspect="auto")
    casing: list[Any] = [effects.withStroke(linewidth=1.9, foreground="black", alpha=0.7)]
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    concept = np.pad(scene.concept.astype(float), 1)
    if concept.any():
        frame_x, frame_y = np.arange(-1, width + 1) + 0.5, np.arange(-1, height + 1) + 0.5
        lines = axes.contour(frame_x, frame_y, concept, [0.5], colors=CONCEPT_COLOR, linewidths=1.0, linestyles="--")
        lines.set_path_effects(casing)
    if active.any() and min(height, width) > 1:
        lines = axes.contour(x, y, scene.level, [0.0], colors=UNIT_COLOR, linewidths=1.0)
        lines.set_path_effects(casing)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)

"""What units look at: their strongest images with the outlines of their activity and of the concept they detect."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.chance import Detection, detection_threshold
from intermodel.concepts.composition_files import read_compositions
from intermodel.concepts.files import open_patterns, read_tally, visible_boxes
from intermodel.concepts.iou import Denominator, iou_intervals, iou_matrix
from intermodel.concepts.labels import assign_labels
from intermodel.concepts.patterns import label_mask
from intermodel.concepts.result import Tally
from intermodel.concepts.scores import read_scores
from intermodel.concepts.upsampling import geometry, upsample
from intermodel.plotting import DOUBLE, category_color, inches, use_style
from intermodel.store import PathLike, align, open_file, read_attributes, read_strings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Units side by side, and images of each.
BLOCKS = 2
IMAGES = 4
# Longest side of a drawn image in pixels: small pictures are enlarged smoothly, large ones reduced.
SMALLEST, LARGEST = 96, 144
# How much of the light is left where the unit is not active.
DIMMED = 0.6
UNIT_COLOR, CONCEPT_COLOR = "#F0E442", "#56B4E9"
# Millimetres: between blocks, above the images of a unit, for its formula, between images, and for the legend.
GAP, HEAD, FORMULA, SEAM, LEGEND = 5.0, 4.6, 2.8, 0.6, 6.0


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
    """A unit of the gallery with its label and images, strongest first.

    `low` and `high` are the interval of the IoU, NaN if unknown; `auroc` that of the same concept, NaN if unknown;
    `formula` tells the best formula of several labels, empty if there is none.
    """

    unit: int
    concept: str
    category: str
    iou: float
    low: float
    high: float
    detector: bool
    scenes: tuple[Scene, ...]
    auroc: float = float("nan")
    formula: str = ""

    @property
    def caption(self) -> str:
        """Category, unit, and how well it detects its concept."""
        interval = f" ({self.low:.3f}–{self.high:.3f})" if np.isfinite(self.low) else ""
        score = f" · AUROC {self.auroc:.2f}" if np.isfinite(self.auroc) else ""
        return f"{self.category} · unit {self.unit} · IoU {self.iou:.3f}{interval}{score}"


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
    path: PathLike,
    patterns: PathLike,
    images: Images,
    *,
    units: int = 12,
    iou_threshold: float = 0.04,
    denominator: Denominator = "category",
    detection: Detection = "threshold",
    fdr: float = 0.05,
    scores: PathLike | None = None,
    compositions: PathLike | None = None,
) -> list[Shown]:
    """Gather what the gallery of a layer shows.

    Parameters
    ----------
    path, patterns
        Files of the layer's tally and of the data set's label maps.
    images
        The data set.
    units
        Number of units.
    iou_threshold, denominator, detection, fdr
        As for `summary.layer_concepts`.
    scores, compositions
        Files of the model's scores without thresholds and of its compositional explanations, if they are there.
    """
    tally, attributes = read_tally(path), read_attributes(path)
    with open_file(path) as file:
        ids = read_strings(file["index"])
    vocabulary = tally.vocabulary
    best = best_units(tally, units, denominator)
    chosen, labels = np.array([unit for unit, _, _ in best], int), np.array([label for _, label, _ in best], int)
    interval = iou_intervals(tally.folds, vocabulary, chosen, labels, denominator)
    cut = detection_threshold(tally, detection, iou_threshold, fdr, denominator)
    result = []
    with open_patterns(patterns) as (known, about):
        place = align(ids, known.ids, str(patterns))
        shown = align(ids, images.ids, "the data set")
        boxes = visible_boxes(
            json.loads(attributes["preprocessing"]), about["width"][place], about["height"][place], known.size
        )
        layer = attributes["layer"]
        told = read_scores(scores, layer).matrix[chosen, labels] if scores else np.full(len(best), np.nan)
        formulas = _formulas(compositions, layer, chosen)
        for number, (unit, label, iou) in enumerate(best):
            scenes = []
            for row, values in zip(tally.top_images[unit, :IMAGES].tolist(), tally.top_maps[unit], strict=False):
                box = None if boxes is None else tuple(boxes[row].tolist())
                grid = geometry(values.shape, known.size, box)
                level = np.full(known.size, np.nan)
                # Without thresholds a map is what the unit exceeds all others by.
                level[grid.covered] = upsample(values, grid) - np.nan_to_num(tally.threshold[unit])
                scenes.append(
                    Scene(thumbnail(images.image(int(shown[row]))), level, label_mask(known, int(place[row]), label))
                )
            category = vocabulary.categories[vocabulary.category[label]]
            low, high = float(interval.low[number]), float(interval.high[number])
            result.append(
                Shown(
                    unit,
                    vocabulary.names[label],
                    category,
                    iou,
                    low,
                    high,
                    iou > cut,
                    tuple(scenes),
                    float(told[number]),
                    formulas[number],
                )
            )
    return result


def _formulas(compositions: PathLike | None, layer: str, units: NDArray[np.integer]) -> list[str]:
    """What the best formula of each unit is worth, empty where a single label is best."""
    found = None if compositions is None else read_compositions(compositions)
    if found is None or found.layer != layer:
        return [""] * len(units)
    return [
        f"{found.formula[unit]}: {found.iou[unit]:.3f} instead of {found.single_iou[unit]:.3f}"
        + ("" if found.holds[unit] else ", unconfirmed")
        if found.length[unit] > 1
        else ""
        for unit in units.tolist()
    ]


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image of a size fit for print: means of square blocks, so that nothing aliases, or enlarged bilinearly."""
    longest = max(image.shape[:2])
    pixels = _reduced(image)
    if longest < SMALLEST:
        size = (SMALLEST * pixels.shape[0] // longest, SMALLEST * pixels.shape[1] // longest)
        pixels = upsample(pixels.transpose(2, 0, 1), geometry(pixels.shape[:2], size)).transpose(1, 2, 0)
    return np.asarray(np.rint(pixels), dtype=np.uint8)


def _reduced(values: NDArray[Any]) -> NDArray[np.float64]:
    """Means of square blocks of an array (H, W, ...), so that neither side exceeds `LARGEST`."""
    factor = -(-max(values.shape[:2]) // LARGEST)
    height, width = values.shape[0] // factor, values.shape[1] // factor
    kept = values[: height * factor, : width * factor]
    return np.asarray(kept.reshape(height, factor, width, factor, *values.shape[2:]).mean(axis=(1, 3)))


def draw_gallery(shown: Sequence[Shown]) -> Figure:
    """Units in the order of their IoU, left to right and down, each with its strongest images."""
    use_style()
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle
    from matplotlib.textpath import TextPath

    scenes = [scene for unit in shown for scene in unit.scenes]
    figure: Figure
    if not scenes:
        figure = plt.figure(figsize=inches(DOUBLE, 20))
        figure.text(0.5, 0.5, "No unit shares a pixel with a concept.", ha="center", va="center")
        return figure
    across = max(len(unit.scenes) for unit in shown)
    side = (DOUBLE - GAP * (BLOCKS - 1)) / (BLOCKS * across)
    tall = side * max(scene.pixels.shape[0] / scene.pixels.shape[1] for scene in scenes)
    head = HEAD + FORMULA * any(unit.formula for unit in shown)
    total = -(-len(shown) // BLOCKS) * (tall + head) + LEGEND
    # One pair of axes for everything, in millimetres from the top left corner.
    figure = plt.figure(figsize=inches(DOUBLE, total))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for number, unit in enumerate(shown):
        line, block = divmod(number, BLOCKS)
        x, y = block * (across * side + GAP), LEGEND + line * (tall + head)
        ink = "black" if unit.detector else "0.5"
        axes.text(x, y + HEAD - 1, unit.concept, color=ink, fontsize=8, weight="bold")
        axes.text(x + across * side - SEAM, y + HEAD - 1, unit.caption, color=ink, fontsize=6.2, ha="right")
        if unit.formula:
            # A point is 25.4 / 72 mm; long formulas are written smaller, with room for browsers that set wider.
            wide = TextPath((0, 0), unit.formula, size=6.0).get_extents().width * 25.4 / 72
            size = 6.0 * min(1.0, 0.97 * (across * side - SEAM) / wide)
            axes.text(x, y + head - 1, unit.formula, color="0.35", fontsize=size)
        axes.add_patch(Rectangle((x - 1.4, y + head), 0.8, tall - SEAM, color=category_color(unit.category), lw=0))
        for position, scene in enumerate(unit.scenes):
            _draw_scene(axes, scene, (x + position * side, y + head, side - SEAM, tall - SEAM))
    axes.set_xlim(-1.5, DOUBLE)
    axes.set_ylim(total, 0)
    handles = [
        Line2D([], [], color=UNIT_COLOR, lw=1.6, label="where the unit is active"),
        Line2D([], [], color=CONCEPT_COLOR, lw=1.6, ls="--", label="where the concept is"),
    ]
    legend = axes.legend(
        handles=handles, loc="upper right", ncols=2, frameon=True, borderpad=0.3, borderaxespad=0, facecolor="0.35",
        edgecolor="none", framealpha=1.0, labelcolor="white",
    )  # fmt: skip
    legend.set_zorder(5)
    return figure


def _draw_scene(axes: Axes, scene: Scene, place: tuple[float, float, float, float]) -> None:
    """Draw a scene at left, top, width, height in millimetres."""
    import matplotlib.patheffects as effects

    left, top, wide, tall = place
    # Outlines need no more detail than the image has in print.
    level, concept = _reduced(scene.level), np.pad(_reduced(scene.concept), 1)
    height, width = level.shape
    active = level > 0
    rows = np.arange(scene.pixels.shape[0]) * height // scene.pixels.shape[0]
    columns = np.arange(scene.pixels.shape[1]) * width // scene.pixels.shape[1]
    light = np.where(active[rows[:, None], columns], 1.0, DIMMED)[..., None]
    pixels = np.rint(scene.pixels * light).astype(np.uint8)
    axes.imshow(pixels, extent=(left, left + wide, top + tall, top), interpolation="none", aspect="auto")
    casing: list[Any] = [effects.withStroke(linewidth=1.9, foreground="black", alpha=0.7)]
    # The rim of pixels without the concept closes outlines at the edge of the image.
    if (concept > 0.5).any():
        x = left + np.clip(np.arange(-1, width + 1) + 0.5, 0, width) * (wide / width)
        y = top + np.clip(np.arange(-1, height + 1) + 0.5, 0, height) * (tall / height)
        lines = axes.contour(x, y, concept, [0.5], colors=CONCEPT_COLOR, linewidths=0.8, linestyles="--")
        lines.set_path_effects(casing)
    if active.any() and min(height, width) > 1:
        x = left + (np.arange(width) + 0.5) * (wide / width)
        y = top + (np.arange(height) + 0.5) * (tall / height)
        lines = axes.contour(x, y, level, [0.0], colors=UNIT_COLOR, linewidths=1.0)
        lines.set_path_effects(casing)

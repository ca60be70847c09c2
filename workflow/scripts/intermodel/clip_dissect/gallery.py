"""What units look at and are called: their strongest images, the name by CLIP, and the concept by labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from intermodel import plotting
from intermodel.clip_dissect.dissect import read_dissection
from intermodel.clip_dissect.summary import LEVEL
from intermodel.csv_tables import read_table
from intermodel.store import PathLike, align, open_file, read_strings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Table = Mapping[str, NDArray[Any]]

# Units side by side, and images of each.
BLOCKS, IMAGES = 2, 5
# Millimetres: between blocks, of each of the two lines above the images of a unit, and between images.
GAP, HEAD, LINE, SEAM = 5.0, 4.6, 3.2, 0.6
# Columns that hold words, also where all of them look like numbers.
UNIT_TEXT = ("model", "layer", "label", "second", "label_within_layer")
CONCEPT_TEXT = ("model", "layer", "concept", "category")


class Images(Protocol):
    """A data set's images by position."""

    ids: NDArray[np.str_]

    def image(self, i: int) -> NDArray[np.uint8]:
        """Image i as RGB."""
        ...


@dataclass(frozen=True)
class Shown:
    """A unit of the gallery.

    Attributes
    ----------
    unit, label, second
        The unit, its name, and the second best one.
    score, second_score
        Their scores.
    stability, q
        See `summary.stability` and `summary.chance_of`; NaN where not looked at.
    concept
        What Network Dissection says of the unit, empty where nothing is known.
    images
        The strongest images, strongest first, (h, w, 3) uint8 each.
    """

    unit: int
    label: str
    second: str
    score: float
    second_score: float
    stability: float
    q: float
    concept: str
    images: tuple[NDArray[np.uint8], ...]

    @property
    def doubtful(self) -> bool:
        """Whether units with shuffled images get names that fit as well."""
        return bool(self.q > LEVEL)

    @property
    def caption(self) -> str:
        """Unit, scores, how stable the name is, and how much better than chance."""
        parts = [f"unit {self.unit}", f"score {self.score:.2f} ({self.second} {self.second_score:.2f})"]
        parts += [f"stays in {self.stability:.0%}"] if np.isfinite(self.stability) else []
        parts += [f"q {self.q:.2g}"] if np.isfinite(self.q) else []
        return " · ".join(parts)


def chosen_units(units: Table, model: str, count: int) -> NDArray[np.intp]:
    """Rows of a model's units to show: names beyond chance before others, highest score first, each name once."""
    rows = np.flatnonzero((units["model"] == model) & (units["label"] != ""))
    doubtful = np.nan_to_num(units["q"][rows], nan=0.0) > LEVEL
    order = rows[np.lexsort((-units["score"][rows], doubtful))]
    _, first = np.unique(units["label"][order], return_index=True)
    return np.asarray(order[np.sort(first)][:count], dtype=np.intp)


def dissected_concepts(concepts: Table, model: str, layer: str) -> dict[int, str]:
    """What Network Dissection says of the units of a layer, by unit, from its table of units."""
    rows = np.flatnonzero((concepts["model"] == model) & (concepts["layer"] == layer) & (concepts["concept"] != ""))
    return {
        int(concepts["unit"][row]): f"{concepts['concept'][row]} ({concepts['category'][row]}, IoU "
        f"{concepts['iou'][row]:.3f}{'' if concepts['detector'][row] == 'true' else ', no detector'})"
        for row in rows.tolist()
    }


def collect(
    dissection: PathLike, units: Table, embedded: NDArray[np.str_], images: Images, count: int, concepts: Table | None
) -> list[Shown]:
    """Gather what the gallery of a layer shows.

    Parameters
    ----------
    dissection
        File of the layer.
    units
        Columns of units.csv.
    embedded
        Ids of the images in the order in which CLIP has seen them.
    images
        The data set.
    count
        Number of units.
    concepts
        Columns of Network Dissection's table of units, None without one.
    """
    layer = read_dissection(dissection)
    model, name = layer.attributes["model"], layer.attributes["layer"]
    place = align(embedded, images.ids, "the data set")
    told = {} if concepts is None else dissected_concepts(concepts, model, name)
    result = []
    for row in chosen_units(units, model, count).tolist():
        unit = int(units["unit"][row])
        strongest = place[layer.images[unit, :IMAGES]]
        numbers = {column: float(units[column][row]) for column in ("score", "second_score", "stability", "q")}
        result.append(
            Shown(
                unit=unit,
                label=str(units["label"][row]),
                second=str(units["second"][row]),
                **numbers,
                concept=told.get(unit, "" if concepts is None else "no concept"),
                images=tuple(plotting.thumbnail(images.image(int(image))) for image in strongest),
            )
        )
    return result


def draw_gallery(shown: Sequence[Shown]) -> Figure:
    """Units left to right and down, each with its names above its strongest images."""
    import matplotlib.pyplot as plt

    figure: Figure
    if not shown:
        figure = plt.figure(figsize=plotting.inches(plotting.DOUBLE, 20.0))
        figure.text(0.5, 0.5, "No unit varies, so that none has a name.", ha="center", va="center")
        return figure
    across = max(len(unit.images) for unit in shown)
    side = (plotting.DOUBLE - GAP * (BLOCKS - 1)) / (BLOCKS * across)
    tall = side * max(image.shape[0] / image.shape[1] for unit in shown for image in unit.images)
    head = HEAD + LINE * (1 + any(unit.concept for unit in shown))
    total = -(-len(shown) // BLOCKS) * (tall + head)
    # One pair of axes for everything, in millimetres from the top left corner.
    figure = plt.figure(figsize=plotting.inches(plotting.DOUBLE, total))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    for number, unit in enumerate(shown):
        line, block = divmod(number, BLOCKS)
        x, y = block * (across * side + GAP), line * (tall + head)
        axes.text(x, y + HEAD - 1, unit.label, color="0.5" if unit.doubtful else "black", fontsize=8, weight="bold")
        axes.text(x, y + HEAD + LINE - 1, unit.caption, color="0.35", fontsize=6.2)
        if unit.concept:
            axes.text(x, y + HEAD + 2 * LINE - 1, f"Network Dissection: {unit.concept}", color="0.35", fontsize=6.2)
        for position, image in enumerate(unit.images):
            left, top = x + position * side, y + head
            extent = (left, left + side - SEAM, top + tall - SEAM, top)
            axes.imshow(image, extent=extent, interpolation="none", aspect="auto")
    axes.set_xlim(0, plotting.DOUBLE)
    axes.set_ylim(total, 0)
    return figure


def draw_galleries(
    dissections: Sequence[PathLike],
    units: PathLike,
    embedded: PathLike,
    concepts: PathLike | None,
    images: Images,
    paths: Sequence[Sequence[PathLike]],
    count: int,
) -> None:
    """Draw one gallery for each model.

    Parameters
    ----------
    dissections
        File of each model's layer.
    units, embedded
        The table of all units; the file of the images in CLIP's space.
    concepts
        Network Dissection's table of units, if there is one.
    images
        The data set.
    paths
        For each model the files (svg, webp) to write.
    count
        Units of each model.
    """
    plotting.use_style()
    table = read_table(units, UNIT_TEXT)
    known = None if concepts is None else read_table(concepts, CONCEPT_TEXT)
    with open_file(embedded) as file:
        ids = read_strings(file["index"])
    for dissection, files in zip(dissections, paths, strict=True):
        plotting.save(draw_gallery(collect(dissection, table, ids, images, count, known)), *files)

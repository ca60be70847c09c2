"""Files of the scores without thresholds: one per model and data set, a group per layer."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError
from intermodel.store import PathLike, open_file, require

# Adjusted p-values up to this count, and an AUROC at least this high, or as low, is clear.
LEVEL, CLEAR = 0.05, 0.8
# Images with and without a concept below which the normal approximation says little.
FEWEST = 10


@dataclass(frozen=True)
class Scores:
    """How well the mean activation of each of U units tells each of L concepts.

    Attributes
    ----------
    matrix
        (U, L) AUROC; below 1/2 the unit is less active on images with the concept.
    concept
        (U,) that whose AUROC is furthest from 1/2, see `best_concepts`; -1 for none.
    auroc, low, high
        (U,) its AUROC with 95 % interval; NaN for none.
    """

    matrix: NDArray[np.floating]
    concept: NDArray[np.intp]
    auroc: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def clear(self) -> NDArray[np.bool_]:
        """(U,) units whose AUROC is at least `CLEAR`, or at most 1 - `CLEAR`."""
        return np.asarray(np.abs(np.nan_to_num(self.auroc, nan=0.5) - 0.5) >= CLEAR - 0.5)


def best_concepts(
    auroc: NDArray[np.float64], q_value: NDArray[np.float64], positives: NDArray[np.integer], images: int
) -> NDArray[np.intp]:
    """The concept whose AUROC is furthest from 1/2, (U,), -1 for none.

    Only those take part whose adjusted p-value, (U, L), is at most `LEVEL`, and that at least `FEWEST` of the images
    hold (`positives`, (L,)) and as many lack.
    """
    judged = (positives >= FEWEST) & (images - positives >= FEWEST) & (q_value <= LEVEL)
    away = np.where(judged, np.abs(auroc - 0.5), -1.0)
    return np.where(away.max(axis=1, initial=-1.0) >= 0, away.argmax(axis=1), -1)


def write_layer(
    file: h5py.File,
    layer: str,
    p_value: NDArray[np.float64],
    q_value: NDArray[np.float64],
    scores: Scores,
) -> None:
    """Write the scores of a layer with the (U, L) p-values, single and adjusted, as a group of an open file."""
    group = file.create_group(layer)
    options = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if p_value.size else {}
    for name, values in (("auroc", scores.matrix), ("p_value", p_value), ("q_value", q_value)):
        group.create_dataset(name, data=values.astype(np.float32), **options)
    group["best"] = scores.concept.astype(np.int32)
    for name in ("auroc", "low", "high"):
        group[f"best_{name}"] = getattr(scores, name)


def read_scores(path: PathLike, layer: str) -> Scores:
    """Read the scores of a layer.

    Raises
    ------
    UserError
        If the file is missing, or lacks the layer.
    """
    with open_file(path) as file:
        if layer not in file:
            raise UserError(f"{path} lacks the layer {layer}; it was made for another study: delete it and run again.")
        group = file[layer]
        require(group, "auroc", "best", "best_auroc", "best_low", "best_high")
        rest = (group[f"best_{name}"][...] for name in ("auroc", "low", "high"))
        return Scores(group["auroc"][...], group["best"][...].astype(np.intp), *rest)

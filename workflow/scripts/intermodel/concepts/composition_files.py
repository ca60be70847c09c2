"""Files of the compositional explanations: one per model and data set, made from maps, label maps and tally."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.vocabulary import Vocabulary
from intermodel.statistics.intervals import student_quantile
from intermodel.store import PathLike, create, open_file, plain_attributes, read_strings, require, write_strings

NUMBERS = ("length", "iou", "single_iou", "held_out_gain", "held_out_error")
# Student's one-sided 95 % point with the degrees of freedom of four parts of the images.
LIMIT = student_quantile(0.95, 3)


@dataclass(frozen=True)
class Compositions:
    """Best formula of each of U units of a layer.

    Attributes
    ----------
    layer
        Name of the layer.
    formula, single
        (U,) the best formula and the best single label in words, empty for units that share no pixel with a label.
    length
        (U,) labels in the formula, 0 for none.
    iou, single_iou
        (U,) their IoU over all pixels that count, on all images; 0 for none.
    held_out_gain, held_out_error
        (U,) IoU beyond chance of a formula minus that of a single label, both found on three quarters of the images and
        measured on the last; mean of the four choices, and its standard error. NaN for units that are active on too few
        images. (Chance: the IoU with as many active pixels anywhere; what covers more has a higher one.)
    """

    layer: str
    formula: NDArray[np.str_]
    single: NDArray[np.str_]
    length: NDArray[np.int64]
    iou: NDArray[np.float64]
    single_iou: NDArray[np.float64]
    held_out_gain: NDArray[np.float64]
    held_out_error: NDArray[np.float64]

    @property
    def gain(self) -> NDArray[np.float64]:
        """(U,) what the formula adds to the IoU of the single label."""
        return np.asarray(self.iou - self.single_iou)

    @property
    def holds(self) -> NDArray[np.bool_]:
        """(U,) formulas of several labels that gain on images that they were not found on.

        The mean over the four quarters must exceed 0 by more than its error lets it in 95 of 100 cases.
        """
        least = np.nan_to_num(self.held_out_gain - LIMIT * self.held_out_error, nan=-1.0)
        return np.asarray((self.length > 1) & (least > 0))


def write_compositions(path: PathLike, found: Compositions, vocabulary: Vocabulary, **attributes: object) -> None:
    """Write the explanations of a layer."""
    with create(path, layer=found.layer, **vocabulary.attributes(), **attributes) as file:
        for name in ("formula", "single"):
            write_strings(file, name, getattr(found, name))
        for name in NUMBERS:
            file[name] = getattr(found, name)


def read_compositions(path: PathLike) -> Compositions:
    """Read the explanations of a layer.

    Raises
    ------
    UserError
        If the file is missing or of another kind.
    """
    with open_file(path) as file:
        require(file, "formula", "single", *NUMBERS)
        formula, single = (read_strings(file[name]) for name in ("formula", "single"))
        numbers = {name: file[name][...] for name in NUMBERS}
        return Compositions(plain_attributes(file)["layer"], formula, single, **numbers)

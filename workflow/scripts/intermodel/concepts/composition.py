"""Compositional explanations (Mu and Andreas 2020): the formula of labels that fits a unit's active pixels best.

Formulas grow by beam search: the best labels, each of them combined with every label by AND, OR and AND NOT, the best
of all these, combined again. The IoU of a formula is counted over all pixels that count, on all images (uniform
denominators), exactly: a formula either holds of all pixels with the same set of labels or of none, so that a unit's
active pixels are needed by sets of labels alone, and sizes of formulas come from a census of the data set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.formulas import AND, OR, Census, Formula
from intermodel.concepts.label_sets import LabelSets
from intermodel.concepts.patterns import ranges


@dataclass(frozen=True)
class Explanation:
    """A formula and its IoU with a unit."""

    formula: Formula
    iou: float


@dataclass(frozen=True)
class UnitPixels:
    """Active pixels of one unit by sets of labels.

    Attributes
    ----------
    total
        Active pixels.
    pixels
        (k,) float64 active pixels of each set that the unit meets.
    member
        (k, m) float64, 1 where the set holds the label.
    labels
        (m,) the labels that occur in these sets.
    """

    total: float
    pixels: NDArray[np.float64]
    member: NDArray[np.float64]
    labels: NDArray[np.intp]

    @classmethod
    def of(cls, sets: LabelSets, chosen: NDArray[np.integer], pixels: NDArray[np.integer]) -> UnitPixels:
        """From the numbers of the sets that a unit meets, (k,), and its active pixels in each."""
        begin = sets.offset[chosen]
        many = sets.offset[chosen + 1] - begin
        label = sets.label[ranges(begin, many)]
        occurring, column = np.unique(label, return_inverse=True)
        member = np.zeros((len(chosen), len(occurring)))
        member[np.repeat(np.arange(len(chosen)), many), column.reshape(-1)] = 1.0
        return cls(float(pixels.sum()), pixels.astype(np.float64), member, occurring)

    def only(self, pixels: NDArray[np.integer]) -> UnitPixels:
        """The same sets with other numbers of active pixels, (k,)."""
        return UnitPixels(float(pixels.sum()), pixels.astype(np.float64), self.member, self.labels)

    def shared(self, formula: Formula) -> float:
        """Active pixels that satisfy a formula."""
        return float(self.pixels @ self._holds(formula))

    def shared_with_each(self, formulas: list[Formula], labels: int) -> NDArray[np.float64]:
        """Active pixels that satisfy each formula and carry each of all labels, (formulas, labels)."""
        result = np.zeros((len(formulas), labels))
        held = np.stack([self.pixels * self._holds(formula) for formula in formulas])
        # Sums of whole numbers below 2^53 are exact in any order.
        result[:, self.labels] = held @ self.member
        return result

    def _holds(self, formula: Formula) -> NDArray[np.float64]:
        result = self._column(formula.labels[0])
        for operator, label in zip(formula.operators, formula.labels[1:], strict=True):
            other = self._column(label)
            if operator == OR:
                result = np.maximum(result, other)
            else:
                result = result * (other if operator == AND else 1 - other)
        return result

    def _column(self, label: int) -> NDArray[np.float64]:
        place = int(np.searchsorted(self.labels, label))
        if place < len(self.labels) and self.labels[place] == label:
            return self.member[:, place]
        return np.zeros(len(self.pixels))


def explain(unit: UnitPixels, census: Census, length: int = 3, beam: int = 5) -> list[Explanation]:
    """The formulas that fit a unit best.

    Formulas that differ in the order of their labels alone take one place in the beam; among equals the earlier one
    stays: the shorter, then that of the better beginning, then of the smaller label number, then AND before OR before
    AND NOT.

    Parameters
    ----------
    unit
        The unit's active pixels.
    census
        The data set's pixels.
    length
        Labels in a formula at most, 1 to 3.
    beam
        Formulas kept after every round.

    Returns
    -------
    list of Explanation
        At most `beam`, best first; empty if the unit shares no pixel with a label.
    """
    if unit.total == 0:
        return []
    single = np.zeros(len(census.area))
    single[unit.labels] = unit.pixels @ unit.member
    iou = single / (unit.total + census.area - single)
    best = np.argsort(-iou, kind="stable")[:beam]
    found = [Explanation(Formula((int(label),)), float(iou[label])) for label in best if iou[label] > 0]
    for size in range(1, length):
        # Shorter formulas have been combined with every label before.
        growing = [each.formula for each in found if len(each.formula) == size]
        if growing:
            found = _extended(growing, found, unit, census, single, beam)
    return found


def _extended(
    growing: list[Formula],
    found: list[Explanation],
    unit: UnitPixels,
    census: Census,
    single: NDArray[np.float64],
    beam: int,
) -> list[Explanation]:
    """The best of what was found and of all formulas that have one label more than those in `growing`."""
    least = found[-1].iou if len(found) >= beam else 0.0
    both, own = unit.shared_with_each(growing, len(single)), np.array([[unit.shared(each)] for each in growing])
    shared = np.stack([both, own + single - both, own - both], axis=2)
    size = np.array([[census.size(formula)] for formula in growing], dtype=np.float64)
    if len(growing[0]) > 1:
        # Triples of labels are counted for those formulas alone that some label may bring into the beam.
        most = np.stack([census.most_with_each(formula) for formula in growing])
        smallest = np.stack([both, size + census.area - most, np.maximum(size - most, own - both)], axis=2)
        promising = np.flatnonzero((shared / (unit.total + smallest - shared) > least).any(axis=(1, 2)))
        growing = [growing[row] for row in promising]
        shared, size = shared[promising], size[promising]
    if not growing:
        return found
    overlap = np.stack([census.with_each(formula) for formula in growing])
    sizes = np.stack([overlap, size + census.area - overlap, size - overlap], axis=2)
    iou = shared / (unit.total + sizes - shared)
    for row, formula in enumerate(growing):
        iou[row, list(formula.labels)] = -1.0
    better = np.flatnonzero(iou > least)
    better = better[np.argsort(-iou.reshape(-1)[better], kind="stable")]
    seen = {each.formula.key for each in found}
    added: list[Explanation] = []
    for place in better.tolist():
        row, label, operator = (int(part) for part in np.unravel_index(place, iou.shape))
        formula = growing[row].then(operator, label)
        if formula.key not in seen:
            seen.add(formula.key)
            added.append(Explanation(formula, float(iou[row, label, operator])))
        if len(added) == beam:
            break
    return sorted([*found, *added], key=lambda each: -each.iou)[:beam]

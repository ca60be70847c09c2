"""Compositional explanations (Mu and Andreas 2020): the formula of labels that fits a unit's active pixels best.

Formulas grow by beam search: the best labels, each of them combined with every label by AND, OR and AND NOT, the best
of all these, combined again. The IoU of a formula is counted over all pixels that count, on all images (uniform
denominators), exactly.

The search goes in rounds, one for each label of the longest formula. Labels alone follow from the tally, sizes of pairs
from one pass over the label maps. A further round counts what its formulas share with the active pixels in one pass
over the maps; with three labels, the sizes of those that may still come into a beam in another over the label maps.
Each search is done for several selections of the images (*views*) at once, since counts of parts of the images add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.formula_counts import FormulaCounts
from intermodel.concepts.formulas import AND, OPERATORS, OR, Formula, joined
from intermodel.concepts.sums import Sums

# Counts of formulas with all labels that are held at a time; units beyond that wait for another pass.
HELD_COUNTS = 32_000_000


@dataclass(frozen=True)
class Explanation:
    """A formula and its IoU with a unit; (parts,) active pixels that satisfy it, and all pixels that do."""

    formula: Formula
    iou: float
    shared: NDArray[np.int64] = field(compare=False)
    size: NDArray[np.int64] = field(compare=False)


# The formulas that fit a unit best, best first, for each view.
Beams = list[list[Explanation]]


@dataclass(frozen=True)
class Longer:
    """What a unit shares with the formulas that have one label more than the n longest in its beams.

    Attributes
    ----------
    unit
        The unit.
    known, view
        The n formulas, and the view of each, ascending.
    shared, row
        (parts, k, L) active pixels that satisfy each of k different formulas and carry each label, and which of these
        each of the n is.
    """

    unit: int
    known: list[Explanation]
    view: NDArray[np.intp]
    shared: NDArray[np.int64]
    row: NDArray[np.intp]

    @classmethod
    def of(cls, unit: int, found: Beams, growing: list[Formula], shared: NDArray[np.int64]) -> Longer:
        """From the beams of a unit, the different longest formulas in them, and what it shares with these."""
        place = {formula: row for row, formula in enumerate(growing)}
        own = [(view, each) for view, beam in enumerate(found) for each in beam if each.formula in place]
        view = np.array([view for view, _ in own], dtype=np.intp)
        row = np.array([place[each.formula] for _, each in own], dtype=np.intp)
        return cls(unit, [each for _, each in own], view, shared, row)

    def only(self, chosen: NDArray[np.intp]) -> Longer:
        """Some of the n formulas."""
        return Longer(
            self.unit, [self.known[row] for row in chosen], self.view[chosen], self.shared, self.row[chosen]
        )  # fmt: skip


class Search:
    """A beam search for all U units of a layer.

    Holds ``8 * parts * labels * (units + labels)`` bytes and at most `HELD_COUNTS` counts twice, whatever the number of
    images.

    Parameters
    ----------
    sums
        The layer's tally, parts of the images on the leading axis.
    counts
        Counts the same images, in the same parts.
    views
        (V, parts) 0 or 1: which parts each search looks at.
    beam
        Formulas kept after every round.
    """

    def __init__(self, sums: Sums, counts: FormulaCounts, views: NDArray[np.integer], beam: int) -> None:
        self._sums, self._counts, self._beam = sums, counts, beam
        self._views = views.astype(np.float64)
        # Sums of whole numbers below 2^53 are exact in any order.
        self._area = self._views @ sums.label_area
        self._active = self._views @ sums.unit_area

    def explain(self, length: int) -> Iterator[list[Beams]]:
        """The best formulas of each unit and view after every round, the first with single labels.

        Formulas that differ in the order of their labels alone take one place in the beam; among equals the earlier one
        stays: the shorter, then that of the better beginning, then of the smaller label number, then AND before OR
        before AND NOT. A beam is empty if the unit shares no pixel with a label.

        Parameters
        ----------
        length
            Labels in a formula at most, 1 to 3.
        """
        found = [self._labels(unit) for unit in range(self._active.shape[1])]
        yield found
        if length == 1:
            return
        pairs = self._counts.pairs()
        for size in range(1, length):
            # Shorter formulas have been combined with every label before.
            growing = [
                list(dict.fromkeys(each.formula for beam in beams for each in beam if len(each.formula) == size))
                for beams in found
            ]
            found = found.copy()
            for units in self._groups(growing):
                self._extend(found, [own if u in units else [] for u, own in enumerate(growing)], units, pairs)
            yield found

    def _groups(self, growing: Sequence[Sequence[Formula]]) -> Iterator[range]:
        """Neighbouring units whose counts are held together."""
        room = max(1, HELD_COUNTS // (self._counts.parts * self._counts.labels))
        start, rows = 0, 0
        for unit, own in enumerate(growing):
            if rows and rows + len(own) > room:
                yield range(start, unit)
                start, rows = unit, 0
            rows += len(own)
        if rows:
            yield range(start, len(growing))

    def _labels(self, unit: int) -> Beams:
        """The best single labels of a unit."""
        single, area = self._sums.intersection[:, unit], self._sums.label_area
        shared = self._views @ single
        iou = shared / np.maximum(self._active[:, unit, None] + self._area - shared, 1)
        best = np.argsort(-iou, axis=1, kind="stable")[:, : self._beam]
        return [
            [
                Explanation(Formula((label,)), float(own[label]), single[:, label], area[:, label])
                for label in labels
                if own[label] > 0
            ]
            for own, labels in zip(iou, best.tolist(), strict=True)
        ]

    def _extend(self, found: list[Beams], growing: list[list[Formula]], units: range, pairs: NDArray[np.int64]) -> None:
        """Replace the beams of a group of units by the best of what is there and of what has one label more."""
        offset, shared = self._counts.active_with_each(growing, slice(units.start, units.stop))
        longer = {
            unit: Longer.of(unit, found[unit], growing[unit], shared[:, offset[unit] : offset[unit + 1]])
            for unit in units
            if growing[unit]
        }
        if all(len(formula) == 1 for own in growing for formula in own):
            for unit, each in longer.items():
                found[unit] = self._best(each, found[unit], pairs[:, [known.formula.labels[0] for known in each.known]])
            return
        # Triples of labels are counted for those formulas alone that some label may bring into the beam.
        for unit, each in longer.items():
            longer[unit] = each.only(self._promising(each, found[unit], pairs))
        wanted = list(dict.fromkeys(known.formula.pair for each in longer.values() for known in each.known))
        triples = self._counts.triples(wanted)
        place = {pair: number for number, pair in enumerate(wanted)}
        for unit, each in longer.items():
            if each.known:
                size = []
                for formula in (known.formula for known in each.known):
                    first, second = (pairs[:, label] for label in formula.labels)
                    size.append(joined(formula.operators[0], first, second, triples[:, place[formula.pair]]))
                found[unit] = self._best(each, found[unit], np.stack(size, axis=1))

    def _promising(self, longer: Longer, found: Beams, pairs: NDArray[np.int64]) -> NDArray[np.intp]:
        """Formulas of two labels that a third may bring into a beam: sizes of pairs of labels set bounds."""
        first, second = (
            self._seen(longer, pairs[:, [known.formula.labels[number] for known in longer.known]]) for number in (0, 1)
        )
        sides = both, own, size, area = self._sides(longer)
        operator = np.array([[known.formula.operators[0]] for known in longer.known])
        most = np.where(operator == OR, np.minimum(first + second, area), first)
        most = np.minimum(np.where(operator == AND, np.minimum(first, second), most), size)
        smallest = np.stack([both, size + area - most, np.maximum(size - most, own - both)], axis=2)
        may = self._iou(longer, sides, smallest) > self._least(found)[longer.view, None, None]
        return np.flatnonzero(may.any(axis=(1, 2)))

    def _best(self, longer: Longer, found: Beams, sizes: NDArray[np.int64]) -> Beams:
        """The beams of a unit after a round; `sizes`, (parts, n, L), are those of each formula AND each label."""
        sides = _, _, size, area = self._sides(longer)
        overlap = self._seen(longer, sizes)
        size = np.stack([joined(each, size, area, overlap) for each in range(len(OPERATORS))], axis=2)
        iou = self._iou(longer, sides, size)
        for row, known in enumerate(longer.known):
            iou[row, list(known.formula.labels)] = -1.0
        result = []
        for view, (beam, least) in enumerate(zip(found, self._least(found), strict=True)):
            rows = slice(*np.searchsorted(longer.view, [view, view + 1]))
            result.append(self._merged(beam, longer, sizes, iou, rows, least))
        return result

    def _merged(
        self,
        beam: list[Explanation],
        longer: Longer,
        sizes: NDArray[np.int64],
        iou: NDArray[np.float64],
        rows: slice,
        least: float,
    ) -> list[Explanation]:
        """A beam with what the formulas in `rows` and one label more bring into it."""
        own = iou[rows].reshape(-1)
        better = np.flatnonzero(own > least)
        better = better[np.argsort(-own[better], kind="stable")]
        seen = {each.formula.key for each in beam}
        added: list[Explanation] = []
        for place in better.tolist():
            beginning, operator = divmod(place, len(OPERATORS))
            beginning, label = divmod(beginning, iou.shape[1])
            row = rows.start + beginning
            known = longer.known[row]
            formula = known.formula.then(operator, label)
            if formula.key in seen:
                continue
            seen.add(formula.key)
            # Copies, which do not keep the counts of the round alive.
            together = (longer.shared[:, longer.row[row], label].copy(), sizes[:, row, label].copy())
            single = (self._sums.intersection[:, longer.unit, label], self._sums.label_area[:, label])
            shared, size = (
                joined(operator, *sides) for sides in zip((known.shared, known.size), single, together, strict=True)
            )
            added.append(Explanation(formula, float(own[place]), shared, size))
            if len(added) == self._beam:
                break
        return sorted([*beam, *added], key=lambda each: -each.iou)[: self._beam]

    def _least(self, found: Beams) -> NDArray[np.float64]:
        """(V,) what an IoU must exceed to come into each beam."""
        return np.array([beam[-1].iou if len(beam) >= self._beam else 0.0 for beam in found])

    def _seen(self, longer: Longer, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n, ...) counts, (parts, n, ...), of each formula in its view."""
        return np.asarray(np.einsum("np,pn...->n...", self._views[longer.view], counts))

    def _sides(self, longer: Longer) -> tuple[NDArray[np.float64], ...]:
        """Active pixels that satisfy each formula and carry each label, (n, L), those that satisfy it, (n, 1), all
        pixels that satisfy it, (n, 1), and all that carry each label, (n, L)."""
        own, size = (
            self._seen(longer, np.stack([getattr(known, name) for known in longer.known], axis=1))[:, None]
            for name in ("shared", "size")
        )
        return self._seen(longer, longer.shared[:, longer.row]), own, size, self._area[longer.view]

    def _iou(
        self, longer: Longer, sides: tuple[NDArray[np.float64], ...], sizes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """IoU of each formula with each label and operator, (n, L, 3), from their sizes and what `_sides` returns."""
        both, own, _, _ = sides
        single = (self._views @ self._sums.intersection[:, longer.unit])[longer.view]
        shared = np.stack([joined(each, own, single, both) for each in range(len(OPERATORS))], axis=2)
        active = self._active[longer.view, longer.unit][:, None, None]
        return np.asarray(shared / np.maximum(active + sizes - shared, 1))

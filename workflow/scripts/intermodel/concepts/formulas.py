"""Formulas of labels such as ``(sky OR sea) AND NOT blue``, and how many pixels satisfy them.

A formula is built from left to right: a first label, then operators with one further label each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intermodel.concepts.label_sets import LabelSets
from intermodel.concepts.patterns import ranges

OPERATORS = ("AND", "OR", "AND NOT")
AND, OR, AND_NOT = range(3)
# Pairs of labels that are counted at a time, and rows of counts that are kept; they bound the memory.
BLOCK_PAIRS = 4_000_000
KEPT_ROWS = 20_000


@dataclass(frozen=True)
class Formula:
    """Labels, positions in the vocabulary, and the operators before the second, the third, …"""

    labels: tuple[int, ...]
    operators: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def then(self, operator: int, label: int) -> Formula:
        """The formula with one more operator and label."""
        return Formula((*self.labels, label), (*self.operators, operator))

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for formulas that differ in the order of their labels alone."""
        if OR not in self.operators:
            parts = list(zip(self.operators, self.labels[1:], strict=True))
            also = sorted([self.labels[0], *(label for operator, label in parts if operator == AND)])
            return ("AND", tuple(also), tuple(sorted(label for operator, label in parts if operator == AND_NOT)))
        if set(self.operators) == {OR}:
            return ("OR", tuple(sorted(self.labels)))
        return (Formula(self.labels[:-1], self.operators[:-1]).key, self.operators[-1], self.labels[-1])

    def text(self, names: Sequence[str]) -> str:
        """The formula with names of labels, and brackets where AND and OR meet."""
        result = names[self.labels[0]]
        for position, (operator, label) in enumerate(zip(self.operators, self.labels[1:], strict=True)):
            before = self.operators[:position]
            if any((earlier == OR) != (operator == OR) for earlier in before[-1:]):
                result = f"({result})"
            result = f"{result} {OPERATORS[operator]} {names[label]}"
        return result

    def holds(self, member: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Where the formula holds, (n,), for sets of labels given as (n, L) bool."""
        result = member[:, self.labels[0]]
        for operator, label in zip(self.operators, self.labels[1:], strict=True):
            result = combined(operator, result, member[:, label])
        return result


def combined(operator: int, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One operator applied elementwise."""
    if operator == OR:
        return first | second
    return first & (second if operator == AND else ~second)


class Census:
    """How many pixels carry which labels together: the sizes of all formulas of up to three labels follow from it.

    Parameters
    ----------
    sets
        The different sets of labels of a data set.
    pixels
        (D,) pixels that carry each.
    pairs
        The attribute of this name, where it is known; counted if omitted.

    Attributes
    ----------
    total
        All pixels.
    area
        (L,) int64 pixels of each label.
    pairs
        (L, L) int64 pixels that carry both labels.
    """

    def __init__(self, sets: LabelSets, pixels: NDArray[np.int64], pairs: NDArray[np.int64] | None = None) -> None:
        self._sets, self._pixels = sets, pixels
        self.total = int(pixels.sum())
        self.pairs = _pair_counts(sets, pixels) if pairs is None else pairs
        self.area = np.diagonal(self.pairs).copy()
        self._rows: dict[tuple[int, int], NDArray[np.int64]] = {}

    @classmethod
    def of_parts(cls, sets: LabelSets, pixels: NDArray[np.int64]) -> tuple[Census, list[Census], list[Census]]:
        """Everything, each part, and all but each part, from the (parts, D) pixels that carry each set."""
        parts = [cls(sets, part) for part in pixels]
        whole = cls(sets, pixels.sum(axis=0), sum((part.pairs for part in parts), np.zeros_like(parts[0].pairs)))
        return whole, parts, [cls(sets, whole._pixels - part._pixels, whole.pairs - part.pairs) for part in parts]

    def triples(self, first: int, second: int) -> NDArray[np.int64]:
        """Pixels that carry two labels and each label, (L,)."""
        pair = (min(first, second), max(first, second))
        if pair not in self._rows:
            if len(self._rows) >= KEPT_ROWS:
                self._rows.clear()
            some, others = (self._sets.holding[label] for label in pair)
            holding = np.intersect1d(some, others, assume_unique=True)
            self._rows[pair] = _label_counts(self._sets, holding, self._pixels)
        return self._rows[pair]

    def with_each(self, formula: Formula) -> NDArray[np.int64]:
        """Pixels that satisfy a formula of one or two labels and carry each label, (L,)."""
        first, *rest = formula.labels
        if not rest:
            return np.asarray(self.pairs[first])
        both = self.triples(first, rest[0])
        if formula.operators[0] == AND:
            return both
        if formula.operators[0] == OR:
            return np.asarray(self.pairs[first] + self.pairs[rest[0]] - both)
        return np.asarray(self.pairs[first] - both)

    def most_with_each(self, formula: Formula) -> NDArray[np.int64]:
        """At least as many as `with_each` of a formula of two labels, without counting triples."""
        first, second = (self.pairs[label] for label in formula.labels)
        if formula.operators[0] == AND:
            most = np.minimum(first, second)
        else:
            most = np.minimum(first + second, self.area) if formula.operators[0] == OR else first
        return np.asarray(np.minimum(most, self.size(formula)))

    def size(self, formula: Formula) -> int:
        """Pixels that satisfy a formula of up to three labels."""
        if len(formula) == 1:
            return int(self.area[formula.labels[0]])
        before = Formula(formula.labels[:-1], formula.operators[:-1])
        both = int(self.with_each(before)[formula.labels[-1]])
        if formula.operators[-1] == AND:
            return both
        size = self.size(before)
        return size - both if formula.operators[-1] == AND_NOT else size + int(self.area[formula.labels[-1]]) - both


def _pair_counts(sets: LabelSets, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    many = np.diff(sets.offset)
    total = np.zeros(sets.labels**2)
    # Blocks of sets with as many pairs each.
    ends = np.searchsorted(np.cumsum(many**2), np.arange(BLOCK_PAIRS, int((many**2).sum()) + BLOCK_PAIRS, BLOCK_PAIRS))
    begin = 0
    for end in [*np.minimum(ends + 1, len(sets)).tolist(), len(sets)]:
        if end <= begin:
            continue
        part = slice(begin, end)
        entry = np.arange(sets.offset[begin], sets.offset[end])
        own = np.repeat(many[part], many[part])
        first = np.repeat(sets.label[entry], own)
        second = sets.label[ranges(np.repeat(sets.offset[:-1][part], many[part]), own)]
        weight = np.repeat(np.repeat(pixels[part], many[part]), own)
        # Sums of whole numbers below 2^53 are exact.
        total += np.bincount(first * sets.labels + second, weights=weight, minlength=sets.labels**2)
        begin = end
    return np.asarray(np.rint(total), dtype=np.int64).reshape(sets.labels, sets.labels)


def _label_counts(sets: LabelSets, chosen: NDArray[np.integer], pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Pixels of the chosen sets that carry each label, (L,)."""
    begin = sets.offset[chosen]
    many = sets.offset[chosen + 1] - begin
    label = sets.label[ranges(begin, many)]
    total = np.bincount(label, weights=np.repeat(pixels[chosen], many), minlength=sets.labels)
    return np.asarray(np.rint(total), dtype=np.int64)

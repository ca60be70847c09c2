"""Formulas of labels such as ``(sky OR sea) AND NOT blue``.

A formula is built from left to right: a first label, then operators with one further label each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

OPERATORS = ("AND", "OR", "AND NOT")
AND, OR, AND_NOT = range(3)
Count = TypeVar("Count", int, NDArray[np.int64], NDArray[np.float64])


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
    def pair(self) -> tuple[int, int]:
        """The first two labels, the smaller first."""
        return min(self.labels[:2]), max(self.labels[:2])

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


def joined(operator: int, first: Count, second: Count, both: Count) -> Count:
    """Number of pixels that satisfy an operator, from those that satisfy either side and those that satisfy both."""
    if operator == AND:
        return both
    return first + second - both if operator == OR else first - both

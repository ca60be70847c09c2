"""The concepts of a data set: label numbers, names and primary categories."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError


@dataclass(frozen=True)
class Vocabulary:
    """L labels in K categories; arrays with a label axis have the order of `numbers` everywhere.

    Attributes
    ----------
    numbers
        (L,) int64 label numbers as they stand in label maps, ascending, from 1; 0 means unlabelled.
    names
        Names of the labels.
    category
        (L,) intp index of each label's primary category in `categories`.
    categories
        Names of the categories in the data set's order, which also settles ties between categories.
    """

    numbers: NDArray[np.int64]
    names: tuple[str, ...]
    category: NDArray[np.intp]
    categories: tuple[str, ...]

    @classmethod
    def from_records(cls, labels: Iterable[Mapping[str, Any]], categories: Sequence[str]) -> Vocabulary:
        """Build a vocabulary from records with the keys number, name and category.

        Raises
        ------
        UserError
            If a number is repeated or below 1, or a category is unknown.
        """
        records = sorted(labels, key=lambda record: int(record["number"]))
        numbers = np.array([int(record["number"]) for record in records], dtype=np.int64)
        if len(numbers) == 0:
            raise UserError(
                "The table of concepts is empty, expected at least one label; check the data set's classes."
            )
        if numbers[0] < 1 or (np.diff(numbers) == 0).any():
            wrong = numbers[0] if numbers[0] < 1 else numbers[1:][np.diff(numbers) == 0][0]
            raise UserError(f"The table of concepts holds the label number {wrong}; expected unique numbers from 1.")
        unknown = [record for record in records if record["category"] not in categories]
        if unknown:
            raise UserError(
                f"The table of concepts puts {unknown[0]['name']!r} into the category {unknown[0]['category']!r}, "
                f"expected one of {', '.join(categories)}."
            )
        index = {name: position for position, name in enumerate(categories)}
        return cls(
            numbers,
            tuple(str(record["name"]) for record in records),
            np.array([index[record["category"]] for record in records], dtype=np.intp),
            tuple(categories),
        )

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Vocabulary:
        """Read the JSON attributes `labels` and `categories` of a file."""
        return cls.from_records(json.loads(attributes["labels"]), json.loads(attributes["categories"]))

    def attributes(self) -> dict[str, Any]:
        """The attributes that `from_attributes` reads."""
        records = [
            {"number": int(number), "name": name, "category": self.categories[category]}
            for number, name, category in zip(self.numbers, self.names, self.category, strict=True)
        ]
        return {"labels": records, "categories": list(self.categories)}

    @property
    def titles(self) -> tuple[str, ...]:
        """Names of the labels, with the category where several labels have the same name."""
        several = {name for name in self.names if self.names.count(name) > 1}
        return tuple(
            f"{name} ({self.categories[category]})" if name in several else name
            for name, category in zip(self.names, self.category, strict=True)
        )

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def membership(self) -> NDArray[np.bool_]:
        """(L, K) bool: label l has the primary category k."""
        member: NDArray[np.bool_] = self.category[:, None] == np.arange(len(self.categories))
        return member

    def columns(self, numbers: NDArray[np.integer], where: str) -> NDArray[np.intp]:
        """Positions of label numbers, same shape; -1 for 0 (unlabelled).

        Raises
        ------
        UserError
            If a number is not in the vocabulary; `where` tells where it was found.
        """
        values = np.asarray(numbers, dtype=np.int64)
        position = self._positions.take(values, mode="clip")
        wrong = (position == -2) | (values < 0)
        if wrong.any():
            raise UserError(
                f"{where} holds the label number {int(values[wrong].flat[0])}, which is not in the table of "
                f"{len(self)} concepts; correct the label map or the table."
            )
        return position

    @cached_property
    def _positions(self) -> NDArray[np.intp]:
        """Position of every number up to the largest and one more; -1 for 0, -2 for what is no label."""
        positions = np.full(int(self.numbers[-1]) + 2, -2, dtype=np.intp)
        positions[0] = -1
        positions[self.numbers] = np.arange(len(self))
        return positions

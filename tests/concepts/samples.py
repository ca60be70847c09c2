"""Small problems for the tests of concepts: maps, label maps and readers held in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from intermodel.concepts.patterns import Patterns, label_patterns
from intermodel.concepts.result import Tally
from intermodel.concepts.sums import Sums
from intermodel.concepts.tally import tally
from intermodel.concepts.vocabulary import Vocabulary

GOLDEN = Path(__file__).parents[1] / "golden" / "concepts"
CATEGORIES = ("color", "object", "scene")


class ArrayMaps:
    """Maps in memory that are read like a file of maps."""

    def __init__(self, values: np.ndarray, ids: np.ndarray | None = None) -> None:
        self.values = np.asarray(values, dtype=np.float32)
        self.ids = np.arange(len(values)).astype(np.str_) if ids is None else ids

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return self.values.shape

    def images(self, start: int, stop: int) -> np.ndarray:
        return self.values[start:stop]

    def units(self, start: int, stop: int) -> np.ndarray:
        return self.values[:, start:stop]

    def unit_blocks(self, memory_mb: float = 256.0) -> Iterator[tuple[int, int]]:
        size = max(1, int(memory_mb * 2**20 / self.values[:, 0].nbytes))
        for start in range(0, self.shape[1], size):
            yield start, min(self.shape[1], start + size)


@dataclass(frozen=True)
class Problem:
    """Everything that a tally needs, and as arrays what the plain forms need."""

    maps: np.ndarray
    threshold: np.ndarray
    layers: np.ndarray
    vocabulary: Vocabulary
    ids: np.ndarray
    image_labels: list[np.ndarray]
    valid: np.ndarray | None
    boxes: np.ndarray | None

    @property
    def patterns(self) -> Patterns:
        return label_patterns(self.layers, self.vocabulary, self.ids, self.image_labels, self.valid)

    def tally(self, **options: object) -> Tally:
        maps = ArrayMaps(self.maps, self.ids)
        return tally(maps, self.patterns, self.threshold, boxes=self.boxes, **({"folds": 4} | options))

    def plain(self, form: object, folds: int = 4) -> Sums:
        return form(
            self.maps, self.threshold, self.layers, self.vocabulary, self.ids, self.image_labels, self.valid,
            self.boxes, folds,
        )  # fmt: skip


def vocabulary(labels: int, step: int = 1, categories: tuple[str, ...] = CATEGORIES) -> Vocabulary:
    """Labels number 1, 1 + step, … that take turns through the categories."""
    return Vocabulary.from_records(
        [
            {"number": 1 + step * i, "name": f"label {i}", "category": categories[i % len(categories)]}
            for i in range(labels)
        ],
        categories,
    )


def problem(
    seed: int,
    map_size: tuple[int, int] = (4, 5),
    size: tuple[int, int] = (12, 13),
    tail: float = 0.1,
    images: int = 9,
    units: int = 4,
    void: bool = True,
    boxes: str = "whole",
) -> Problem:
    """Random maps with blobs of labels in three layers that repeat each other, whole-image labels and void pixels."""
    generator = np.random.default_rng(seed)
    words = vocabulary(7, step=3)
    numbers = np.append(0, words.numbers)
    height, width = size
    coarse = generator.choice(numbers, (images, 3, -(-height // 4), -(-width // 4)))
    layers = coarse.repeat(4, axis=2).repeat(4, axis=3)[:, :, :height, :width].copy()
    layers[:, 2] = np.where(generator.random((images, height, width)) < 0.3, layers[:, 0], layers[:, 2])
    layers[0] = 0
    maps = generator.normal(size=(images, units, *map_size)).astype(np.float16).astype(np.float32)
    level = np.sort(maps.swapaxes(0, 1).reshape(units, -1), axis=1)
    rank = level.shape[1] - max(1, int(tail * level.shape[1])) - 1
    whole = np.array([0.0, 0.0, width, height])
    chosen = {
        "whole": None,
        "same": np.tile(whole * [1, 1, 0.85, 0.7] + [0.1 * width, 0.2 * height, 0, 0], (images, 1)),
        "different": np.stack([whole * [1, 1, 1 - 0.04 * i, 1] + [0.03 * i * width, 0, 0, 0] for i in range(images)]),
    }[boxes]
    return Problem(
        maps,
        level[:, rank].astype(np.float64),
        layers,
        words,
        np.array([f"image {i}" for i in range(images)]),
        [generator.choice(words.numbers, generator.integers(0, 3)) for _ in range(images)],
        generator.random((images, height, width)) > 0.1 if void else None,
        chosen,
    )


def sums_of_parts(maps: np.ndarray, patterns: Patterns, threshold: np.ndarray, part: np.ndarray) -> Sums:
    """The tallies of each part of the images on the leading axis."""
    found = []
    for number in range(part.max() + 1):
        rows = np.flatnonzero(part == number)
        found.append(tally(ArrayMaps(maps[rows], patterns.ids[rows]), patterns.take(rows), threshold, folds=1))
    return Sums.stack([each.folds.total() for each in found])


def masks_as_maps(masks: np.ndarray) -> np.ndarray:
    """Unit masks (N, U, H, W) as maps that exceed 0 exactly there."""
    return np.where(masks, 1.0, -1.0).astype(np.float32)


def assert_equal_sums(first: Sums, second: Sums) -> None:
    for field in fields(Sums):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(second, field.name), err_msg=field.name)

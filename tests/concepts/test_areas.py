"""Pixels of patterns: what they count is what the label maps hold."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from concepts.samples import problem
from intermodel.concepts import areas as module
from intermodel.concepts.areas import batches, pattern_pixels, presence
from intermodel.concepts.upsampling import geometry


def pixels_by_hand(case) -> list[tuple[int, frozenset[int]]]:
    """Image and set of labels of every pixel that counts."""
    found = []
    for i, layers in enumerate(case.layers):
        box = None if case.boxes is None else tuple(case.boxes[i])
        covered = geometry((1, 1), layers.shape[1:], box).covered
        valid = np.ones(layers.shape[1:], bool) if case.valid is None else case.valid[i]
        whole = set(case.image_labels[i].tolist()) - {0}
        for pixel, counts in zip(
            layers[:, *covered].reshape(len(layers), -1).T, valid[covered].reshape(-1), strict=True
        ):
            if counts:
                found.append(
                    (i, frozenset(np.searchsorted(case.vocabulary.numbers, sorted((set(pixel) | whole) - {0}))))
                )
    return found


@pytest.mark.parametrize("boxes", ["whole", "same", "different"])
@pytest.mark.parametrize("void", [True, False])
def test_counts_are_those_of_single_pixels(boxes: str, void: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    case = problem(6, images=5, boxes=boxes, void=void)
    patterns = case.patterns
    pixels = pixels_by_hand(case)
    for batch in (10**9, 1):
        monkeypatch.setattr(module, "BATCH_PIXELS", batch)
        counted = Counter()
        for rows, taken in batches(patterns):
            area = pattern_pixels(taken, None if case.boxes is None else case.boxes[rows])
            assert area.dtype == np.int64 and (area[taken.pattern_offset[:-1]] == 0).all()
            for row, first, stop in zip(rows, taken.pattern_offset[:-1], taken.pattern_offset[1:], strict=True):
                for number in range(first, stop):
                    labels = taken.label[taken.label_offset[number] : taken.label_offset[number + 1]]
                    counted[int(row), frozenset(labels.tolist())] += area[number]
        assert +counted == Counter(pixels)
        held = np.zeros((5, 7), dtype=bool)
        for image, labels in pixels:
            held[image, list(labels)] = True
        np.testing.assert_array_equal(presence(patterns, case.boxes), held)

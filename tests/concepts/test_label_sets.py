"""Sets of labels: what they count is what the label maps hold."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import problem
from intermodel.concepts import label_sets as module
from intermodel.concepts.label_sets import label_sets, pattern_pixels, presence
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
        area = pattern_pixels(patterns, case.boxes)
        sets = label_sets(patterns)
        counted = {
            frozenset(sets.label[sets.offset[d] : sets.offset[d + 1]].tolist()): n
            for d, n in enumerate(sets.count(area)) if n
        }  # fmt: skip
        expected: dict[frozenset[int], int] = {}
        for _, labels in pixels:
            expected[labels] = expected.get(labels, 0) + 1
        assert counted == expected
        held = np.zeros((5, 7), dtype=bool)
        for image, labels in pixels:
            held[image, list(labels)] = True
        np.testing.assert_array_equal(presence(patterns, case.boxes), held)
    assert len(sets) == len({tuple(sets.label[a:b]) for a, b in zip(sets.offset[:-1], sets.offset[1:], strict=True)})
    assert (sets.of_pattern[patterns.pattern_offset[:-1]] == -1).all()


def test_sets_with_equal_random_sums_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    patterns = problem(6, images=5).patterns
    expected = label_sets(patterns)
    make = np.random.default_rng

    class Unlucky:
        """Gives every label the same number at first."""

        def __init__(self, seed: int) -> None:
            self.seed = seed

        def integers(self, low: int, high: int, size: int, dtype: type) -> np.ndarray:
            return np.ones(size, dtype) if self.seed == 0 else make(self.seed).integers(low, high, size, dtype)

    monkeypatch.setattr(np.random, "default_rng", Unlucky)
    found = label_sets(patterns)
    assert len(found) == len(expected)
    assert sorted(np.diff(found.offset)) == sorted(np.diff(expected.offset))

"""Label maps as runs of patterns: nothing is lost, and every label counts once per pixel."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import problem, vocabulary
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.patterns import Patterns, image_patterns, join, label_mask, label_patterns
from intermodel.concepts.reference import label_masks
from intermodel.engine.errors import UserError

WORDS = vocabulary(4, step=200)


def maps_of(patterns: Patterns, row: int) -> tuple[np.ndarray, np.ndarray]:
    """(L, H, W) label masks and (H, W) void mask, spelled out."""
    one = patterns.take(np.array([row]))
    number = np.repeat(one.run_pattern, one.run_length).reshape(one.size)
    masks = np.zeros((len(one.vocabulary), *one.size), dtype=bool)
    for pattern in range(len(one.label_offset) - 1):
        held = one.label[one.label_offset[pattern] : one.label_offset[pattern + 1]]
        assert len(np.unique(held)) == len(held)
        for label in held:
            masks[label] |= number == pattern
    return masks, number == 0


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(0, 4), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_label_maps_are_kept(data: st.DataObject, depth: int, height: int, width: int, void: bool) -> None:
    numbers = st.sampled_from([0, *WORDS.numbers.tolist()])
    layers = data.draw(arrays(np.uint16, (2, depth, height, width), elements=numbers))
    valid = data.draw(arrays(np.bool_, (2, height, width))) if void else None
    whole = [np.array(data.draw(st.lists(numbers, max_size=3)), dtype=np.uint16) for _ in range(2)]
    patterns = label_patterns(layers, WORDS, None, whole, valid)
    for row in range(2):
        counted = np.ones((height, width), dtype=bool) if valid is None else valid[row]
        masks, left_out = maps_of(patterns, row)
        np.testing.assert_array_equal(left_out, ~counted)
        np.testing.assert_array_equal(masks, label_masks(layers[row], WORDS, whole[row]) & counted)
        for label in range(len(WORDS)):
            np.testing.assert_array_equal(label_mask(patterns, row, label), masks[label])


def test_many_layers_do_not_overflow() -> None:
    words = vocabulary(5000)
    layers = np.random.default_rng(0).integers(4900, 5001, (12, 3, 4))
    masks, _ = maps_of(label_patterns(layers[None], words), 0)
    np.testing.assert_array_equal(masks, label_masks(layers, words))


def test_a_plain_image_is_one_run() -> None:
    found = image_patterns(np.full((2, 30, 40), 201), np.zeros(0, int), None, WORDS)
    assert found.run_length.tolist() == [1200] and found.run_pattern.tolist() == [1]
    assert found.label.tolist() == [1]


@pytest.mark.parametrize("rows", [[3, 4, 5], [5, 0, 1, 8, 3], [2, 2], []])
def test_taking_images(rows: list[int]) -> None:
    whole = problem(3).patterns
    part = whole.take(np.array(rows, dtype=int))
    assert part.ids.tolist() == whole.ids[rows].tolist()
    for position, row in enumerate(rows):
        for a, b in zip(maps_of(part, position), maps_of(whole, row), strict=True):
            np.testing.assert_array_equal(a, b)


def test_unknown_labels_are_named_with_their_image() -> None:
    layers = np.zeros((2, 1, 3, 3), dtype=np.uint16)
    layers[1, 0, 2, 2] = 77
    with pytest.raises(UserError, match="label map of the image 'b' holds the label number 77"):
        label_patterns(layers, WORDS, np.array(["a", "b"]))
    with pytest.raises(UserError, match="label list of the image 'a' holds the label number 5"):
        label_patterns(layers, WORDS, np.array(["a", "b"]), [np.array([5]), np.array([1])])


def test_ids_and_label_maps_must_match_in_number() -> None:
    with pytest.raises(UserError, match="1 label maps for 2 image ids"):
        join(
            [image_patterns(np.zeros((1, 2, 2), int), np.zeros(0, int), None, WORDS)],
            np.array(["a", "b"]),
            (2, 2),
            WORDS,
        )

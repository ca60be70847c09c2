from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.data.scenes.colors import name_colors
from intermodel.data.scenes.render import Scene, kind_of, render
from intermodel.data.scenes.shifts import BACKDROPS, SHIFTS
from intermodel.data.scenes.vocabulary import CATEGORIES, COLORS, LABELS, NUMBER, SCENES

OBJECT, PART, MATERIAL, TEXTURE = 1, 2, 3, 4


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [render(7, "train", index) for index in range(120)]


@settings(deadline=None, max_examples=8)
@given(seed=st.integers(0, 2**40), index=st.integers(0, 10**6), split=st.sampled_from(["train", "test"]))
def test_an_image_depends_on_its_parameters_alone(seed: int, index: int, split: str) -> None:
    first = render(seed, split, index, 32)
    render(seed + 1, split, index, 48)  # whatever is painted between
    again = render(seed, split, index, 32)
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.layers, again.layers)
    assert first.kind == again.kind == kind_of(seed, split, index)


def test_seed_split_and_index_give_other_images() -> None:
    images = [render(*key, 32).image for key in ((0, "train", 0), (1, "train", 0), (0, "test", 0), (0, "train", 1))]
    for first in range(4):
        for second in range(first):
            assert np.abs(images[first].astype(int) - images[second]).mean() > 5


def test_every_ten_consecutive_images_hold_every_kind_once() -> None:
    assert len(SCENES) == 10
    orders = [tuple(kind_of(3, "train", index) for index in range(start, start + 10)) for start in range(0, 100, 10)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len(set(orders)) > 5


@pytest.mark.parametrize("size", [16, 50, 64, 130])
def test_sizes(size: int) -> None:
    scene = render(0, "test", 3, size)
    assert scene.image.shape == (size, size, 3) and scene.image.dtype == np.uint8
    assert scene.layers.shape == (5, size, size) and scene.layers.dtype == np.uint8


def test_the_same_scene_at_another_size() -> None:
    small, large = render(0, "train", 11, 32), render(0, "train", 11, 96)
    agree = large.layers[OBJECT, 1::3, 1::3] == small.layers[OBJECT]
    assert agree.mean() > 0.9


def test_labels_belong_to_the_category_of_their_layer(scenes: list[Scene]) -> None:
    category = {label.number: label.category for label in LABELS}
    for layer, expected in enumerate(("color", "object", "part", "material", "texture")):
        seen = np.unique([scene.layers[layer] for scene in scenes])
        assert {category[int(number)] for number in seen if number} == {expected}


def test_every_pixel_has_a_colour_and_an_object(scenes: list[Scene]) -> None:
    assert all(scene.layers[:2].all() for scene in scenes)


def test_masks_lie_where_the_image_shows_them(scenes: list[Scene]) -> None:
    # The colour layer is named before sensor noise; mirrored or displaced masks would agree with the image by chance.
    agree = [(name_colors(scene.image) == scene.layers[0]).mean() for scene in scenes]
    displaced = [(name_colors(scene.image)[:, ::-1] == scene.layers[0]).mean() for scene in scenes]
    assert np.mean(agree) > 0.75
    assert np.mean(agree) > np.mean(displaced) + 0.2
    # Borders of objects are where brightness changes.
    inside, across = [], []
    for scene in scenes:
        step = np.abs(np.diff(scene.image.astype(float).mean(2), axis=1))
        border = np.diff(scene.layers[OBJECT].astype(int), axis=1) != 0
        inside.append(step[~border].mean())
        across.append(step[border].mean() if border.any() else np.nan)
    assert np.nanmean(across) > 2 * np.mean(inside)


def test_most_labels_can_be_detected_by_a_unit_of_tail_0_005(scenes: list[Scene]) -> None:
    count = np.zeros(256, np.int64)
    more = [render(7, "train", index, 32).layers for index in range(120, 720)]
    for layers in [*(scene.layers[:, ::2, ::2] for scene in scenes), *more]:
        count += np.bincount(layers.ravel(), minlength=256)
    share = count / (720 * 32 * 32)
    for scene in SCENES:
        share[NUMBER["scene", scene]] = 0.1
    reachable = [label for label in LABELS if 0.0002 < share[label.number] < 0.125]
    assert len(reachable) >= 0.93 * len(LABELS)
    assert all(share[label.number] > 0 for label in LABELS)
    assert {label.category for label in reachable} == set(CATEGORIES)


def test_colour_does_not_tell_the_kind(scenes: list[Scene]) -> None:
    # Nearest mean of the colour histogram, judged on images that the means were not made of.
    histograms = np.array([[(scene.layers[0] == number).mean() for number in range(1, 12)] for scene in scenes])
    kinds = np.array([scene.kind for scene in scenes])
    means = np.array([histograms[:60][kinds[:60] == kind].mean(0) for kind in range(10)])
    guess = np.argmin(((histograms[60:, None] - means) ** 2).sum(2), axis=1)
    assert (guess == kinds[60:]).mean() < 0.35


@pytest.mark.parametrize("shift", [shift for shift in SHIFTS if shift != "none"])
def test_shifts_keep_shapes_and_classes_and_change_the_image(shift: str) -> None:
    for index in range(20):
        plain, shifted = render(1, "test", index, 32), render(1, "test", index, 32, shift)
        assert plain.kind == shifted.kind
        np.testing.assert_array_equal(plain.layers[OBJECT], shifted.layers[OBJECT])
        if shift != "background":
            np.testing.assert_array_equal(plain.layers[PART:], shifted.layers[PART:])
        assert not np.array_equal(plain.image, shifted.image)


def test_the_background_shift_leaves_things_alone() -> None:
    backdrops = [NUMBER["object", name] for name in BACKDROPS]
    changed = 0
    for index in range(20):
        plain, shifted = render(1, "test", index), render(1, "test", index, shift="background")
        things = ~np.isin(plain.layers[OBJECT], backdrops)
        np.testing.assert_array_equal(plain.layers[MATERIAL][things], shifted.layers[MATERIAL][things])
        changed += (plain.layers[TEXTURE] != shifted.layers[TEXTURE]).mean() > 0.05
    assert changed > 10


@pytest.mark.parametrize("shift", [shift for shift in SHIFTS if shift != "none"])
def test_strength_grades_the_shift(shift: str) -> None:
    def distance(strength: float) -> float:
        pairs = [(render(2, "test", i, 32), render(2, "test", i, 32, shift, strength)) for i in range(30)]
        return float(np.mean([np.abs(a.image.astype(int) - b.image).mean() for a, b in pairs]))

    assert 0 < distance(0.3) < distance(1.0)


def test_colour_names_of_plain_colours() -> None:
    plain = {
        "black": (10, 10, 10), "white": (250, 250, 250), "grey": (128, 128, 128), "red": (220, 20, 20),
        "green": (20, 180, 30), "blue": (30, 60, 220), "yellow": (240, 230, 30), "orange": (250, 140, 20),
        "brown": (110, 70, 30), "pink": (250, 160, 190), "purple": (130, 30, 170),
    }  # fmt: skip
    assert set(plain) == set(COLORS)
    found = name_colors(np.array([list(plain.values())], np.uint8))[0]
    names = {label.number: label.name for label in LABELS}
    assert [names[int(number)] for number in found] == list(plain)


def test_numbers_of_labels_are_unique_and_consecutive() -> None:
    assert [label.number for label in LABELS] == list(range(1, len(LABELS) + 1))
    assert max(Counter((label.category, label.name) for label in LABELS).values()) == 1

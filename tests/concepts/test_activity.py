"""Runs of active pixels: the same pixels as the enlarged map, never across the end of a row."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.activity import Runs, active_runs, runs_of_box, runs_of_masks, runs_of_owners
from intermodel.concepts.upsampling import geometry, upsample

values = st.integers(-2, 3).map(float) | st.floats(-2, 2, width=16)


def pixels(runs: Runs, maps: int, images: int, size: tuple[int, int]) -> np.ndarray:
    """Masks (maps, images * H, W) of the runs; each pixel at most once per map and no run across rows."""
    result = np.zeros((maps, images * size[0] * size[1]), dtype=int)
    for number, start, stop in zip(runs.map, runs.start, runs.stop, strict=True):
        assert start < stop and start // size[1] == (stop - 1) // size[1]
        result[number, start:stop] += 1
    assert result.max(initial=0) <= 1
    return result.reshape(maps, images * size[0], size[1]).astype(bool)


@settings(deadline=None, max_examples=150)
@given(st.data(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 17), st.integers(1, 17), st.booleans())
def test_runs_are_the_pixels_above_the_threshold(
    data: st.DataObject, h: int, w: int, height: int, width: int, part: bool
) -> None:
    maps = data.draw(arrays(np.float32, (5, h, w), elements=values))
    threshold = data.draw(arrays(np.float64, 5, elements=values))
    image = np.array([0, 0, 1, 1, 1])
    box = (0.3 * width, 0.1 * height, 0.95 * width, 0.8 * height) if part else None
    grid = geometry((h, w), (height, width), box)
    found = np.zeros((5, 2 * height, width), dtype=bool)
    for block, runs in active_runs(maps, threshold, image, grid):
        found[block] = pixels(runs, len(found[block]), 2, (height, width))
    expected = np.zeros((5, 2, height, width), dtype=bool)
    for number in range(5):
        expected[number, image[number]][grid.covered] = upsample(maps[number], grid) > threshold[number]
    np.testing.assert_array_equal(found, expected.reshape(found.shape))


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    maps, image = generator.normal(size=(30, 4, 4)), np.repeat(np.arange(3), 10)
    grid = geometry((4, 4), (9, 9))

    def everything() -> np.ndarray:
        parts = active_runs(maps, np.full(30, 0.7), image, grid)
        return np.concatenate([pixels(runs, len(maps[block]), 3, (9, 9)) for block, runs in parts])

    whole = everything()
    monkeypatch.setattr("intermodel.concepts.activity.BLOCK_ROWS", 100)
    np.testing.assert_array_equal(everything(), whole)


@pytest.mark.parametrize("plateau", [3.0, 0.1, 1e-30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_plateau_at_the_threshold_is_not_active(plateau: float, dtype: type) -> None:
    maps = np.full((1, 3, 3), plateau, dtype=dtype)
    maps[0, 0, 0] = -1.0
    grid = geometry((3, 3), (13, 29))
    ((_, runs),) = active_runs(maps, maps.max(axis=(1, 2)).astype(np.float64), np.zeros(1, dtype=int), grid)
    assert len(runs.start) == 0


@settings(deadline=None, max_examples=50)
@given(arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 6))))
def test_runs_of_masks(masks: np.ndarray) -> None:
    images, units, height, width = masks.shape
    found = pixels(runs_of_masks(masks), images * units, images, (height, width))
    for image in range(images):
        for unit in range(units):
            own = found[image * units + unit].reshape(images, height, width)
            np.testing.assert_array_equal(own[image], masks[image, unit])
            assert own.sum() == masks[image, unit].sum()


@settings(deadline=None, max_examples=50)
@given(
    arrays(np.int64, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 6)), elements=st.integers(-1, 3))
)
def test_runs_of_owners(owner: np.ndarray) -> None:
    images, height, width = owner.shape
    found = pixels(runs_of_owners(owner, 4), images * 4, images, (height, width))
    for image in range(images):
        for unit in range(4):
            own = found[image * 4 + unit].reshape(images, height, width)
            np.testing.assert_array_equal(own[image], owner[image] == unit)


def test_runs_of_a_box_cover_it() -> None:
    grid = geometry((2, 2), (6, 8), (1.0, 2.0, 7.0, 5.0))
    found = pixels(runs_of_box(2, grid), 2, 2, (6, 8)).reshape(2, 2, 6, 8)
    expected = np.zeros((6, 8), dtype=bool)
    expected[2:5, 1:7] = True
    for image in range(2):
        np.testing.assert_array_equal(found[image, image], expected)
        assert found[image, 1 - image].sum() == 0

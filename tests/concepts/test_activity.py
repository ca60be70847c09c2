"""Active pixels: the same as in the enlarged map, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given as draw
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.activity import Active, above, activity, given, largest
from intermodel.concepts.upsampling import geometry, upsample

values = st.integers(-2, 3).map(float) | st.floats(-2, 2, width=16)


def masks(found: list[Active], shape: tuple[int, ...]) -> np.ndarray:
    """Masks (n, U, H, W) of the active pixels; each pixel at most once per map."""
    result = np.zeros((*shape[:2], shape[2] * shape[3]), dtype=int)
    for active in found:
        assert active.offset[0] == 0 and active.offset[-1] == len(active.pixel) and active.pixel.dtype == np.int32
        unit = active.first + np.repeat(np.arange(len(active.offset) - 1), np.diff(active.offset))
        np.add.at(result, (active.image, unit, active.pixel), 1)
    assert result.max(initial=0) <= 1
    return result.reshape(shape).astype(bool)


@settings(deadline=None, max_examples=150)
@draw(st.data(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 17), st.integers(1, 17), st.booleans())
def test_pixels_above_the_threshold(data: st.DataObject, h: int, w: int, height: int, width: int, part: bool) -> None:
    maps = data.draw(arrays(np.float32, (2, 3, h, w), elements=values))
    threshold = data.draw(arrays(np.float64, 3, elements=values))
    box = (0.3 * width, 0.1 * height, 0.95 * width, 0.8 * height) if part else None
    grid = geometry((h, w), (height, width), box)
    expected = np.zeros((2, 3, height, width), dtype=bool)
    expected[:, :, *grid.covered] = upsample(maps, grid) > threshold[:, None, None]
    np.testing.assert_array_equal(masks(list(above(maps, threshold, grid)), expected.shape), expected)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = np.random.default_rng(0).normal(size=(3, 10, 4, 4)).astype(np.float32)
    grid, level = geometry((4, 4), (9, 9)), np.full(10, -1.7)
    whole = list(above(maps, level, grid))
    monkeypatch.setattr("intermodel.concepts.activity.BLOCK_PIXELS", 250)
    parts = list(above(maps, level, grid))
    assert len(whole) == 3 and len(parts) == 12
    np.testing.assert_array_equal(masks(parts, (3, 10, 9, 9)), masks(whole, (3, 10, 9, 9)))


@pytest.mark.parametrize("plateau", [3.0, 0.1, 1e-30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_plateau_at_the_threshold_is_not_active(plateau: float, dtype: type) -> None:
    maps = np.full((1, 1, 3, 3), plateau, dtype=dtype)
    maps[0, 0, 0, 0] = -1.0
    (active,) = above(maps, maps.max(axis=(2, 3))[0].astype(np.float64), geometry((3, 3), (13, 29)))
    assert len(active.pixel) == 0


@settings(deadline=None, max_examples=50)
@draw(arrays(np.bool_, st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.integers(1, 6))))
def test_given_masks(known: np.ndarray) -> None:
    np.testing.assert_array_equal(masks(list(given(known)), known.shape), known)


@settings(deadline=None, max_examples=50)
@draw(arrays(np.float32, (2, 3, 2, 4), elements=st.integers(0, 3)), st.sampled_from([(2, 4), (5, 7)]), st.booleans())
def test_each_pixel_that_is_covered_belongs_to_the_first_of_the_largest(
    maps: np.ndarray, size: tuple[int, int], part: bool
) -> None:
    grid = geometry((2, 4), size, (0.0, 0.0, 0.6 * size[1], 1.0 * size[0]) if part else None)
    expected = np.zeros((2, 3, *size), dtype=bool)
    owner = upsample(maps, grid).argmax(axis=1)
    for unit in range(3):
        expected[:, unit, *grid.covered] = owner == unit
    np.testing.assert_array_equal(masks(list(largest(maps, grid)), expected.shape), expected)


def test_images_that_lie_alike_go_together() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 2, 3, 3)).astype(np.float32)
    boxes = np.array([[0, 0, 6, 6], [1, 0, 6, 6], [0, 0, 6, 6], [1, 0, 6, 6]], dtype=float)
    found = {tuple(members.tolist()): grid for members, grid, _ in activity(maps, np.zeros(2), boxes, (6, 6))}
    assert set(found) == {(0, 2), (1, 3)} and found[0, 2].whole and not found[1, 3].whole
    ((members, grid, _),) = activity(maps, np.zeros(2), None, (6, 6))
    assert members.tolist() == [0, 1, 2, 3] and grid.whole

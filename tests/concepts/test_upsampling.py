"""Enlarging maps: golden geometry, exact bounds, and the same geometry by cells."""

from __future__ import annotations

import numpy as np
import pytest
from concepts.samples import GOLDEN
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.upsampling import cells, geometry, upsample

sides = st.integers(1, 6)
sizes = st.integers(1, 25)


def test_golden_geometry() -> None:
    data = np.load(GOLDEN / "upsample_a.npz")
    maps, expected = data["features"], data["half_pixel_bilinear"]
    enlarged = upsample(maps, geometry(maps.shape[1:], expected.shape[1:]))
    np.testing.assert_allclose(enlarged, expected, atol=1e-6)
    np.testing.assert_allclose(enlarged, data["pil_bilinear_float32"], atol=1e-6)
    # The other geometries in use are told apart.
    for other in ("align_corners_bilinear", "netdissect_upsampleL", "dissect_grid_sample"):
        assert abs(enlarged - data[other]).max() > 0.05


@settings(deadline=None, max_examples=60)
@given(st.data(), sides, sides, sizes, sizes)
def test_values_never_leave_the_interval_of_their_four_samples(
    data: st.DataObject, h: int, w: int, height: int, width: int
) -> None:
    values = data.draw(arrays(np.float32, (h, w), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
    grid = geometry((h, w), (height, width))
    enlarged = upsample(values, grid)
    corners = np.stack(
        [values[np.ix_(y, x)].astype(float) for y in (grid.y.low, grid.y.high) for x in (grid.x.low, grid.x.high)]
    )
    assert (enlarged >= corners.min(axis=0)).all() and (enlarged <= corners.max(axis=0)).all()


@pytest.mark.parametrize("value", [3.0, 0.1, -7.3, 1e-30, 1e8 + 8])
def test_a_constant_is_preserved_to_the_bit(value: float) -> None:
    maps = np.full((3, 3), value, dtype=np.float32)
    assert (upsample(maps, geometry((3, 3), (13, 29))) == np.float64(maps[0, 0])).all()


def test_a_ramp_is_reproduced_inside() -> None:
    ramp = np.add.outer(2.0 * np.arange(5), 3.0 * np.arange(4))
    enlarged = upsample(ramp, geometry((5, 4), (20, 12)))
    y, x = (np.arange(20) + 0.5) / 4 - 0.5, (np.arange(12) + 0.5) / 3 - 0.5
    inside = np.ix_((y >= 0) & (y <= 4), (x >= 0) & (x <= 3))
    np.testing.assert_allclose(enlarged[inside], np.add.outer(2 * y, 3 * x)[inside], atol=1e-12)


def test_equal_sizes_change_nothing() -> None:
    maps = np.random.default_rng(0).normal(size=(2, 5, 7)).astype(np.float32)
    np.testing.assert_array_equal(upsample(maps, geometry((5, 7), (5, 7))), maps)


@settings(deadline=None, max_examples=80)
@given(sides, sizes, st.floats(0, 0.45), st.floats(0.55, 1))
def test_cells_hold_the_pixels_of_the_axis(samples: int, pixels: int, start: float, stop: float) -> None:
    grid = geometry((samples, 1), (pixels, 1), (0.0, start * pixels, 1.0, stop * pixels))
    line, parts = grid.y, grid.rows
    assert parts.count.min(initial=1) >= 1
    np.testing.assert_array_equal(np.repeat(parts.low, parts.count), line.low)
    np.testing.assert_array_equal(np.repeat(parts.high, parts.count), line.high)
    np.testing.assert_array_equal(parts.fraction[~np.isnan(parts.fraction)], line.fraction)
    covered = np.concatenate([np.arange(s, s + n) for s, n in zip(parts.start, parts.count, strict=True)] or [[]])
    centres = np.arange(pixels) + 0.5
    np.testing.assert_array_equal(
        covered, np.flatnonzero((centres > start * pixels) & (centres < stop * pixels)).astype(float)
    )


def test_a_part_of_the_image_is_enlarged_like_an_image_of_its_own() -> None:
    maps = np.random.default_rng(1).normal(size=(4, 4))
    part = geometry((4, 4), (20, 30), (5.0, 4.0, 21.0, 12.0))
    assert part.covered == (slice(4, 12), slice(5, 21)) and not part.whole
    np.testing.assert_allclose(upsample(maps, part), upsample(maps, geometry((4, 4), (8, 16))), atol=1e-12)


def test_one_sample_covers_everything() -> None:
    parts = cells(1, 6, 0.0, 6.0)
    assert parts.count.tolist() == [6]
    assert (upsample(np.array([[2.0]]), geometry((1, 1), (6, 4))) == 2.0).all()

"""A common grid: means over the same pieces of the image, exactly."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.unit_matching.grid import common_grid, overlaps, same_view, views


def test_equal_grids_are_left_alone() -> None:
    assert common_grid((7, 5), (7, 5)) == (None, None)


def test_a_grid_of_whole_multiples_gives_means_of_blocks() -> None:
    coarse, fine = common_grid((2, 3), (4, 9))
    assert coarse is None
    assert fine is not None
    maps = np.random.default_rng(0).normal(size=(5, 4, 9))
    np.testing.assert_allclose(fine.average(maps), maps.reshape(5, 2, 2, 3, 3).mean(axis=(2, 4)), atol=1e-14)


def test_other_ratios_weigh_samples_by_what_they_cover() -> None:
    np.testing.assert_allclose(overlaps(3, 0, 1, 2, 0, 1), [[2 / 3, 1 / 3, 0], [0, 1 / 3, 2 / 3]])


def test_the_coarser_side_counts_along_each_side() -> None:
    one, other = common_grid((2, 8), (4, 4))
    assert one is not None
    assert other is not None
    assert one.average(np.ones((2, 8))).shape == other.average(np.ones((4, 4))).shape == (2, 4)


def test_crops_meet_in_what_both_networks_see() -> None:
    """One network sees all 8 pixels, the other the central 4: the field is a ramp over the image."""
    ramp = np.tile(np.arange(8) + 0.5, (8, 1))
    whole, crop = common_grid((8, 8), (4, 4), (0, 0, 8, 8), (2, 2, 6, 6))
    assert crop is None
    assert whole is not None
    np.testing.assert_allclose(whole.average(ramp), ramp[2:6, 2:6], atol=1e-14)


def test_networks_that_see_nothing_in_common_are_refused() -> None:
    with pytest.raises(UserError, match="no common part"):
        common_grid((2, 2), (2, 2), (0, 0, 4, 8), (4, 0, 8, 8))


def test_only_geometry_decides_what_a_network_sees() -> None:
    one = {"size": [8, 8], "resize": "squash", "mean": [0.5] * 3}
    assert same_view(one, one | {"mean": [0.1] * 3, "interpolation": "bilinear"})
    assert not same_view(one, one | {"resize": "shorter"})


def test_views_are_told_for_every_size_of_image() -> None:
    squash = {"size": [8, 8], "resize": "squash", "crop": "none"}
    centre = {"size": [8, 8], "resize": "shorter", "crop": "center"}
    found, which = views(squash, centre, np.array([8, 16, 8]), np.array([8, 8, 8]))
    assert [found[kind] for kind in which.tolist()] == [
        ((0, 0, 8, 8), (0, 0, 8, 8)),
        ((0, 0, 16, 8), (4, 0, 12, 8)),
        ((0, 0, 8, 8), (0, 0, 8, 8)),
    ]

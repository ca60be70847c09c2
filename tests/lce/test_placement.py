"""Names beside points: no overlap where there is room, always inside, deterministic."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from intermodel.lce.placement import overlap_area, place_labels

BOUNDS = (0.0, 0.0, 800.0, 600.0)


def boxes(centres: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    return np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)


@settings(deadline=None, max_examples=25)
@example(seed=411, count=14)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 14))
def test_names_do_not_cover_each_other_and_stay_inside(seed: int, count: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.uniform([0, 0], [800, 600], (count, 2))
    sizes = np.column_stack([generator.uniform(40, 110, count), np.full(count, 14.0)])
    placed = boxes(place_labels(points, sizes, BOUNDS, 6.0), sizes)
    assert overlap_area(placed) < 0.01 * sizes.prod(axis=1).sum()
    assert (placed[:, :2] >= -1e-9).all() and (placed[:, 2] <= 800 + 1e-9).all() and (placed[:, 3] <= 600 + 1e-9).all()


def test_crowded_points_are_named_apart() -> None:
    points = np.full((6, 2), 300.0) + np.arange(6)[:, None]
    sizes = np.tile([80.0, 14.0], (6, 1))
    placed = boxes(place_labels(points, sizes, BOUNDS, 6.0), sizes)
    assert overlap_area(placed) == 0


def test_a_lone_point_is_named_to_the_right_unless_a_line_runs_there() -> None:
    point, size = np.array([[400.0, 300.0]]), np.array([[60.0, 14.0]])
    np.testing.assert_allclose(place_labels(point, size, BOUNDS, 6.0), [[436, 300]])
    line = np.column_stack([np.linspace(406, 500, 40), np.full(40, 300.0)])
    assert abs(place_labels(point, size, BOUNDS, 6.0, line)[0, 1] - 300) > 7


def test_nothing_to_name() -> None:
    assert place_labels(np.empty((0, 2)), np.empty((0, 2)), BOUNDS, 6.0).shape == (0, 2)


def test_overlap_area_by_hand() -> None:
    assert overlap_area([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6]]) == 1

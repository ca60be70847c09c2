"""Random rotations: orthogonal, uniform, the same by name, and tallied as any other units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from concepts.samples import ArrayMaps, problem
from intermodel.concepts.result import merge
from intermodel.concepts.rotation import Rotation, random_rotation, rotate
from intermodel.concepts.tally import tally
from intermodel.concepts.thresholds import exact_thresholds


def test_rotations_are_orthogonal_and_follow_their_name() -> None:
    first = random_rotation(40, "a")
    np.testing.assert_allclose(first @ first.T, np.eye(40), atol=1e-5)
    np.testing.assert_array_equal(first, random_rotation(40, "a"))
    assert abs(first - random_rotation(40, "b")).max() > 0.1


def test_rotations_favour_no_sign() -> None:
    # Without the signs of R, LAPACK's reflections leave the diagonal of Q negative on average.
    corner = np.array([random_rotation(3, str(number))[0, 0] for number in range(400)])
    assert abs(corner.mean()) < 4 * corner.std() / 20
    # Haar in three dimensions: an entry is uniform between -1 and 1.
    assert abs(corner.std() - 1 / np.sqrt(3)) < 0.05


def test_batches_change_no_bit() -> None:
    maps = np.random.default_rng(0).normal(size=(7, 33, 3, 5)).astype(np.float32)
    rotation = random_rotation(33, "a")
    whole = rotate(maps, rotation)
    np.testing.assert_array_equal(whole, np.concatenate([rotate(maps[i : i + 2], rotation) for i in range(0, 7, 2)]))
    np.testing.assert_allclose(whole[3, :, 1, 2], rotation @ maps[3, :, 1, 2], atol=1e-5)


def test_rotated_units_are_tallied_as_units() -> None:
    case = problem(3, boxes="different")
    turned = []
    for name in ("a", "b"):
        matrix = random_rotation(4, name)
        maps = rotate(case.maps, matrix)
        level = exact_thresholds(maps.swapaxes(0, 1).reshape(4, -1), 0.1)
        turned.append((Rotation(matrix, level), replace(case, maps=maps, threshold=level).tally().folds.total()))
    result = tally(
        ArrayMaps(case.maps, case.ids), case.patterns, case.threshold, boxes=case.boxes, batch=2,
        rotations=[rotation for rotation, _ in turned],
    )  # fmt: skip
    assert len(result.rotated) == 2
    for number, (_, expected) in enumerate(turned):
        np.testing.assert_array_equal(result.rotated.of(number).intersection, expected.intersection)
        np.testing.assert_array_equal(result.rotated.of(number).unit_area_category, expected.unit_area_category)
    assert len(case.tally().rotated) == 0
    twice = merge([result, result])
    np.testing.assert_array_equal(twice.rotated.unit_area, 2 * result.rotated.unit_area)

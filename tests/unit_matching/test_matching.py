"""Mutual nearest units, what chance gives, and how sure the similarity is."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.unit_matching.correlation import accumulate
from intermodel.unit_matching.matching import Matching, match, mutual_pairs, nearest, similarity_of
from numpy.typing import NDArray
from unit_matching.held import Held


def matched(x: NDArray[np.float64], y: NDArray[np.float64], shuffles: int = 1, folds: int = 8) -> Matching:
    rows = np.arange(len(x))
    return match(accumulate(Held(x), Held(y), rows, rows, rows % folds, folds, shuffles))


def test_nearest_units_of_a_small_table() -> None:
    table = np.array([[0.9, 0.2, np.nan], [0.8, 0.8, np.nan], [-0.5, -0.1, np.nan], [np.nan] * 3])
    rows, columns = nearest(table), nearest(table.T)
    assert rows.unit.tolist() == [0, 0, 1, -1]
    assert columns.unit.tolist() == [0, 1, -1]
    np.testing.assert_array_equal(rows.correlation, [0.9, 0.8, -0.1, np.nan])
    # Unit 1 prefers column 0 of the two that are equal, which prefers unit 0; a negative correlation is no match.
    assert mutual_pairs(rows, columns).tolist() == [[0, 0]]
    assert similarity_of(table) == pytest.approx(((0.9 + 0.8 + 0) / 3 + (0.9 + 0.8) / 2) / 2)


def test_units_in_another_order_match_themselves() -> None:
    x = np.random.default_rng(0).normal(size=(60, 7, 4))
    order = np.array([3, 1, 6, 0, 5, 2, 4])
    found = matched(x, 3 * x[:, order] + 2, shuffles=2)
    assert found.mutual.tolist() == [[unit, order.tolist().index(unit)] for unit in range(7)]
    np.testing.assert_allclose(found.correlation, 1.0, atol=1e-12)
    assert (found.similarity, found.mutual_fraction) == (pytest.approx(1.0), 1.0)
    assert found.adjusted == pytest.approx(1.0)
    assert (found.low, found.high) == (pytest.approx(1.0), pytest.approx(1.0))
    assert found.beyond_chance.all()
    # The units of both layers under two wrong pairings stay below every match.
    np.testing.assert_allclose(found.p, 1 / 29)


def test_unrelated_units_match_by_chance_alone() -> None:
    """Hardly a match of unrelated layers passes for real, their similarity is that of the null, p-values are fair."""
    generator = np.random.default_rng(1)
    real = total = 0
    adjusted, p = [], []
    for _ in range(20):
        found = matched(generator.normal(size=(80, 30, 2)), generator.normal(size=(80, 30, 2)), shuffles=4)
        real, total = real + int(found.beyond_chance.sum()), total + len(found.mutual)
        adjusted.append(found.adjusted)
        p.extend(found.p)
    assert total > 200
    assert real / total < 0.02
    # What is largest in two directions is larger than most that are so in one; hence somewhat more than 5 %.
    assert np.mean(np.array(p) <= 0.05) < 0.12
    assert abs(np.mean(adjusted)) < 0.02


def test_units_that_only_tell_positions_do_not_match_beyond_chance() -> None:
    generator = np.random.default_rng(2)
    place = generator.normal(size=(1, 6, 9))
    x, y = (place + 0.3 * generator.normal(size=(100, 6, 9)) for _ in range(2))
    found = matched(x, y, shuffles=4)
    assert len(found.mutual) == 6
    assert (found.correlation > 0.7).all()
    np.testing.assert_allclose(found.correlation, found.position, atol=0.06)
    assert found.beyond_chance.sum() <= 1
    assert found.null_similarity > 0.8
    assert abs(found.adjusted) < 0.1


def test_a_match_beyond_position_is_found_beside_them() -> None:
    generator = np.random.default_rng(3)
    place, shared = generator.normal(size=(1, 6, 9)), generator.normal(size=(100, 6, 9))
    x, y = (place + shared + 0.5 * generator.normal(size=(100, 6, 9)) for _ in range(2))
    assert matched(x, y, shuffles=2).beyond_chance.all()


def test_constant_units_are_counted_and_left_out() -> None:
    x = np.random.default_rng(4).normal(size=(50, 4, 3))
    y = x.copy()
    y[:, 2] = 7.0
    found = matched(x, y)
    assert found.live == (4, 3)
    assert found.mutual.tolist() == [[0, 0], [1, 1], [3, 3]]
    assert found.mutual_fraction == 1.0
    assert found.nearest_b.unit[2] == -1
    assert np.isnan(found.nearest_b.correlation[2])
    assert found.similarity_b == pytest.approx(1.0)
    assert found.similarity_a < 0.9


def test_layers_without_a_unit_that_varies_have_no_similarity() -> None:
    x = np.random.default_rng(5).normal(size=(40, 2, 3))
    found = matched(x, np.ones((40, 3, 3)))
    assert len(found.mutual) == 0
    assert np.isnan([found.similarity, found.mutual_fraction, found.low, found.adjusted]).all()


def test_the_interval_covers_what_more_images_would_say() -> None:
    generator = np.random.default_rng(6)
    mixing = generator.normal(size=(4, 4))

    def draw(images: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        x = generator.normal(size=(images, 4, 1))
        return x, np.einsum("iup,uv->ivp", x, mixing) + generator.normal(size=(images, 4, 1))

    truth = matched(*draw(40_000)).similarity
    intervals = [matched(*draw(300), folds=16) for _ in range(60)]
    assert np.mean([found.low <= truth <= found.high for found in intervals]) > 0.85

"""Correlations from sums: equal to the definition, whatever the offset, the batches and the folds."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from intermodel.unit_matching.correlation import Accumulated, accumulate, by_position, correlations
from numpy.typing import NDArray
from unit_matching.held import Held


def summed(x: NDArray[Any], y: NDArray[Any], folds: int = 4, **options: Any) -> Accumulated:
    rows = np.arange(len(x))
    return accumulate(Held(x), Held(y), rows, rows, rows % folds, folds, **options)


def defined(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Correlations over images and positions, two passes in long doubles."""
    a, b = (np.moveaxis(v, 1, 0).reshape(v.shape[1], -1).astype(np.longdouble) for v in (x, y))
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    return np.asarray((a @ b.T) / np.sqrt(np.outer((a**2).sum(axis=1), (b**2).sum(axis=1))), dtype=np.float64)


@pytest.fixture
def layers() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(90, 5, 6))
    return x, 0.5 * x[:, :3] + generator.normal(size=(90, 3, 6))


@pytest.mark.parametrize("batch_bytes", [1, 20_000, 10**9])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_correlations_are_those_of_the_definition(
    layers: tuple[NDArray[np.float64], NDArray[np.float64]], batch_bytes: int, offset: float
) -> None:
    x, y = layers[0] + offset, layers[1] - 2 * offset
    found = summed(x, y, batch_bytes=batch_bytes)
    got = correlations(found.folds.total(), found.shift_a, found.shift_b)
    np.testing.assert_allclose(got, defined(x, y), atol=1e-12)


def test_one_block_of_images_far_from_all_others_costs_no_digits() -> None:
    """Folders are sorted by class: what is read first may look like nothing else."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=(800, 2, 3)) + 1e4
    x[:16] -= 1e4
    y = x + generator.normal(size=x.shape)
    found = summed(x, y, batch_bytes=1)
    got = correlations(found.folds.total(), found.shift_a, found.shift_b)
    np.testing.assert_allclose(got, defined(x, y), atol=1e-11)


def test_sums_without_a_fold_are_those_of_the_other_images(
    layers: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    x, y = layers
    found = summed(x, y)
    kept = np.arange(len(x)) % 4 != 2
    got = correlations(found.folds.total(without=2), found.shift_a, found.shift_b)
    np.testing.assert_allclose(got, defined(x[kept], y[kept]), atol=1e-12)
    assert found.fold_images.tolist() == [23, 23, 22, 22]


@pytest.mark.parametrize("value", [0.0, 0.1, 1e5])
def test_constant_units_have_no_correlation(
    layers: tuple[NDArray[np.float64], NDArray[np.float64]], value: float
) -> None:
    x, y = layers[0].copy(), layers[1]
    x[:, 1] = value
    x[:, 3] = value
    x[5, 3] = value + 1
    found = summed(x, y, batch_bytes=1)
    got = correlations(found.folds.total(), found.shift_a, found.shift_b)
    assert np.isnan(got).any(axis=1).tolist() == [False, True, False, False, False]
    # Without the fold of the only image on which it fires, the fourth unit is constant, too.
    left = correlations(found.folds.total(without=5 % 4), found.shift_a, found.shift_b)
    assert np.isnan(left).all(axis=1).tolist() == [False, True, False, True, False]


def test_what_position_brings_is_the_mean_over_all_pairings() -> None:
    generator = np.random.default_rng(2)
    place = generator.normal(size=(1, 1, 3))
    x, y = generator.normal(size=(5, 2, 3)) + place, generator.normal(size=(5, 3, 3)) + 2 * place
    everything = [defined(x, y[list(order)]) for order in permutations(range(5))]
    np.testing.assert_allclose(by_position(summed(x, y, folds=2)), np.mean(everything, axis=0), atol=1e-12)


def test_wrong_pairings_pair_each_image_with_another_one() -> None:
    """One-hot images: the sums of products say who was paired with whom."""
    images = np.eye(40)[:, :, None]
    found = summed(images, images, shuffles=3, batch_bytes=10**9)
    for products in found.shuffled:
        # The mean of a one-hot image, 1 / 40, was subtracted on both sides.
        raw = products + 1 / 40
        assert np.allclose(raw.sum(axis=0), 1.0)
        assert np.allclose(raw.max(axis=0), 1.0)
        assert not np.isclose(np.diag(raw), 1.0).any()


def test_wrong_pairings_do_not_stay_within_a_class() -> None:
    """The images of a class lie side by side, as in folders; a batch must not hold one class alone."""
    x = np.repeat(np.arange(10.0), 200)[:, None, None] + np.zeros((1, 1, 2))
    found = summed(x, x, shuffles=8, batch_bytes=2 * 8 * 2 * 128)
    total = found.folds.total()
    wrong = [correlations(total, found.shift_a, found.shift_b, products)[0, 0] for products in found.shuffled]
    assert np.mean(np.abs(wrong)) < 0.2


def test_equal_seeds_give_equal_sums(layers: tuple[NDArray[np.float64], NDArray[np.float64]]) -> None:
    one, same, other = (summed(*layers, seed=seed).shuffled for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)

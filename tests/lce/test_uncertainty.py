"""Resampling of folds, intervals, noise floor and ellipses, with simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.lce.uncertainty import (
    Resampled,
    bootstrap_weights,
    ellipse,
    estimate,
    half_weights,
    noise_floor,
    resampling,
)

IMAGES = np.array([20, 0, 18, 22, 19, 21])


def test_bootstrap_draws_as_many_folds_as_hold_images() -> None:
    weights = bootstrap_weights(IMAGES, 500, seed=3)
    assert weights.shape == (500, 6) and (weights.sum(axis=1) == 5).all()
    assert (weights[:, 1] == 0).all()
    np.testing.assert_allclose(weights[:, [0, 2, 3, 4, 5]].mean(axis=0), 1, atol=0.15)
    np.testing.assert_array_equal(weights, bootstrap_weights(IMAGES, 500, seed=3))


def test_halves_are_disjoint_and_complete() -> None:
    weights = half_weights(IMAGES, 100)
    np.testing.assert_array_equal(weights.sum(axis=1), np.tile([1, 0, 1, 1, 1, 1], (100, 1)))
    assert (weights.sum(axis=2) == [2, 3]).all()
    assert len({tuple(row) for row in weights[:, 0]}) == 10


def test_too_few_folds_are_refused() -> None:
    for function in (bootstrap_weights, half_weights):
        with pytest.raises(ValueError, match="two folds with images, got 1"):
            function([5, 0], 10)


def test_stacking_and_splitting_are_inverse() -> None:
    weights = resampling(IMAGES, 7, 4, seed=1)
    assert weights.without.shape == (5, 6) and weights.sizes.tolist() == [20, 18, 22, 19, 21]
    np.testing.assert_array_equal(weights.without.sum(axis=1), 5)
    parts = weights.split(weights.stacked())
    np.testing.assert_array_equal(parts.whole, weights.whole[0])
    for name in ("without", "bootstrap", "halves"):
        np.testing.assert_array_equal(getattr(parts, name), getattr(weights, name))
    doubled = parts.map(lambda values: 2 * values)
    np.testing.assert_array_equal(doubled.halves, 2 * weights.halves)


def ratios(hits: np.ndarray, weights: np.ndarray, images: np.ndarray) -> np.ndarray:
    return (weights @ hits) / (weights @ images)


def test_interval_covers_a_smooth_statistic_and_one_that_jumps() -> None:
    generator = np.random.default_rng(0)
    smooth = jumping = 0
    cuts = np.linspace(0.2, 0.4, 41)
    for trial in range(200):
        fold = generator.integers(0, 16, 300)
        images = np.bincount(fold, minlength=16)
        hits = np.bincount(fold, generator.uniform(size=300) < 0.3, minlength=16)
        weights = resampling(images, 2, 60, trial)
        share = weights.split(ratios(hits, weights.stacked(), images))
        # How many cuts lie below the share: 20.5 at the true share, in steps of 1.
        count = share.map(lambda values: (values[..., None] > cuts).sum(axis=-1))
        one, two = estimate(share, weights.sizes), estimate(count, weights.sizes)
        smooth += bool(one.low <= 0.3 <= one.high)
        jumping += bool(two.low <= 20.5 <= two.high)
    assert 0.92 <= smooth / 200 <= 1
    assert 0.92 <= jumping / 200 <= 1


def test_interval_is_positive_although_no_single_fold_matters() -> None:
    halves = np.array([[3.0, 4.0], [3.0, 3.0], [4.0, 3.0], [3.0, 3.0]])
    values = Resampled(np.array(3.0), np.full(5, 3.0), np.full(9, 3.0), halves)
    result = estimate(values, [10] * 5)
    assert result.standard_error == pytest.approx(np.sqrt(0.5) / 2)
    assert result.low < 3 < result.high
    assert (
        estimate(
            Resampled(np.array(0.0), *(getattr(values, n) for n in ("without", "bootstrap", "halves"))),
            [10] * 5,
            nonnegative=True,
        ).low
        == 0
    )


def test_noise_floor_of_pairs_is_the_larger_one() -> None:
    floor = noise_floor(np.column_stack([np.linspace(0, 1, 101), np.full(101, 0.5), np.zeros(101)]), level=0.9)
    np.testing.assert_allclose(floor.mean, [0.5, 0.5, 0])
    np.testing.assert_allclose(floor.of_pairs(), [[0.9, 0.9, 0.9], [0.9, 0.5, 0.5], [0.9, 0.5, 0]])


def test_ellipse_covers_the_mean_of_few_folds_at_its_level() -> None:
    generator = np.random.default_rng(1)
    shape = np.array([[2.0, 0.5], [0.0, 0.3]])
    inside = 0
    for trial in range(300):
        folds = generator.normal(size=(8, 2)) @ shape
        weights = bootstrap_weights(np.ones(8), 400, trial)
        region = ellipse(folds.mean(axis=0), weights @ folds / 8, 8)
        angle = np.deg2rad(region.angle)
        turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) @ -np.array(region.centre)
        inside += bool(((turned / (np.array(region.axes) / 2)) ** 2).sum() <= 1)
    assert 0.91 <= inside / 300 <= 0.985


def test_ellipse_of_a_line_has_its_direction_and_no_width() -> None:
    steps = np.linspace(-1, 1, 50)[:, None]
    region = ellipse([5.0, 6.0], steps * [1.0, 1.0], 16)
    assert region.centre == (5.0, 6.0) and region.angle == pytest.approx(45)
    assert region.axes[0] > 1 and region.axes[1] == pytest.approx(0, abs=1e-6)
    assert ellipse([0.0, 0.0], np.zeros((9, 2)), 16).axes == (0.0, 0.0)

"""Scores when images are drawn again: those of a data set in which images stand as often as they were drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from intermodel.clip_dissect.scores import SMALLEST_NORM, top_images
from intermodel.clip_dissect.scoring import Scorer, drawn_top, image_draws, shuffled_units


@pytest.fixture(scope="module")
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Cosines (120, 9), activations (120, 4), three words of each unit, and five draws."""
    generator = np.random.default_rng(0)
    similarity, activation = generator.uniform(0.05, 0.4, (120, 9)), generator.gamma(1.0, size=(120, 4))
    words = np.stack([generator.permutation(9)[:3] for _ in range(4)])
    return similarity, activation, words, image_draws(120, 5, generator)


@pytest.mark.parametrize("score", ["soft_wpmi", "wpmi", "cosine", "rank_reorder"])
def test_drawing_images_repeats_them(problem: tuple[np.ndarray, ...], score: Any) -> None:
    similarity, activation, words, times = problem
    found = Scorer(score, similarity, 20).drawn(activation, words, times)
    for draw, often in enumerate(times):
        rows = np.repeat(np.arange(120), often)
        expected = Scorer(score, similarity[rows], 20).evidence(activation[rows])
        np.testing.assert_allclose(found[draw], np.take_along_axis(expected, words, axis=1), rtol=1e-10)


def test_the_cubed_cosine_keeps_its_centres(problem: tuple[np.ndarray, ...]) -> None:
    similarity, activation, words, times = problem
    found = Scorer("cubed_cosine", similarity).drawn(activation, words, times)
    p, q = (similarity - similarity.mean(axis=0)) ** 3, (activation - activation.mean(axis=0)) ** 3
    rows = np.repeat(np.arange(120), times[2])
    one, other = p[rows, words[1, 0]], q[rows, 1]
    size = max(np.linalg.norm(one), SMALLEST_NORM) * max(np.linalg.norm(other), SMALLEST_NORM)
    assert found[2, 1, 0] == pytest.approx(one @ other / size)
    once = Scorer("cubed_cosine", similarity)
    plain = once.drawn(activation, words, np.ones((1, 120), int))[0]
    np.testing.assert_allclose(plain, np.take_along_axis(once.evidence(activation), words, axis=1), rtol=1e-10)


def test_no_draw_gives_no_score(problem: tuple[np.ndarray, ...]) -> None:
    similarity, activation, words, times = problem
    assert Scorer("soft_wpmi", similarity, 20).drawn(activation, words, times[:0]).shape == (0, 4, 3)


def test_draws_that_miss_the_strongest_images_reach_further() -> None:
    order = np.arange(300)
    times = np.zeros((1, 300), int)
    times[0, [290, 299]] = 150
    assert drawn_top(order, times, 200)[0].tolist() == [290] * 150 + [299] * 50


def test_draws_hold_as_many_images_as_there_are() -> None:
    times = image_draws(50, 400, np.random.default_rng(1))
    assert times.shape == (400, 50) and (times.sum(axis=1) == 50).all()
    np.testing.assert_allclose(times.mean(axis=0), 1, atol=0.25)


def test_shuffled_units_keep_their_activations() -> None:
    activation = np.random.default_rng(0).normal(size=(40, 3))
    found = shuffled_units(activation, 7, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(found, axis=0), np.sort(activation, axis=0)[:, [0, 1, 2, 0, 1, 2, 0]])
    assert not (top_images(found, 5)[:3] == top_images(activation, 5)).all()
    assert shuffled_units(activation[:, :0], 7, np.random.default_rng(1)).shape == (40, 0)

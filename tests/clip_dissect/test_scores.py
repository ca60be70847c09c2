"""The scores of CLIP-Dissect: the authors' program's own numbers, and the definitions written out."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from intermodel.clip_dissect.scores import (
    WPMI,
    Wpmi,
    cosine,
    cubed_cosine,
    image_weights,
    log_evidence,
    log_sum,
    normalised,
    rank_reorder,
    reorder_scores,
    shuffled_error,
    top_images,
    word_probabilities,
)
from numpy.typing import NDArray

GOLDEN = Path(__file__).parents[1] / "golden" / "concepts" / "clip_dissect_a.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[np.float64]]:
    return dict(np.load(GOLDEN))


def scored(similarity: NDArray[np.float64], activation: NDArray[np.float64], settings: Wpmi, top: int) -> np.ndarray:
    images = top_images(activation, top)
    probability = word_probabilities(similarity, settings.sharpness)
    evidence = log_evidence(probability, images, image_weights(settings, top))
    return normalised(evidence, log_sum(evidence), len(evidence), settings.factor)


@pytest.mark.parametrize(("score", "top"), [("soft_wpmi", "top_k"), ("wpmi", "wpmi_top_k")])
def test_wpmi_is_that_of_the_authors_program(golden: dict[str, NDArray[np.float64]], score: str, top: str) -> None:
    got = scored(golden["concept_activation"], golden["unit_activation"], WPMI[score], int(golden[top]))
    np.testing.assert_allclose(got, golden[score], atol=1e-3)
    np.testing.assert_array_equal(got.argmax(axis=1), golden[score].argmax(axis=1))


def test_cosines_are_those_of_the_authors_program(golden: dict[str, NDArray[np.float64]]) -> None:
    similarity, activation = golden["concept_activation"], golden["unit_activation"]
    np.testing.assert_allclose(cosine(similarity, activation), golden["cos_similarity"], atol=1e-12)
    np.testing.assert_allclose(cubed_cosine(similarity, activation), golden["cos_similarity_cubed"], atol=1e-12)


@pytest.mark.parametrize("top", [5, 100, 200])
@pytest.mark.parametrize("score", ["soft_wpmi", "wpmi"])
def test_wpmi_is_the_definition_written_out(score: str, top: int) -> None:
    generator = np.random.default_rng(0)
    similarity, activation = generator.uniform(-0.3, 0.4, (250, 6)), generator.normal(size=(250, 4))
    settings = WPMI[score]
    evidence = np.zeros((4, 6))
    for unit in range(4):
        strongest = sorted(range(250), key=lambda image: -activation[image, unit])[:top]
        for place, image in enumerate(strongest):
            weight = 0.998 - place / top * 0.028 if score == "soft_wpmi" else 1.0
            scaled = np.exp(settings.sharpness * similarity[image])
            evidence[unit] += np.log(1 + weight * (scaled / scaled.sum() - 1) + 1e-7)
    expected = evidence - settings.factor * (np.log(np.exp(evidence).sum(axis=0)) - np.log(4))
    np.testing.assert_allclose(scored(similarity, activation, settings, top), expected, rtol=1e-10, atol=1e-10)


def test_evidence_stays_finite_where_no_image_speaks_for_a_word() -> None:
    probability = np.zeros((300, 2))
    probability[:, 0] = 1.0
    images = np.arange(300)[None]
    found = log_evidence(probability, images, image_weights(WPMI["soft_wpmi"], 300))
    assert np.isfinite(found).all()
    assert found[0, 1] < -1000 < -1 < found[0, 0]


def test_ties_go_to_the_first_image() -> None:
    activation = np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 3.0], [2.0, 0.0], [0.0, 0.0]])
    assert top_images(activation, 4).tolist() == [[1, 3, 0, 2], [2, 0, 1, 3]]


def test_defaults_are_those_of_the_paper() -> None:
    assert WPMI["soft_wpmi"] == Wpmi(10.0, 100, 0.998, 0.97, 1.0)
    assert WPMI["wpmi"] == Wpmi(2.0, 28, 1.0, 1.0, 0.6)
    weights = image_weights(WPMI["soft_wpmi"], 100)
    np.testing.assert_allclose([weights[0], weights[50], weights[99]], [0.998, 0.984, 0.998 - 0.99 * 0.028])


def test_silent_columns_have_no_cosine() -> None:
    similarity, activation = np.ones((10, 2)), np.zeros((10, 1))
    np.testing.assert_array_equal(cosine(similarity, activation), [[0.0, 0.0]])
    np.testing.assert_array_equal(cubed_cosine(similarity, activation), [[0.0, 0.0]])


def test_rank_reorder_is_that_of_the_authors_program(golden: dict[str, NDArray[np.float64]]) -> None:
    """But for one factor per unit: they estimate the error of a random order from five shuffles."""
    similarity, activation = golden["concept_activation"], golden["unit_activation"]
    got, theirs = (
        rank_reorder(similarity, activation, float(golden["rank_reorder_top_fraction"])),
        golden["rank_reorder_seed0"],
    )
    # The root of a negative mean cosine is NaN there, next to the worst score here.
    known = ~np.isnan(theirs)
    assert known.sum() > 100 and got[~known].max() < got[known].min()
    factor = np.where(known, got / theirs, np.nan)
    assert np.nanmax(np.nanmax(factor, axis=1) / np.nanmin(factor, axis=1)) == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(np.nanmean(factor, axis=1), 1, atol=0.15)
    np.testing.assert_array_equal(got.argmax(axis=1), np.nanargmax(theirs, axis=1))


def test_the_error_of_a_random_order_is_the_mean_over_all_orders() -> None:
    values = np.array([3.0, 1.5, 1.5, 0.2, -7.0])
    orders = [np.mean(np.abs(values - values[list(order)]) ** 3) for order in permutations(range(5))]
    assert shuffled_error(values) == pytest.approx(np.mean(orders), rel=1e-12)
    assert shuffled_error(np.full(4, 2.0)) == 0


def test_an_order_by_activation_has_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    activation = np.array([5.0, 3.0, 2.0, 1.0])
    similarity = np.array([[0.4, 0.1], [0.3, 0.2], [0.2, 0.3], [0.1, 0.4]])
    found = reorder_scores(similarity, activation)
    # In reverse order: differences 4, 1, 1, 4.
    assert found[0] == 0
    assert found[1] == pytest.approx(-(4**3 + 1 + 1 + 4**3) / 4 / shuffled_error(activation) / np.sqrt(0.25))
    monkeypatch.setattr("intermodel.clip_dissect.scores.BLOCK_VALUES", 1)
    np.testing.assert_array_equal(reorder_scores(similarity, activation), found)

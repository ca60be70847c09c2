"""Distances against golden values and the published networks; metric properties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.lce import distances
from intermodel.lce.vectors import concept_vectors

counts = arrays(np.int64, (5, 6), elements=st.integers(0, 4))

# Similarities of ResNet-152 ImageNet, ResNet-152 Places365, ResNet-50 ImageNet and AlexNet trained on ImageNet,
# Places205, Places365, in that order: upper triangle, row by row.
COSINE = [0.6079, 0.9277, 0.5213, 0.2777, 0.4228, 0.5707, 0.3389, 0.3700, 0.4513, 0.6079, 0.2612, 0.4035, 0.3832]
COSINE += [0.4949, 0.7890]
JACCARD = [0.4615, 0.7175, 0.2228, 0.2476, 0.2995, 0.4545, 0.1509, 0.1901, 0.2281, 0.2487, 0.2615, 0.3438, 0.3750]
JACCARD += [0.4023, 0.5904]
HELLINGER = [0.5654, 0.2688, 0.6867, 0.7364, 0.6625, 0.5609, 0.7669, 0.7380, 0.6996, 0.6379, 0.7216, 0.6360, 0.6721]
HELLINGER += [0.6290, 0.4530]


def test_published_networks_to_four_decimals(published: np.ndarray) -> None:
    upper = np.triu_indices(6, 1)
    assert published.shape == (6, 340)
    np.testing.assert_allclose(1 - distances.cosine(published)[upper], COSINE, atol=5.001e-5)
    np.testing.assert_allclose(1 - distances.jaccard(published)[upper], JACCARD, atol=5.001e-5)
    np.testing.assert_allclose(distances.hellinger(published)[upper], HELLINGER, atol=5.001e-5)


@pytest.mark.parametrize("name", ["lce_a", "lce_d_mixed_width"])
def test_golden_distances(name: str, golden: Callable[[str], dict[str, np.ndarray]]) -> None:
    values = golden(name)
    count, units = values["lce_count"], values["units_per_model"]
    for variant in ("count", "fraction", "binary", "hellinger"):
        vectors = concept_vectors(count, units, variant)
        np.testing.assert_allclose(distances.euclidean(vectors), values[f"euclidean_{variant}"], atol=1e-12)
    np.testing.assert_allclose(distances.cosine(count), values["cosine_distance_count"], atol=1e-12)
    np.testing.assert_allclose(distances.jaccard(count), values["jaccard_distance_binary"], atol=1e-12)
    np.testing.assert_allclose(distances.hellinger(count) * np.sqrt(2), values["euclidean_hellinger"], atol=1e-12)


def test_identical_models_are_at_distance_zero(golden: Callable[[str], dict[str, np.ndarray]]) -> None:
    count = golden("lce_d_mixed_width")["lce_count"]
    for name in distances.DISTANCES:
        assert distances.distance_matrix(count, count, name)[0, 3] == 0


@settings(deadline=None, max_examples=40)
@given(counts)
def test_jaccard_hellinger_and_euclidean_are_metrics(count: np.ndarray) -> None:
    for name in ("jaccard", "hellinger", "euclidean"):
        gaps = distances.distance_matrix(count, count, name)
        np.testing.assert_array_equal(gaps, gaps.T)
        assert (np.diag(gaps) == 0).all() and (gaps >= 0).all()
        if name != "euclidean":
            assert (gaps <= 1).all()
        # d(i, k) <= d(i, j) + d(j, k) for all j.
        assert (gaps[:, None, :] <= (gaps[:, :, None] + gaps[None, :, :]).min(axis=1)[:, None] + 1e-12).all()


@settings(deadline=None, max_examples=30)
@given(counts, st.integers(1, 4))
def test_labels_that_nobody_detects_change_nothing(count: np.ndarray, extra: int) -> None:
    padded = np.pad(count, ((0, 0), (0, extra)))
    for name in distances.DISTANCES:
        np.testing.assert_allclose(
            distances.distance_matrix(padded, padded, name), distances.distance_matrix(count, count, name), atol=1e-12
        )


def test_model_without_detectors_is_at_cosine_distance_one_and_flagged() -> None:
    count = np.array([[0, 0, 0], [1, 2, 0], [0, 0, 3]])
    assert distances.empty_models(count).tolist() == [True, False, False]
    np.testing.assert_allclose(distances.cosine(count), [[1, 1, 1], [1, 0, 1], [1, 1, 0]], atol=1e-15)
    assert distances.jaccard(count)[0].tolist() == [0, 1, 1]
    np.testing.assert_allclose(distances.hellinger(count)[0], [0, np.sqrt(0.5), np.sqrt(0.5)])


def test_replicates_are_handled_at_once() -> None:
    count = np.random.default_rng(0).integers(0, 3, (7, 4, 5))
    for name in distances.DISTANCES:
        together = distances.distance_matrix(count, count, name)
        np.testing.assert_allclose(together, [distances.distance_matrix(one, one, name) for one in count], atol=1e-15)


def test_cosine_survives_extreme_sizes() -> None:
    rows = np.array([[1e-200, 0.0], [1e200, 1e200]])
    assert distances.cosine(rows)[0, 1] == pytest.approx(1 - np.sqrt(0.5))


def test_refuses_unknown_distances_and_negative_shares() -> None:
    with pytest.raises(ValueError, match="distance is 'l1'"):
        distances.distance_matrix(np.ones((2, 2)), np.ones((2, 2)), "l1")
    with pytest.raises(ValueError, match="at least 0"):
        distances.hellinger([[1.0, -1.0]])

"""Maps of models: principal components, scaling, multidimensional scaling."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.lce.distances import euclidean
from intermodel.lce.projection import classical_mds, metric_mds, pca, procrustes, replicate_components, scaling
from intermodel.lce.vectors import concept_vectors
from sklearn.manifold import smacof

vectors = arrays(np.float64, (5, 8), elements=st.integers(0, 6).map(float))


@pytest.mark.parametrize("name", ["lce_a", "lce_d_mixed_width"])
@pytest.mark.parametrize("variant", ["count", "fraction", "binary", "hellinger"])
def test_golden_components(name: str, variant: str, golden: Callable[[str], dict[str, np.ndarray]]) -> None:
    values = golden(name)
    result = pca(concept_vectors(values["lce_count"], values["units_per_model"], variant), 2)
    np.testing.assert_allclose(result.scores, values[f"pca_scores_{variant}"], atol=1e-10)
    np.testing.assert_allclose(result.components, values[f"pca_components_{variant}"], atol=1e-10)
    np.testing.assert_allclose(result.explained, values[f"pca_explained_{variant}"], atol=1e-12)


def test_published_networks_explained_variance(published: np.ndarray) -> None:
    np.testing.assert_allclose(pca(published, 3).explained, [0.754, 0.192, 0.049], atol=5.001e-4)


def test_two_models_lie_on_one_axis_at_half_their_distance() -> None:
    rows = np.random.default_rng(0).uniform(0, 5, (2, 9))
    result = pca(rows, 5)
    half = euclidean(rows)[0, 1] / 2
    assert result.scores.shape == (2, 1) and result.explained == pytest.approx([1.0])
    np.testing.assert_allclose(np.sort(result.scores[:, 0]), [-half, half])


def test_one_model_or_equal_models_have_no_axis() -> None:
    for rows in (np.ones((1, 4)), np.full((3, 4), 0.1)):
        result = pca(rows)
        assert result.scores.shape == (len(rows), 0) and result.explained.shape == (0,)


@settings(deadline=None, max_examples=40)
@given(vectors)
def test_all_components_keep_all_distances(rows: np.ndarray) -> None:
    result = pca(rows, 10)
    assert len(result.components) <= 4
    np.testing.assert_allclose(euclidean(result.scores), euclidean(rows), atol=1e-9)
    np.testing.assert_allclose(result.project(rows), result.scores, atol=1e-9)
    np.testing.assert_allclose(result.explained.sum(), float(len(result.components) > 0))
    for loadings in result.components:
        # Of equal magnitudes, up to rounding, the first.
        size = np.abs(loadings)
        assert loadings[size >= size.max() * (1 - 1e-9)][0] > 0


@settings(deadline=None, max_examples=20)
@given(vectors, st.integers(1, 3))
def test_labels_that_nobody_detects_leave_the_scores(rows: np.ndarray, extra: int) -> None:
    plain, padded = pca(rows, 4), pca(np.pad(rows, ((0, 0), (0, extra))), 4)
    np.testing.assert_allclose(euclidean(padded.scores), euclidean(plain.scores), atol=1e-9)
    np.testing.assert_allclose(padded.explained, plain.explained, atol=1e-9)


def test_identical_models_share_their_coordinates(golden: Callable[[str], dict[str, np.ndarray]]) -> None:
    scores = pca(golden("lce_d_mixed_width")["lce_count"], 5).scores
    np.testing.assert_allclose(scores[0], scores[3], atol=1e-12)


def test_scaling() -> None:
    rows = np.array([[0.0, 1, 4], [0, 3, 4], [0, 5, 16]])
    np.testing.assert_array_equal(scaling(rows)(rows), rows)
    np.testing.assert_array_equal(scaling(rows, "sqrt")(rows), np.sqrt(rows))
    np.testing.assert_array_equal(scaling(rows, "log1p")(rows), np.log1p(rows))
    unit = scaling(rows, "unit")
    np.testing.assert_allclose(unit(rows).std(axis=0), [0, 1, 1])
    # Further vectors are divided by what was learned, not by their own spread.
    np.testing.assert_allclose(unit(rows[:1]), rows[:1] / [1, rows[:, 1].std(), rows[:, 2].std()])
    with pytest.raises(ValueError, match="scale is 'log'"):
        scaling(rows, "log")


def test_classical_scaling_of_euclidean_distances_is_pca() -> None:
    rows = np.random.default_rng(1).normal(size=(6, 4))
    points = classical_mds(euclidean(rows), 4)
    np.testing.assert_allclose(np.abs(points), np.abs(pca(rows, 4).scores), atol=1e-9)
    np.testing.assert_allclose(euclidean(points), euclidean(rows), atol=1e-9)


def test_metric_mds_is_perfect_for_flat_distances_and_beats_the_classical_start() -> None:
    generator = np.random.default_rng(2)
    flat = euclidean(generator.normal(size=(7, 2)))
    assert metric_mds(flat).stress < 1e-6
    rough = euclidean(generator.normal(size=(9, 6)))
    classic, metric = classical_mds(rough), metric_mds(rough)
    total = (rough**2).sum()
    assert metric.stress < np.sqrt(((euclidean(classic) - rough) ** 2).sum() / total)
    assert metric.stress == pytest.approx(np.sqrt(((euclidean(metric.scores) - rough) ** 2).sum() / total))
    np.testing.assert_array_equal(metric.scores, metric_mds(rough).scores)
    # An independent implementation from the same start ends in the same place.
    other, stress = smacof(
        rough, init=classic, n_init=1, max_iter=5000, eps=1e-14, metric=True, normalized_stress=False
    )
    assert metric.stress == pytest.approx(np.sqrt(stress * 2 / total), rel=1e-3)
    np.testing.assert_allclose(procrustes(other, metric.scores), metric.scores, atol=2e-2)


def test_metric_mds_of_coinciding_and_of_two_models() -> None:
    assert (metric_mds(np.zeros((3, 3))).scores == 0).all()
    points = metric_mds(np.array([[0.0, 3.0], [3.0, 0.0]])).scores
    np.testing.assert_allclose(points, [[1.5, 0], [-1.5, 0]], atol=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000))
def test_procrustes_undoes_shift_rotation_and_reflection(seed: int) -> None:
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(6, 2))
    turn = np.linalg.qr(generator.normal(size=(2, 2)))[0]
    np.testing.assert_allclose(procrustes(points @ turn + [3, -1], points), points, atol=1e-9)


def test_components_of_draws_are_turned_onto_those_of_all_images() -> None:
    generator = np.random.default_rng(4)
    values = generator.normal(size=(6, 12)) * np.linspace(3, 0.1, 12)
    axes = pca(values, 2).components
    # Swapping and mirroring the models leaves the plane where it is; so does the order of the models.
    draws = np.stack([values, -values, values[::-1] + 5.0])
    for turned in replicate_components(draws, axes):
        np.testing.assert_allclose(turned, axes, atol=1e-9)
    noisy = replicate_components(values + 0.05 * generator.normal(size=(200, 6, 12)), axes)
    np.testing.assert_allclose(noisy.mean(axis=0), axes, atol=0.05)
    np.testing.assert_allclose(noisy @ noisy.swapaxes(1, 2), np.broadcast_to(np.eye(2), (200, 2, 2)), atol=1e-9)


def test_draws_without_differences_have_no_components() -> None:
    values = np.random.default_rng(5).normal(size=(4, 7))
    axes = pca(values, 2).components
    assert (replicate_components(np.ones((3, 4, 7)), axes) == 0).all()
    line = np.outer(np.arange(4.0), axes[0])
    found = replicate_components(line[None], axes)[0]
    np.testing.assert_allclose(np.abs(found[0] @ axes[0]), 1)
    assert np.linalg.matrix_rank(found, tol=1e-9) == 1
    assert replicate_components(values[None], axes[:0]).shape == (1, 0, 7)

"""Clusters of models against scipy and scikit-learn; stability under replicates."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.lce.clusters import (
    Support,
    adjusted_rand,
    agglomerate,
    choose_number,
    cluster_stability,
    cut,
    silhouette,
    support,
    together,
)
from intermodel.lce.distances import euclidean
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score, silhouette_samples, silhouette_score


def cloud(seed: int, models: int = 9) -> np.ndarray:
    return euclidean(np.random.default_rng(seed).normal(size=(models, 4)))


@pytest.mark.parametrize("linkage", ["average", "ward"])
@pytest.mark.parametrize("seed", range(4))
def test_merges_agree_with_scipy(linkage: str, seed: int) -> None:
    gaps = cloud(seed)
    merges, reference = agglomerate(gaps, linkage), hierarchy.linkage(squareform(gaps, checks=False), linkage)
    np.testing.assert_allclose(merges, reference)
    for clusters in range(1, 10):
        ours, theirs = cut(merges, clusters), hierarchy.fcluster(reference, clusters, "maxclust")
        np.testing.assert_array_equal(ours[:, None] == ours, theirs[:, None] == theirs)


@pytest.mark.parametrize("clusters", [2, 3, 5])
def test_silhouettes_agree_with_scikit_learn(clusters: int) -> None:
    gaps = cloud(5)
    labels = cut(agglomerate(gaps), clusters)
    np.testing.assert_allclose(
        silhouette(gaps, labels), silhouette_samples(gaps, labels, metric="precomputed"), atol=1e-12
    )


def test_clear_groups_are_found_and_numbered_in_model_order() -> None:
    points = np.array([[9.0], [0], [9.1], [0.2], [5]])
    gaps = euclidean(points)
    labels = cut(agglomerate(gaps), 3)
    assert labels.tolist() == [0, 1, 0, 1, 2]
    assert silhouette(gaps, labels)[4] == 0 and silhouette(gaps, labels)[:4].min() > 0.9
    assert np.isnan(silhouette(gaps, np.zeros(5))).all()


def test_coinciding_models_join_first_and_have_no_silhouette_trouble() -> None:
    gaps = euclidean(np.array([[1.0], [1.0], [1.0], [1.0]]))
    merges = agglomerate(gaps)
    assert (merges[:, 2] == 0).all()
    np.testing.assert_array_equal(silhouette(gaps, cut(merges, 2)), np.zeros(4))


def test_stability_counts_replicates() -> None:
    share = together([[0, 0, 1]] * 3 + [[0, 1, 0]])
    np.testing.assert_allclose(share, [[1, 0.75, 0.25], [0.75, 1, 0], [0.25, 0, 1]])
    np.testing.assert_allclose(cluster_stability(share, [0, 0, 1]), [0.75, np.nan])


@pytest.mark.parametrize("seed", range(5))
def test_adjusted_rand_index_agrees_with_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    one, two = generator.integers(0, 3, 11), generator.integers(0, 4, (7, 11))
    expected = [adjusted_rand_score(one, row) for row in two]
    np.testing.assert_allclose(adjusted_rand(one, two), expected, atol=1e-12)
    assert adjusted_rand([0, 0, 0], [1, 1, 1]) == adjusted_rand([0, 1, 2], [2, 0, 1]) == 1


def test_support_of_each_number_of_clusters() -> None:
    """Two tight pairs and a triple; the triple's inner order changes from draw to draw."""
    points = np.array([[0.0, 0], [0.1, 0], [9, 0], [9.1, 0], [0, 9], [0, 10], [0, 11.2]])
    shaken = points.copy()
    shaken[4:] = [[0, 9], [0, 11], [0, 11.5]]
    trees = [agglomerate(euclidean(part)) for part in (points, shaken, shaken, points)]
    found = support(euclidean(points), agglomerate(euclidean(points)), trees)
    assert found.clusters.tolist() == [2, 3, 4, 5, 6]
    assert found.stability[1] == found.unchanged[1] == 1
    assert found.unchanged[2] == 0.5 and found.stability[2] < 1
    for row, number in enumerate(found.clusters):
        labels = cut(agglomerate(euclidean(points)), number)
        assert found.silhouette[row] == pytest.approx(silhouette_score(euclidean(points), labels, metric="precomputed"))
    assert choose_number(found) == 3


def test_only_a_stable_number_is_chosen() -> None:
    numbers = np.array([2, 3, 4])
    found = Support(numbers, np.array([0.2, 0.5, 0.9]), np.array([0.95, 0.8, 0.3]), np.ones(3))
    assert choose_number(found) == 3
    assert choose_number(Support(numbers, found.silhouette, np.full(3, 0.79), np.ones(3))) == 1
    assert choose_number(support(euclidean(np.eye(2)), agglomerate(euclidean(np.eye(2))), [])) == 1


def test_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="symmetric"):
        agglomerate(np.arange(9.0).reshape(3, 3))
    with pytest.raises(ValueError, match="linkage is 'single'"):
        agglomerate(cloud(0), "single")
    with pytest.raises(ValueError, match="expected 1 to 9"):
        cut(agglomerate(cloud(0)), 10)

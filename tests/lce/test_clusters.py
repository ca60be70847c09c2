"""Clusters of models against scipy and scikit-learn; stability under replicates."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.lce.clusters import agglomerate, cluster_stability, cut, silhouette, stability
from intermodel.lce.distances import euclidean
from scipy.cluster import hierarchy
from scipy.spatial.distance import squareform
from sklearn.metrics import silhouette_samples


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
    apart = euclidean(np.array([[0.0], [1], [10]]))
    swapped = euclidean(np.array([[0.0], [10], [1]]))
    together = stability(np.stack([apart, apart, apart, swapped]), 2)
    np.testing.assert_allclose(together, [[1, 0.75, 0.25], [0.75, 1, 0], [0.25, 0, 1]])
    np.testing.assert_allclose(cluster_stability(together, [0, 0, 1]), [0.75, np.nan])


def test_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match="symmetric"):
        agglomerate(np.arange(9.0).reshape(3, 3))
    with pytest.raises(ValueError, match="linkage is 'single'"):
        agglomerate(cloud(0), "single")
    with pytest.raises(ValueError, match="expected 1 to 9"):
        cut(agglomerate(cloud(0)), 10)

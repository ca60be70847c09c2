import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.quality import neighbours as module
from intermodel.quality.neighbours import closeness, nearest, neighbourhood_consistency


def test_distances_and_consistency_equal_the_reference(golden):
    reference = golden("baselines_n240_k48")
    count, k = int(reference["n_ref"]), int(reference["knn_k"])
    for metric in ("cosine", "euclidean"):
        found = [nearest(space[:count], space[count:], k, metric) for space in reference["spaces"]]
        for i, neighbours in enumerate(found):
            np.testing.assert_allclose(closeness(neighbours, k), reference[f"knn_{metric}_{i}"], atol=1e-12, rtol=0)
        overlap = neighbourhood_consistency([neighbours.index for neighbours in found], count)
        np.testing.assert_allclose(overlap.mean(axis=0), reference[f"nc_{metric}"], atol=1e-12)


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_blocks_do_not_matter_and_order_is_by_distance(metric, monkeypatch):
    rng = np.random.default_rng(0)
    reference, queries = rng.normal(size=(60, 5)), rng.normal(size=(33, 5))
    whole = nearest(reference, queries, 7, metric)
    monkeypatch.setattr(module, "BATCH_ELEMENTS", 200)
    blocks = nearest(reference, queries, 7, metric)
    np.testing.assert_array_equal(whole.index, blocks.index)
    assert (np.diff(whole.distance, axis=1) >= 0).all()
    if metric == "euclidean":
        distance = np.linalg.norm(queries[:, None] - reference, axis=2)
        np.testing.assert_array_equal(whole.index, np.argsort(distance, axis=1)[:, :7])


def test_close_points_far_from_the_origin_keep_their_distances():
    reference = np.array([[1e6, 1e-3], [1e6, 4e-3]])
    found = nearest(reference, np.array([[1e6, 0.0]]), 2, "euclidean")
    np.testing.assert_allclose(np.sort(found.distance), [[1e-3, 4e-3]], rtol=1e-9)


def test_no_more_neighbours_than_reference_images():
    assert nearest(np.eye(3), np.eye(3)[:1], 10).index.shape == (1, 3)
    with pytest.raises(UserError, match="no training image"):
        nearest(np.empty((0, 3)), np.eye(3), 1)


def test_consistency_of_equal_disjoint_and_half_shared_neighbours():
    a = np.array([[0, 1, 2, 3]])
    b = np.array([[4, 5, 6, 7]])
    c = np.array([[2, 3, 4, 5]])
    assert neighbourhood_consistency([a, a[:, ::-1]], 9).tolist() == [[1.0], [1.0]]
    assert neighbourhood_consistency([a, b], 9).tolist() == [[0.0], [0.0]]
    np.testing.assert_allclose(neighbourhood_consistency([a, b, c], 9), [[1 / 6], [1 / 6], [1 / 3]])


def test_controls_are_compared_and_are_no_partners():
    a, b, control = np.array([[0, 1]]), np.array([[1, 2]]), np.array([[5, 6]])
    found = neighbourhood_consistency([a, b, control], 7, [True, True, False])
    np.testing.assert_allclose(found, [[1 / 3], [1 / 3], [0.0]])
    alone = neighbourhood_consistency([a, control], 7, [True, False])
    assert np.isnan(alone[0, 0]) and alone[1, 0] == 0

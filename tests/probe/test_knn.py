import numpy as np
import pytest
from intermodel.engine.errors import UserError
from intermodel.probe import knn
from intermodel.probe.knn import knn_predict


def plain(train, labels, test, k, temperature):
    """The vote of one image after the other."""
    predicted = []
    for image in test:
        similarity = [row @ image / np.linalg.norm(row) / np.linalg.norm(image) for row in train]
        nearest = np.argsort(similarity)[::-1][:k]
        votes = dict.fromkeys(sorted(set(labels)), 0.0)
        for i in nearest:
            votes[labels[i]] += np.exp(similarity[i] / temperature)
        predicted.append(max(votes, key=lambda label: (votes[label], -label)))
    return predicted


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.07), (7, 0.07), (15, 1.0), (500, 0.5)])
def test_votes_are_those_of_a_plain_loop(k, temperature, monkeypatch):
    monkeypatch.setattr(knn, "BATCH_ELEMENTS", 1000)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 90) * 3
    train = rng.normal(size=(90, 6)) + rng.normal(size=(10, 6))[labels]
    test = rng.normal(size=(40, 6))
    assert knn_predict(train, labels, test, k, temperature).tolist() == plain(train, labels, test, k, temperature)


def test_size_of_rows_does_not_matter():
    rng = np.random.default_rng(1)
    train, test, labels = rng.normal(size=(50, 5)), rng.normal(size=(20, 5)), rng.integers(0, 3, 50)
    expected = knn_predict(train, labels, test)
    scaled = knn_predict(train * 10.0 ** rng.uniform(-200, 200, (50, 1)), labels, test * 1e-300)
    np.testing.assert_array_equal(scaled, expected)


def test_small_temperatures_do_not_overflow():
    train, labels = np.eye(4), np.arange(4)
    assert knn_predict(train, labels, np.eye(4), 4, 1e-6).tolist() == [0, 1, 2, 3]


def test_zero_features_are_as_far_from_everything():
    assert knn_predict(np.zeros((3, 2)), np.array([2, 5, 5]), np.zeros((1, 2)), 3).tolist() == [5]


@pytest.mark.parametrize("train", [np.empty((0, 3)), np.ones((2, 4))])
def test_nothing_to_compare_with_is_told(train):
    with pytest.raises(UserError, match="at least one training image and equal widths"):
        knn_predict(train, np.zeros(len(train), int), np.ones((2, 3)))

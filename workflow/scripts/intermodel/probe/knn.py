"""A k-nearest-neighbour probe: nothing to fit, so it tells how classes lie in the feature space itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from intermodel.engine.errors import UserError

# Elements of the similarity matrix held at a time.
BATCH_ELEMENTS = 8_000_000


def knn_predict(
    train: NDArray[np.floating],
    labels: NDArray[np.integer],
    test: NDArray[np.floating],
    neighbours: int = 20,
    temperature: float = 0.07,
) -> NDArray[np.int64]:
    """Labels voted by the most similar training images.

    Neighbours are found by cosine similarity s and vote with weight exp(s / temperature) (Wu et al. 2018, arXiv
    1805.01978, section 3.4); of equal sums the smallest label wins.

    Parameters
    ----------
    train, labels
        Training features, (N, C), and their labels, (N,).
    test
        Features to be labelled, (M, C).
    neighbours
        k, at most N are used.
    temperature
        Smaller values let the closest neighbours dominate.

    Returns
    -------
    array
        (M,) labels.

    Raises
    ------
    UserError
        If there is no training image or the widths differ.
    """
    if len(train) == 0 or train.shape[1] != test.shape[1]:
        raise UserError(
            f"A kNN probe got training features of shape {train.shape} and test features of shape {test.shape}; "
            "expected at least one training image and equal widths."
        )
    classes, targets = np.unique(labels, return_inverse=True)
    reference = _unit_rows(train)
    count = min(neighbours, len(train))
    result = np.empty(len(test), dtype=np.int64)
    size = max(1, BATCH_ELEMENTS // len(train))
    for start in range(0, len(test), size):
        similarity = _unit_rows(test[start : start + size]) @ reference.T
        nearest = np.argpartition(similarity, len(train) - count, axis=1)[:, len(train) - count :]
        closeness = np.take_along_axis(similarity, nearest, axis=1)
        # Only ratios of weights matter; subtracting the largest keeps exp in range for small temperatures.
        weights = np.exp((closeness - closeness.max(axis=1, keepdims=True)) / temperature)
        votes = np.zeros((len(similarity), len(classes)))
        np.add.at(votes, (np.arange(len(similarity))[:, None], targets[nearest]), weights)
        result[start : start + size] = classes[votes.argmax(axis=1)]
    return result


def _unit_rows(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows of length 1; rows of zeros stay zero (similarity 0 to everything)."""
    values = np.asarray(features, dtype=np.float64)
    # Dividing by the largest entry first keeps squares of very small and very large rows in range.
    largest = np.abs(values).max(axis=1, keepdims=True)
    values = values / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    result: NDArray[np.float64] = values / np.where(length > 0, length, 1.0)
    return result

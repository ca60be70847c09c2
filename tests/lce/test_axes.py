"""What axes add beyond rotated units."""

from __future__ import annotations

import numpy as np
import pytest
from intermodel.lce.axes import axes_sentence, compare_axes
from intermodel.lce.distances import euclidean
from intermodel.lce.knowledge import Rotated
from intermodel.lce.settings import Settings

UNITS = np.array([10, 10, 10])


def example(rotations: int = 2) -> tuple[np.ndarray, Rotated]:
    """Three models, three concepts; the second model's rotated units detect all that its own do."""
    count = np.array([[4, 0, 2], [3, 1, 0], [0, 6, 0]])
    turned = np.array([[[1, 0, 1], [3, 1, 0], [0, 2, 0]], [[1, 0, 0], [3, 1, 0], [0, 1, 1]]])[:rotations]
    return count, Rotated(turned, turned / 10)


def test_difference_vectors_and_their_distances() -> None:
    count, rotated = example()
    axes = compare_axes(count, count / 10, rotated, UNITS, np.full((3, 3), 0.3), Settings())
    extra = np.array([[3, 0, 1.5], [0, 0, 0], [0, 4.5, -0.5]])
    np.testing.assert_allclose(axes.extra, extra)
    np.testing.assert_allclose(axes.distance[0], euclidean(extra))
    np.testing.assert_allclose(axes.distance[1][1], euclidean(count - rotated.count[1]))
    np.testing.assert_allclose(axes.length[0], np.linalg.norm(extra, axis=1))
    np.testing.assert_allclose(axes.rotated_distance, euclidean(rotated.count.mean(axis=0)))
    # Two rotations of the first model lie 1 apart, of the second 0, of the third the root of 2; two means of two of
    # them half as far in variance.
    spread = np.array([1, 0, np.sqrt(2)]) / np.sqrt(2)
    np.testing.assert_allclose(axes.floor[0, 1], np.hypot(0.3, spread[0]))
    np.testing.assert_allclose(axes.floor[1, 2], np.hypot(0.3, spread[2]))
    assert axes.resolved[0, 1] and not axes.resolved.diagonal().any()
    gaps = np.linalg.norm(axes.scores[:, None] - axes.scores, axis=-1)
    np.testing.assert_allclose(gaps, axes.distance[0], atol=1e-12)
    soft = compare_axes(count, count / 10, rotated, UNITS, np.zeros((3, 3)), Settings(variant="soft"))
    np.testing.assert_allclose(soft.extra, extra / 10)


def test_axes_that_detect_what_any_axes_do_add_nothing() -> None:
    count, _ = example()
    rotated = Rotated(np.stack([count, count]), np.stack([count, count]) / 10)
    axes = compare_axes(count, count / 10, rotated, UNITS, np.full((3, 3), 0.1), Settings(variant="hellinger"))
    assert not axes.extra.any() and not axes.resolved.any() and not axes.scores.any()


def test_sentence_counts_rotations_and_unresolved_pairs() -> None:
    count, rotated = example()
    axes = compare_axes(count, count / 10, rotated, UNITS, np.full((3, 3), 4.0), Settings())
    text = axes_sentence(axes, euclidean(count), ["A", "B", "C"], [0, 1, 2], 0.95)
    assert text is not None and text.startswith("By what their own axes detect beyond 2 random rotations")
    assert "**A** and **B** (Euclidean distance 3.35) are closest, **A** and **C** (Euclidean distance 5.77)" in text
    assert "1 of 3 pairs lie within what images and rotations alone can make (95%)" in text
    assert "rank correlation of " in text
    single = compare_axes(count, count / 10, example(1)[1], UNITS, np.full((3, 3), 4.0), Settings())
    assert np.isnan(single.floor).all() and not single.resolved.any()
    text = axes_sentence(single, euclidean(count), ["A", "B", "C"], [0, 1], 0.95)
    assert text is not None and "one rotation does not tell how much of that is owed to its draw." in text
    assert axes_sentence(axes, euclidean(count), ["A", "B", "C"], [2], 0.95) is None


@pytest.mark.parametrize("scale", ["sqrt", "unit"])
def test_rotated_vectors_are_scaled_as_the_units_are(scale: str) -> None:
    count, rotated = example()
    axes = compare_axes(count, count / 10, rotated, UNITS, np.zeros((3, 3)), Settings(scale=scale))
    transform = np.sqrt if scale == "sqrt" else lambda values: values / count.std(axis=0)
    np.testing.assert_allclose(axes.extra, transform(count) - np.mean(transform(rotated.count), axis=0))

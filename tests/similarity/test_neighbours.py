import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.similarity.neighbours import mutual_knn, nearest_neighbours, shared_neighbours
from similarity.reference import CASES, golden, rotation


def slow(values, k):
    """Neighbours by a full stable sort of every row."""
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    similarity = np.round(unit @ unit.T, 12)
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind="stable")[:, :k]


# With one unit every cosine is 1 or -1: the order among ties is the program's own.
@pytest.mark.parametrize("case", [case for case in CASES if case != "one_feature"])
def test_golden_overlap(case):
    values = golden(case)
    k = int(values["k"])
    found = mutual_knn(nearest_neighbours(values["in_X"], k).index, nearest_neighbours(values["in_Y"], k).index)
    assert found == pytest.approx(float(values["def_mutual_knn_cos"]), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 40), st.integers(1, 6), st.integers(0, 10_000), st.integers(1, 50), st.data())
def test_equals_a_full_sort(images, units, seed, block, data):
    # Small whole numbers make many exact ties.
    values = np.random.default_rng(seed).integers(1, 4, size=(images, units)).astype(float)
    k = data.draw(st.integers(1, images - 1))
    np.testing.assert_array_equal(nearest_neighbours(values, k, block).index, slow(values, k))


def test_nobody_is_its_own_neighbour_not_even_among_duplicates():
    values = np.repeat(np.random.default_rng(0).normal(size=(10, 4)), 3, axis=0)
    index = nearest_neighbours(values, 4).index
    assert (index != np.arange(30)[:, None]).all()
    assert (index[:, :2] // 3 == np.arange(30)[:, None] // 3).all()


def test_ties_are_counted():
    generator = np.random.default_rng(0)
    assert nearest_neighbours(generator.normal(size=(50, 8)), 5).tied == 0.0
    # Four copies of each image: the second and third neighbour of every image are equally near.
    assert nearest_neighbours(np.repeat(generator.normal(size=(10, 8)), 4, axis=0), 2).tied == 1.0


def test_rotation_and_lengths_of_rows_change_nothing():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(60, 7))
    changed = values @ rotation(0, 7) * generator.uniform(1e-3, 1e3, size=(60, 1))
    np.testing.assert_array_equal(nearest_neighbours(values, 6).index, nearest_neighbours(changed, 6).index)


@pytest.mark.parametrize("power", [-200, -40, 40, 150])
def test_very_small_and_large_features(power):
    values = np.random.default_rng(2).normal(size=(20, 3))
    np.testing.assert_array_equal(
        nearest_neighbours(values * 10.0**power, 3).index, nearest_neighbours(values, 3).index
    )


def test_another_order_of_the_images_renames_the_neighbours():
    values = np.random.default_rng(3).normal(size=(40, 5))
    order = np.random.default_rng(4).permutation(40)
    np.testing.assert_array_equal(
        nearest_neighbours(values, 5).rows(order).index, nearest_neighbours(values[order], 5).index
    )


def test_shared_neighbours_by_hand():
    a, b = np.array([[1, 2], [0, 2], [0, 1]]), np.array([[2, 1], [2, 3], [3, 4]])
    np.testing.assert_array_equal(shared_neighbours(a, b), [1.0, 0.5, 0.0])
    assert mutual_knn(a, b) == 0.5


@pytest.mark.parametrize("k", [0, 5, 9])
def test_impossible_numbers_of_neighbours_are_refused(k):
    with pytest.raises(UserError, match=f"{k} neighbours.*expected 1 to 4"):
        nearest_neighbours(np.random.default_rng(0).normal(size=(5, 2)), k)


def test_zero_rows_have_no_direction():
    values = np.ones((8, 2))
    values[[2, 5]] = 0.0
    with pytest.raises(UserError, match=r"all zero, the first in row 2"):
        nearest_neighbours(values, 3)

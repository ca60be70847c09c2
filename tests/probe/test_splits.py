import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.probe.splits import stratified_draw, train_test_split


def ids(count):
    return np.array([f"image {i}" for i in range(count)])


def test_own_split_is_kept_and_unlabelled_images_are_left_out():
    labels = np.array([0, 1, -1, 0, 1, 0, 1, -1])
    splits = np.array(["train", "train", "train", "test", "test", "", "train", "test"])
    found = train_test_split(ids(8), labels, splits)
    assert found.own
    assert found.train.tolist() == [0, 1, 6] and found.test.tolist() == [3, 4]
    assert found.unused == 3


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(2, 30), min_size=2, max_size=6), st.floats(0.05, 0.95), st.randoms())
def test_drawn_split_is_stratified_and_disjoint(sizes, fraction, random):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    order = list(range(len(labels)))
    random.shuffle(order)
    labels = labels[order]
    found = train_test_split(ids(len(labels)), labels, np.full(len(labels), ""), fraction)
    assert not found.own and found.unused == 0
    assert sorted([*found.train, *found.test]) == list(range(len(labels)))
    for label, size in enumerate(sizes):
        held_out = int((labels[found.test] == label).sum())
        assert 1 <= held_out < size
        assert abs(held_out - fraction * size) <= 1


def test_draw_depends_on_ids_alone():
    labels = np.arange(60) % 3
    names = ids(60)
    drawn = set(names[stratified_draw(names, labels, 0.3, "test")])
    order = np.random.default_rng(0).permutation(60)
    assert set(names[order][stratified_draw(names[order], labels[order], 0.3, "test")]) == drawn
    assert set(names[stratified_draw(names, labels, 0.3, "validation")]) != drawn


def test_added_images_hardly_change_the_draw():
    labels = np.arange(600) % 3
    before = set(ids(600)[stratified_draw(ids(600), labels, 0.3, "test")])
    longer = ids(630)
    after = set(longer[stratified_draw(longer, np.arange(630) % 3, 0.3, "test")])
    assert len(before - after) < 0.1 * len(before)


@pytest.mark.parametrize(
    ("labels", "splits", "message"),
    [
        ([-1, -1], ["", ""], "None of the 2 images has a class"),
        ([0, 0, 0], ["train", "train", "test"], "All 2 training images have the class 'cat'"),
        ([0, 0, 0], ["", "", ""], "have the class 'cat'"),
        ([0, 0, 1], ["", "", ""], "class 'dog' has a single image \\('image 2'\\)"),
        ([0, 1, 2], ["train", "train", "test"], "class 'owl' occurs among the test images and not among"),
    ],
)
def test_what_cannot_be_split_is_told(labels, splits, message):
    with pytest.raises(UserError, match=message):
        train_test_split(ids(len(labels)), np.array(labels), np.array(splits), classes=["cat", "dog", "owl"])

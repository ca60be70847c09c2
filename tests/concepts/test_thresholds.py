"""Thresholds: the order statistic against sorting, its invariances, golden values, and bad input."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from concepts.samples import GOLDEN, ArrayMaps
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.thresholds import exact_thresholds, excess, unit_thresholds
from intermodel.engine.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:Only .* activations:UserWarning")
samples = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(20, 60)), elements=st.integers(-9, 9))
FILES = ["netdissect_a", "netdissect_b", "netdissect_c_awkward", "netdissect_h_scene_only"]


@settings(deadline=None, max_examples=50)
@given(samples, st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_smallest_sample_that_few_enough_exceed(values: np.ndarray, tail: float) -> None:
    level = exact_thresholds(values, tail)
    most = int(tail * values.shape[1] + 1e-9)
    for unit, threshold in zip(values, level, strict=True):
        assert (unit > threshold).sum() <= most
        below = unit[unit < threshold]
        assert threshold in unit
        assert below.size == 0 or (unit > below.max()).sum() > most


def test_without_ties_exactly_the_tail_lies_above() -> None:
    values = np.random.default_rng(0).permutation(1000.0 * np.arange(3000)).reshape(3, 1000)
    assert ((values > exact_thresholds(values, 0.005)[:, None]).sum(axis=1) == 5).all()


@pytest.mark.parametrize(("tail", "count", "above"), [(0.005, 1000, 5), (0.29, 100, 29), (0.1, 10, 1), (0.02, 99, 1)])
def test_the_tail_is_counted_in_whole_samples(tail: float, count: int, above: int) -> None:
    assert excess(tail, count) == above


@settings(deadline=None, max_examples=30)
@given(samples, st.randoms(use_true_random=False))
def test_invariances(values: np.ndarray, random: Any) -> None:
    level = exact_thresholds(values, 0.1)
    shuffled = values[:, random.sample(range(values.shape[1]), values.shape[1])]
    np.testing.assert_array_equal(exact_thresholds(shuffled, 0.1), level)
    np.testing.assert_array_equal(exact_thresholds(3 * values + 1, 0.1), 3 * level + 1)
    np.testing.assert_array_equal(exact_thresholds(values**3, 0.1), level**3)
    if values.shape[1] % 10 == 0:
        np.testing.assert_array_equal(exact_thresholds(np.tile(values, 2), 0.1), level)


@pytest.mark.parametrize("name", FILES)
def test_golden_values(name: str) -> None:
    data = np.load(GOLDEN / f"{name}.npz")
    maps, tail = ArrayMaps(data["features"]), float(data["tail"])
    np.testing.assert_array_equal(unit_thresholds(maps, tail), data["exact_thresholds_order_statistic"])
    np.testing.assert_allclose(unit_thresholds(maps, tail, "hazen"), data["exact_thresholds_hazen"], rtol=1e-12)


def test_blocks_of_units_do_not_matter() -> None:
    maps = ArrayMaps(np.random.default_rng(1).normal(size=(30, 7, 3, 4)))
    whole = unit_thresholds(maps, 0.05)
    np.testing.assert_array_equal(unit_thresholds(maps, 0.05, memory_mb=0.003), whole)
    flat = maps.values.swapaxes(0, 1).reshape(7, -1)
    np.testing.assert_array_equal(exact_thresholds(flat, 0.05), whole)


def test_dead_constant_and_sparse_units() -> None:
    maps = np.zeros((40, 3, 5, 5))
    maps[:, 1] = 2.5
    maps[0, 2, 0, 0] = 7.0
    np.testing.assert_array_equal(unit_thresholds(ArrayMaps(maps), 0.01), [0.0, 2.5, 0.0])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(100, 4000), st.sampled_from([0.005, 0.05, 0.5, 0.9]), st.integers(1, 17))
def test_selection_equals_sorting_however_the_samples_lie(seed: int, count: int, tail: float, period: int) -> None:
    """Also where large values keep to the samples that the bound does, or does not, look at."""
    generator = np.random.default_rng(seed)
    values = np.maximum(generator.normal(size=(4, count)), 0).astype(np.float32)
    values[1] = np.sort(values[1])
    values[2, ::period] += 5
    values[3, np.arange(count) % 16 > 0] += 5
    most = int(tail * count + 1e-9)
    if most:
        np.testing.assert_array_equal(exact_thresholds(values, tail), np.sort(values, axis=1)[:, count - most - 1])


def test_the_data_are_left_alone() -> None:
    values = np.random.default_rng(2).normal(size=(2, 100))
    before = values.copy()
    exact_thresholds(values, 0.1)
    np.testing.assert_array_equal(values, before)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(value: float) -> None:
    maps = ArrayMaps(np.zeros((50, 6, 2, 3)), np.array([f"photo {i}" for i in range(50)]))
    maps.values[31, 4, 1, 2] = value
    with pytest.raises(UserError, match=f"Unit 4 is {value} at row 1, column 2 .* 'photo 31'"):
        unit_thresholds(maps, 0.1, memory_mb=0.002)


def test_too_few_samples_are_refused_and_few_are_told() -> None:
    with pytest.raises(UserError, match=r"tail is 0.005 of 196 activations per unit, which leaves none"):
        unit_thresholds(ArrayMaps(np.zeros((4, 1, 7, 7))), 0.005)
    with pytest.warns(UserWarning, match="Only 49 of 9800 activations"):
        unit_thresholds(ArrayMaps(np.zeros((200, 2, 7, 7))), 0.005)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unit_thresholds(ArrayMaps(np.zeros((205, 2, 7, 7))), 0.005)


@pytest.mark.parametrize("tail", [0.0, 1.0, -0.1, 1.5])
def test_a_tail_outside_its_range_is_refused(tail: float) -> None:
    with pytest.raises(UserError, match="expected a share between 0 and 1"):
        excess(tail, 1000)

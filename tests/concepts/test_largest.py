"""The largest activations of a stream give the thresholds of all of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.concepts.largest import Largest, threshold_of
from intermodel.concepts.thresholds import exact_thresholds, excess
from intermodel.engine.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:Only .* activations:UserWarning")


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.1, 0.4]), st.integers(1, 9), st.integers(1, 4), st.booleans()
)
def test_any_batches_and_parts_give_the_exact_thresholds(
    seed: int, tail: float, batch: int, parts: int, rectified: bool
) -> None:
    generator = np.random.default_rng(seed)
    maps = generator.normal(size=(30, 3, 2, 3)).astype(np.float32)
    if rectified:
        maps = np.maximum(maps, 0)
    maps[:, 2] = 1.5  # a constant unit
    keep = excess(tail, 30 * 6) + 1
    kept = []
    for rows in np.array_split(np.arange(30), parts):
        largest = Largest(3, keep)
        for start in range(0, len(rows), batch):
            largest.add(maps[rows[start : start + batch]])
        kept.append(largest.values())
        assert kept[-1].shape[1] <= keep
    samples = maps.swapaxes(0, 1).reshape(3, -1)
    np.testing.assert_array_equal(threshold_of(kept, keep, half=False), exact_thresholds(samples, tail))
    # Rounding after the selection is rounding before it.
    rounded = samples.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(threshold_of(kept, keep, half=True), exact_thresholds(rounded, tail))


def test_memory_is_bounded() -> None:
    generator = np.random.default_rng(0)
    largest = Largest(4, 200)
    for _ in range(300):
        largest.add(generator.normal(size=(5, 4, 4, 4)))
    assert largest._kept.shape == (4, 200 + max(5 * 16, 200 // 4))


def test_too_few_activations_are_refused() -> None:
    with pytest.raises(UserError, match="hold 5 of the 6 largest"):
        threshold_of([np.zeros((2, 3), np.float32), np.zeros((2, 2), np.float32)], 6, half=False)

"""Strongest images per unit, whatever the batches."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from intermodel.concepts.top import Top


@settings(deadline=None, max_examples=60)
@given(arrays(np.float32, st.tuples(st.integers(1, 20), st.integers(1, 3)), elements=st.integers(0, 4)),
       st.integers(1, 6), st.integers(1, 7))  # fmt: skip
def test_largest_first_and_earlier_rows_first_among_equals(values: np.ndarray, keep: int, batch: int) -> None:
    # The largest value of a map stands at its second position; the first tells maps apart.
    maps = np.stack([-np.arange(values.size).reshape(values.shape) - 1.0, values], axis=2)[..., None].astype(np.float32)
    top = Top(values.shape[1], keep)
    for start in range(0, len(values), batch):
        top.add(maps[start : start + batch], start)
    for unit in range(values.shape[1]):
        expected = sorted(range(len(values)), key=lambda row: (-values[row, unit], row))[:keep]
        assert top.images[unit].tolist() == expected
        np.testing.assert_array_equal(top.values[unit], values[expected, unit])
        np.testing.assert_array_equal(top.maps[unit], maps[expected, unit])


def test_no_image_is_kept_on_demand() -> None:
    top = Top(2, 0)
    top.add(np.ones((3, 2, 1, 1)), 0)
    assert top.images.shape == (2, 0) and top.maps.shape == (2, 0, 1, 1)

"""Times, sizes and tables as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intermodel.engine.text import aligned, clock, in_bytes


@pytest.mark.parametrize(
    "seconds, text", [(0, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00"), (86399, "23:59:59")]
)
def test_times(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    "count, text",
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1.25e6, "1.2 MB"), (3.14e9, "3.1 GB"), (4.2e15, "4200.0 TB")],
)
def test_sizes(count: float, text: str) -> None:
    assert in_bytes(count) == text


@given(st.lists(st.lists(st.text("abc", max_size=4), min_size=3, max_size=3), min_size=1, max_size=5))
def test_tables_have_straight_columns(lines: list[list[str]]) -> None:
    text = aligned(lines).split("\n")
    assert len(text) == len(lines)
    assert len({len(line) for line in text}) == 1
    assert [line.split() for line in text] == [[cell for cell in line if cell] for line in lines]


def test_the_first_column_is_on_the_left() -> None:
    assert aligned([("rule", "jobs"), ("x", "1")]) == "rule  jobs\nx        1"

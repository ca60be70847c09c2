"""The progress bar: counts, rate, time left; silent lines for logs."""

from __future__ import annotations

import logging

import pytest
from intermodel.engine import progress as module
from intermodel.engine.progress import progress


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_every_item_passes_in_order() -> None:
    assert list(progress([3, 1, 2])) == [3, 1, 2]
    assert list(progress(iter("ab"), total=2)) == ["a", "b"]
    with pytest.raises(TypeError):
        list(progress())


def test_the_line_tells_rate_and_time_left(time: Clock) -> None:
    bar: progress[int] = progress(total=1200, label="resnet on scenes")
    with bar:
        time.now += 10
        bar.advance(200)
        assert bar.line() == "resnet on scenes: 200/1,200 images, 20.0 images/s, 0:50 left"
        time.now += 50
        bar.advance(1000)
        assert bar.line() == "resnet on scenes: 1,200/1,200 images, 20.0 images/s, took 1:00"


def test_without_a_total_there_is_no_time_left(time: Clock) -> None:
    bar: progress[int] = progress(iter(()), unit="step")
    time.now += 4
    bar.advance(2)
    assert bar.line() == "2 steps, 0.5 steps/s"


def test_nothing_done_is_no_division_by_zero(time: Clock) -> None:
    assert progress(total=5).line() == "0/5 images, 0.0 images/s"


def test_a_log_gets_a_line_every_half_minute(time: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), progress(total=100) as bar:
        for _ in range(100):
            time.now += 1
            bar.advance(1)
    assert [record.message.split(" images")[0] for record in caplog.records] == [
        "30/100",
        "60/100",
        "90/100",
        "100/100",
    ]


def test_a_failure_ends_without_a_last_line(time: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyError), caplog.at_level(logging.INFO), progress(total=3) as bar:
        bar.advance(1)
        raise KeyError
    assert caplog.records == []

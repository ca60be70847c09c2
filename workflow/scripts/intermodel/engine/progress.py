"""A progress bar with rate and time left, without a dependency."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from types import TracebackType
from typing import Generic, TypeVar

from intermodel.engine.text import clock

Item = TypeVar("Item")


class progress(Generic[Item]):
    """Count work done, as an iterator (`for x in progress(items)`) or a context (`bar.advance(n)`).

    On a terminal the line is rewritten twice a second; elsewhere (a log file) a line is logged every 30 seconds.

    Parameters
    ----------
    iterable
        What to iterate over, if used as an iterator.
    total
        Number of units of work; taken from `len(iterable)` when it has one.
    unit
        What is counted, in the singular.
    label
        What the work is.
    """

    def __init__(
        self, iterable: Iterable[Item] | None = None, total: int | None = None, unit: str = "image", label: str = ""
    ) -> None:
        self._iterable = iterable
        self.total = total if total is not None else (len(iterable) if isinstance(iterable, Sized) else None)
        self.unit = unit
        self.label = label
        self.done = 0
        self._live = sys.stderr.isatty()
        self._start = self._last = time.monotonic()

    def __enter__(self) -> progress[Item]:
        self._start = self._last = time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._live and self.done:
            print(f"\r{self.line()}", file=sys.stderr, flush=True)
        # The log always tells the rate; the table of timings reads it there.
        if kind is None and self.done:
            logging.getLogger(__name__).info("%s", self.line())

    def __iter__(self) -> Iterator[Item]:
        if self._iterable is None:
            raise TypeError("progress() needs an iterable to be iterated over")
        with self:
            for item in self._iterable:
                yield item
                self.advance(1)

    def advance(self, count: int = 1) -> None:
        """Add `count` finished units."""
        self.done += count
        now = time.monotonic()
        if now - self._last < (0.5 if self._live else 30.0):
            return
        self._last = now
        if self._live:
            print(f"\r{self.line()}", end="", file=sys.stderr, flush=True)
        else:
            logging.getLogger(__name__).info("%s", self.line())

    def line(self) -> str:
        """The state in words: done, total, rate, time left."""
        elapsed = max(time.monotonic() - self._start, 1e-9)
        rate = self.done / elapsed
        text = f"{self.label + ': ' if self.label else ''}{self.done:,}"
        if self.total:
            text += f"/{self.total:,}"
        text += f" {self.unit}s, {rate:,.1f} {self.unit}s/s"
        if self.total and self.done and self.done < self.total:
            text += f", {clock((self.total - self.done) / rate)} left"
        elif self.total and self.done >= self.total:
            text += f", took {clock(elapsed)}"
        return text

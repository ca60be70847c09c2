"""What all benchmarks share: processor time, alternated rounds, one row of the common table."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))
os.environ.setdefault("OMP_NUM_THREADS", "1")


@dataclass(frozen=True)
class Row:
    """One line of the table: what was done, and how it compares.

    Attributes
    ----------
    what
        The work and its size.
    ours
        Processor seconds of intermodel.
    limit, limit_name
        Processor seconds of the least that must be done, e.g. the bare forward pass.
    baseline, baseline_name
        Processor seconds of an independent way to the same numbers.
    peak
        Largest resident memory of a process that does our way alone, in MB, its libraries and the input included.
    """

    what: str
    ours: float
    limit: float | None = None
    limit_name: str = ""
    baseline: float | None = None
    baseline_name: str = ""
    peak: float | None = None


def peak(work: Callable[[], Any]) -> float:
    """Largest resident memory, in MB, of a child process that does this one piece of work."""
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit("the work whose memory was to be measured has failed")
    return usage.ru_maxrss / 1024


def alternate(ways: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Processor seconds, of all threads, of each way in each round; the ways take turns within a round.

    One round before the first is not counted. Compare ways by `ratio`, round by round: what else the machine does
    changes the seconds of a round, much less what its ways have in common.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, work in ways.items():
            start = time.process_time()
            work()
            if number:
                seconds[name].append(time.process_time() - start)
    return seconds


def ratio(of: list[float], to: list[float]) -> float:
    """Median over the rounds of one way's seconds divided by another's."""
    return statistics.median(a / b for a, b in zip(of, to, strict=True))


def row(
    what: str, seconds: Mapping[str, list[float]], limit: str = "", baseline: str = "", memory: float | None = None
) -> Row:
    """A row from the rounds of `alternate`; the way called ``ours`` is compared with those named."""
    ours = statistics.median(seconds["ours"])

    def against(name: str) -> float | None:
        return ours * ratio(seconds[name], seconds["ours"]) if name else None

    return Row(what, ours, against(limit), limit, against(baseline), baseline, memory)


def main(measure: Callable[[bool], Iterable[Row]], description: str) -> None:
    """Run one benchmark from the command line: a table, or with ``--json`` one line for each row."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="the sizes of docs/performance.md; otherwise small ones")
    parser.add_argument("--json", action="store_true", help="for run.py")
    chosen = parser.parse_args()
    rows = measure(chosen.full)
    for line in (json.dumps(asdict(found)) for found in rows) if chosen.json else table(rows):
        print(line, flush=True)


def table(rows: Iterable[Row]) -> Iterator[str]:
    """Rows as a table in Markdown."""
    yield "| work | CPU s | ours / limit | limit | baseline / ours | baseline | peak MB |"
    yield "|---|---|---|---|---|---|---|"
    for line in rows:
        cells = [
            line.what,
            f"{line.ours:.3g}",
            f"{line.ours / line.limit:.2f}" if line.limit else "",
            line.limit_name,
            f"{line.baseline / line.ours:.2f}" if line.baseline else "",
            line.baseline_name,
            f"{line.peak:.0f}" if line.peak else "",
        ]
        yield f"| {' | '.join(cells)} |"

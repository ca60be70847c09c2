"""Does a run of this folder still live? Asked before its lock is taken away (make resume)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

STATE = Path(".snakemake", "intermodel")


def live_runs(state: Path = STATE) -> list[int]:
    """Process ids of the workflow engines on this machine that keep their plan in the folder `state`.

    Engines on other machines of a cluster are not seen.
    """
    return sorted(pid for pid in _planned(state) if _is_engine(pid))


def _planned(state: Path) -> Iterator[int]:
    for plan in state.glob("plan-*.json"):
        number = plan.stem.removeprefix("plan-")
        if number.isdecimal():
            yield int(number)


def _is_engine(pid: int) -> bool:
    """Whether the process lives and is an engine, not another one that was given the same number later."""
    if not Path("/proc/self").exists():
        try:
            os.kill(pid, 0)  # signal 0 asks whether the process exists
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True
    try:
        return b"snakemake" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


if __name__ == "__main__":
    alive = live_runs()
    if alive:
        sys.exit(
            f"A run of this folder is still alive (process {alive[0]}); wait for it, or end it (kill {alive[0]}), and "
            "try again."
        )

"""All benchmarks, each in a process of its own, as one table.

    python benchmarks/run.py [--full] [NAME ...]

`make bench` runs the small sizes, `make bench FULL=1` those of docs/performance.md. Judge by the ratios: all ways of a
row take turns in one process, so what else the machine does changes the seconds of all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from measuring import Row, table

HERE = Path(__file__).parent
NAMES = ("features", "forward", "concepts", "streaming", "similarity", "quality", "workflow", "overhead")


def run(name: str, full: bool) -> Iterator[Row]:
    """The rows of one benchmark."""
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", *(["--full"] if full else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"benchmarks/{name}.py has failed; its message stands above.")
    yield from (Row(**json.loads(line)) for line in done.stdout.splitlines())


def machine() -> str:
    """What the figures were measured on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


def main() -> None:
    """Run what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; everything if none is named")
    parser.add_argument("--full", action="store_true")
    chosen = parser.parse_args()
    unknown = sorted(set(chosen.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    print(machine())
    for line in table(row for name in chosen.names or NAMES for row in run(name, chosen.full)):
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""CPU seconds that reading the rules of a study costs, against a workflow of one rule.

    python benchmarks/parse.py [--study tests/workflow/tiny.yaml] [--repeat 5]

Every job on a cluster reads the rules again, so this is paid once per job and once per command. Only CPU seconds are
reported (of the snakemake process and its children), the fastest of some runs: wall time depends on what else the
machine does. The first run of a fresh checkout, which parses the sources and asks for the layers of the networks, is
reported on its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BARE = "rule all:\n    output: 'done'\n    shell: 'touch {output}'\n"


def cpu_seconds(*arguments: str, folder: Path) -> float:
    """CPU seconds of listing the rules of a workflow."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "snakemake", "--list-rules", *arguments],
        cwd=folder,
        capture_output=True,
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what reading the rules costs.")
    parser.add_argument("--study", default=str(ROOT / "tests" / "workflow" / "tiny.yaml"))
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    study = Path(options.study).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare").mkdir()
        (folder / "bare" / "Snakefile").write_text(BARE, encoding="utf-8")
        ours = ("--snakefile", str(ROOT / "Snakefile"), "--configfile", str(study), "--directory", str(folder))
        first = cpu_seconds(*ours, folder=folder)
        rules = min(cpu_seconds(*ours, folder=folder) for _ in range(options.repeat))
        bare = min(cpu_seconds(folder=folder / "bare") for _ in range(options.repeat))
    print(f"one rule             {bare:6.2f} CPU s")
    print(f"{study.stem:20} {rules:6.2f} CPU s ({rules / bare:.2f} times)")
    print(f"reading the rules    {rules - bare:6.2f} CPU s")
    print(f"very first run       {first:6.2f} CPU s")


if __name__ == "__main__":
    main()

"""How much of a study's processor time is not spent in the methods.

    python benchmarks/overhead.py [--study config/study.yaml]

Runs the study once from scratch, one job at a time, and divides its processor seconds into

imports     what the jobs spent on loading modules, as Python itself measures it
engine      Snakemake's own process, the checks before the first job, and the start of Python in every job
methods     the rest: what the jobs did

Modules should be compiled, as `make .venv/installed` leaves them; on a busy machine imports look longer than they are,
since they are measured in wall-clock time.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import ROOT
from intermodel.engine.timings import read_jobs

LINE = re.compile(r"import time:\s+(\d+) \|")


def main() -> None:
    """Run, add up and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=ROOT / "config" / "study.yaml")
    study = parser.parse_args().study.resolve()
    command = [
        *(sys.executable, "-m", "snakemake", "report", "--cores", "1", "--snakefile", str(ROOT / "Snakefile")),
        *("--workflow-profile", str(ROOT / "profiles" / "default"), "--configfile", str(study)),
    ]
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile("w+") as output:
        folder = Path(name)
        # The demo's weights have relative paths.
        (folder / "config").symlink_to(ROOT / "config")
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPROFILEIMPORTTIME": "1"}
        done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, check=False)
        output.seek(0)
        lines = output.read().splitlines()
        if done.returncode:
            sys.exit("\n".join([line for line in lines if not LINE.match(line)][-30:]))
        # The report has a copy further down.
        results = min(folder.rglob("timings.csv"), key=lambda path: len(path.parts)).parent
        jobs = read_jobs(results)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    everything = usage.ru_utime + usage.ru_stime
    # What comes before that is of the engine's own start.
    begin = next(number for number, line in enumerate(lines) if line.startswith("Building DAG"))
    imports = sum(int(found[1]) for line in lines[begin:] if (found := LINE.match(line))) / 1e6
    in_jobs = sum(job.cpu for job in jobs)
    engine = everything - in_jobs
    print(f"{len(jobs)} jobs, {everything:.0f} CPU s")
    for what, seconds in (
        ("imports", imports),
        ("engine", engine),
        ("methods", everything - imports - engine),
    ):
        print(f"{what:10} {seconds:7.1f} s {seconds / everything:6.1%}")


if __name__ == "__main__":
    main()

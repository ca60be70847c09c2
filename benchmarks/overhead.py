"""How much of a study's processor time is not spent in the methods.

    python benchmarks/overhead.py [--full]

Runs a study once from scratch, one job at a time: the demo, or without --full as many of its models as a comparison
needs. Its processor seconds are divided into

imports     what jobs spent on loading modules
engine      Snakemake's own process, the checks before the first job, the start and the end of Python in every job
methods     the rest: what the jobs did, which is the limit here

Modules should be compiled, as `make .venv/installed` leaves them.
"""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yaml
from measuring import ROOT, Row, main
from intermodel.engine.timings import read_jobs

FEW = ("supervised-1", "untrained")
# Every Python that starts reads this first. It adds up the processor seconds of its main thread in outermost imports.
COUNTER = """
import atexit, os, resource, sys, time
from importlib import _bootstrap

load, spent, depth = _bootstrap._find_and_load, 0.0, 0

def counted(name, import_):
    global spent, depth
    begin, depth = time.thread_time(), depth + 1
    try:
        return load(name, import_)
    finally:
        depth -= 1
        if not depth:
            spent += time.thread_time() - begin

def tell():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    with open(os.environ["IMPORTS"], "a") as file:
        file.write(repr((os.path.basename(sys.argv[0]), spent, usage.ru_utime + usage.ru_stime)) + "\\n")

_bootstrap._find_and_load = counted
atexit.register(tell)
"""


def measure(full: bool) -> Iterator[Row]:
    """One row; what it consists of goes to standard error."""
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile("w+") as output:
        folder = Path(name)
        # The demo's weights have relative paths.
        (folder / "config").symlink_to(ROOT / "config")
        study = yaml.safe_load((ROOT / "config" / "study.yaml").read_text(encoding="utf-8"))
        if not full:
            study["models"] = {model: study["models"][model] for model in FEW}
        (folder / "study.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
        (folder / "counting").mkdir()
        (folder / "counting" / "sitecustomize.py").write_text(COUNTER, encoding="utf-8")
        imports = folder / "imports.txt"
        command = [
            *(sys.executable, "-m", "snakemake", "report", "--cores", "1", "--snakefile", str(ROOT / "Snakefile")),
            *("--workflow-profile", str(ROOT / "profiles" / "default"), "--configfile", "study.yaml"),
        ]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "IMPORTS": str(imports)}
        environment["PYTHONPATH"] = str(folder / "counting")
        done = subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=output, check=False)
        output.seek(0)
        if done.returncode:
            sys.exit("\n".join(output.read().splitlines()[-30:]))
        # The report has a copy further down.
        results = min(folder.rglob("timings.csv"), key=lambda path: len(path.parts)).parent
        memory = max(job.memory for job in read_jobs(results))
        told = [ast.literal_eval(line) for line in imports.read_text(encoding="utf-8").splitlines()]
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    everything = usage.ru_utime + usage.ru_stime
    # The engine gives every script that it runs a name of its own; other commands have their usual names.
    jobs = [(loading, all_of_it) for script, loading, all_of_it in told if script.startswith("tmp")]
    loading = sum(seconds for seconds, _ in jobs)
    methods = sum(seconds for _, seconds in jobs) - loading
    for what, seconds in (("imports", loading), ("engine", everything - methods - loading), ("methods", methods)):
        print(f"{what:10} {seconds:7.1f} s {seconds / everything:6.1%}", file=sys.stderr)
    what = f"the demo, {len(jobs)} jobs" if full else f"the demo with {len(FEW)} models, {len(jobs)} jobs"
    yield Row(what, everything, methods, "methods alone", peak=memory)


if __name__ == "__main__":
    main(measure, __doc__)

"""What the workflow itself costs: reading the rules, and deciding what would run.

    python benchmarks/workflow.py [--full]

ours     the project's rules on synthetic studies in which every analysis runs on every data set, and on the demo
limit    Snakemake alone: one rule without anything, or as many jobs of nothing

Nothing is extracted; networks are random and data sets are scenes. Only processor seconds count (of snakemake and its
children), the fewest of some runs. The first command in a new folder also parses the sources and lists the layers of
the networks, which takes some seconds more; it is not counted.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml
from measuring import ROOT, Row, main

BARE = "rule all:\n    output: 'done'\n    shell: 'touch {output}'\n"
# As many jobs without anything but one input and one output each: what the workflow engine itself needs.
TRIVIAL = """
rule all:
    input: expand("second/{number}", number=range(NUMBER))
rule first:
    output: "first/{number}"
    shell: "touch {output}"
rule second:
    input: "first/{number}"
    output: "second/{number}"
    shell: "cp {input} {output}"
"""
LAYERS = ["act1", "layer1", "layer2", "layer3", "layer4"]


@dataclass(frozen=True)
class Cost:
    """CPU seconds and the largest memory in MB of a command and its children, and what it printed."""

    cpu: float
    memory: float
    output: str


def environment(folder: Path) -> dict[str, str]:
    """Modules are compiled once, as on any machine where Python may keep what it has compiled."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | {"OMP_NUM_THREADS": "1", "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}


def run(command: list[str], folder: Path) -> Cost:
    """Run a command in a folder; it must succeed."""
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(folder),
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{text[-3000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def snakemake(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "snakemake", *arguments]


def ours(study: Path) -> list[str]:
    """The project's rules on a study, the way a user starts them."""
    return snakemake(
        *("--snakefile", str(ROOT / "Snakefile"), "--workflow-profile", str(ROOT / "profiles" / "default")),
        *("--configfile", str(study)),
    )


def write_study(folder: Path, models: int, datasets: int, shards: int = 1) -> Path:
    """A study in which every analysis runs on every data set."""
    study = {
        "name": "synthetic",
        "datasets": {
            f"scenes-{number}": {
                "source": "scenes",
                "train": 120,
                "test": 60,
                "size": 32,
                "seed": number,
                "shards": shards,
            }
            for number in range(datasets)
        },
        "models": {
            f"model-{number}": {
                "architecture": "resnet18",
                "weights": {"source": "random", "seed": number},
                "layers": LAYERS,
            }
            for number in range(models)
        },
    }
    path = folder / f"{models}x{datasets}x{shards}.yaml"
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    return path


def number_of_jobs(output: str) -> int:
    """The total of a dry run's table."""
    return int(re.findall(r"^total\s+(\d+)$", output, re.MULTILINE)[0])


def fewest(command: list[str], folder: Path, repeat: int) -> Cost:
    """The cheapest of some runs."""
    return min((run(command, folder) for _ in range(repeat)), key=lambda cost: cost.cpu)


def measure(full: bool) -> Iterator[Row]:
    """A row for reading the rules, and one for each study's dry run."""
    repeat = 3 if full else 2
    # Models, data sets, shards.
    sizes = [(13, 15, 1), (13, 36, 1), (13, 1, 32)] if full else [(4, 3, 1)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The demo's weights have relative paths.
        (folder / "config").symlink_to(ROOT / "config")
        (folder / "Snakefile").write_text(BARE, encoding="utf-8")
        demo = ours(folder / "config" / "study.yaml")
        for command in (snakemake("--list-rules"), [*demo, "--list-rules"]):
            run(command, folder)
        bare = fewest(snakemake("--list-rules"), folder, repeat)
        cost = fewest([*demo, "--list-rules"], folder, repeat)
        yield Row("reading the rules, the demo", cost.cpu, bare.cpu, "one empty rule", peak=cost.memory)
        for models, datasets, shards in sizes:
            dry = [*ours(write_study(folder, models, datasets, shards)), "--dry-run"]
            run(dry, folder)
            cost = fewest(dry, folder, repeat)
            jobs = number_of_jobs(cost.output)
            trivial = folder / "trivial.smk"
            trivial.write_text(TRIVIAL.replace("NUMBER", str(jobs // 2)), encoding="utf-8")
            least = fewest(snakemake("--snakefile", str(trivial), "--dry-run"), folder, repeat)
            pieces = f" in {shards} shards" if shards > 1 else ""
            sets = f"{datasets} data set{'s' if datasets > 1 else ''}{pieces}"
            what = f"dry run, {models} models, {sets}, 5 layers, {jobs:,} jobs"
            yield Row(what, cost.cpu, least.cpu, "jobs of nothing", peak=cost.memory)


if __name__ == "__main__":
    main(measure, __doc__)

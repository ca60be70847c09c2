"""CPU seconds and memory that the workflow itself costs: reading the rules, and deciding what would run.

    python benchmarks/workflow.py [--repeat 3] [--root FOLDER] [--profile FILE]

Measured are the demo and synthetic studies: 13 models x 15 data sets x 5 layers, one of some 10,000 jobs, and one of a
single data set in 32 shards. Nothing is extracted; networks are random and data sets are scenes, on which every
analysis runs. Only CPU seconds count (of snakemake and its children), the fewest of some runs: wall time depends on
what else the machine does. The first command in a new folder also parses the sources and lists the layers of the
networks; it is reported on its own.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
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


def measure(command: list[str], folder: Path) -> Cost:
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


def ours(study: Path, root: Path) -> list[str]:
    """The project's rules on a study, the way a user starts them."""
    return snakemake(
        *("--snakefile", str(root / "Snakefile"), "--workflow-profile", str(root / "profiles" / "default")),
        *("--configfile", str(study)),
    )


def write_study(path: Path, models: int, datasets: int, shards: int = 1) -> None:
    """A study in which every analysis runs on every data set."""
    study = {
        "name": path.stem,
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
    path.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")


def number_of_jobs(output: str) -> int:
    """The total of a dry run's table."""
    found = re.search(r"^total\s+(\d+)$", output, re.MULTILINE)
    return int(found[1]) if found else 0


def line(name: str, jobs: int | None, cost: Cost) -> str:
    return f"{name:44} {'' if jobs is None else f'{jobs:,}':>7} {cost.cpu:8.2f} {cost.memory:7.0f}"


def fewest(command: list[str], folder: Path, repeat: int) -> Cost:
    return min((measure(command, folder) for _ in range(repeat)), key=lambda cost: cost.cpu)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure what the workflow itself costs.")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout to measure")
    parser.add_argument("--profile", type=Path, help="also write a cProfile of the 13 x 15 x 5 dry run to this file")
    options = parser.parse_args()
    root = options.root.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "Snakefile").write_text(BARE, encoding="utf-8")
        # The demo's weights have relative paths.
        (folder / "config").symlink_to(root / "config")
        large, largest, sharded = folder / "13x15x5.yaml", folder / "10000.yaml", folder / "sharded.yaml"
        write_study(large, models=13, datasets=15)
        write_study(largest, models=13, datasets=36)
        write_study(sharded, models=13, datasets=1, shards=32)
        print(f"{'command':44} {'jobs':>7} {'CPU s':>8} {'MB':>7}")
        measure(snakemake("--list-rules"), folder)
        bare = fewest(snakemake("--list-rules"), folder, options.repeat)
        print(line("list the rules: one rule, nothing of ours", None, bare))
        for study, title in (
            (folder / "config" / "study.yaml", "demo"),
            (large, "13 models x 15 data sets x 5 layers"),
        ):
            first = measure([*ours(study, root), "--list-rules"], folder)
            print(line(f"list the rules: {title}, first time", None, first))
            again = fewest([*ours(study, root), "--list-rules"], folder, options.repeat)
            print(line(f"list the rules: {title}", None, again))
            print(f"{f'  of this, reading the rules: {title}':52} {again.cpu - bare.cpu:8.2f}")
        for study, title in (
            (large, "13 models x 15 data sets x 5 layers"),
            (largest, "some 10,000 jobs"),
            (sharded, "13 models x 5 layers in 32 shards"),
        ):
            cost = fewest([*ours(study, root), "--dry-run"], folder, options.repeat)
            jobs = number_of_jobs(cost.output)
            print(line(f"dry run: {title}", jobs, cost))
            trivial = folder / "trivial.smk"
            trivial.write_text(TRIVIAL.replace("NUMBER", str(jobs // 2)), encoding="utf-8")
            least = fewest(snakemake("--snakefile", str(trivial), "--dry-run"), folder, options.repeat)
            print(line("  as many jobs of nothing", number_of_jobs(least.output), least))
            print(f"{'  ours against this':52} {cost.cpu / least.cpu:8.2f} times")
        if options.profile:
            target = options.profile.resolve()
            measure([sys.executable, "-m", "cProfile", "-o", str(target), *ours(large, root)[1:], "--dry-run"], folder)


if __name__ == "__main__":
    main()

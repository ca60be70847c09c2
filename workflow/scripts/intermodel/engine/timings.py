"""What the jobs of a study cost, from the engine's benchmark files and the jobs' own logs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from intermodel.engine.publish import publish
from intermodel.engine.text import aligned
from intermodel.engine.usage import parse_passes, parse_usage

# Jobs that begin later than this after all others have ended belong to another run.
PAUSE = 600.0


# Columns of the tables, as their readers see them.
JOB_COLUMNS = {
    "rule": "rule",
    "name": "job",
    "cpu": "cpu_seconds",
    "wall": "wall_seconds",
    "memory": "peak_memory_mb",
    "images": "images",
    "rate": "images_per_second",
    "end": "ended",
}
RULE_COLUMNS = {
    "rule": "rule",
    "jobs": "jobs",
    "cpu": "cpu_seconds",
    "wall": "wall_seconds",
    "memory": "peak_memory_mb",
    "images": "images",
    "rate": "images_per_second",
}


@dataclass(frozen=True)
class _Cost:
    """What jobs and rules have in common; NaN: not measured, or no pass over images.

    Parameters
    ----------
    cpu, wall
        CPU and wall-clock seconds.
    memory
        Largest memory in MB.
    images, passing
        Images that were passed over, and the wall-clock seconds that this took, without the job's start.
    """

    cpu: float
    wall: float
    memory: float
    images: float
    passing: float

    @property
    def rate(self) -> float:
        """Images per second."""
        return self.images / self.passing if self.passing > 0 else math.nan


@dataclass(frozen=True)
class JobCost(_Cost):
    """One finished job of a rule; its end as a Unix time."""

    rule: str
    name: str
    end: float


@dataclass(frozen=True)
class RuleCost(_Cost):
    """All jobs of a rule: their number, the sums of their seconds and images, their largest memory."""

    rule: str
    jobs: int


def read_jobs(results: str | Path) -> list[JobCost]:
    """All jobs of a results folder that left a benchmark file ``benchmarks/<rule>/<wildcards>.tsv``, by name.

    CPU seconds and memory come from the job's log ``logs/<rule>/<wildcards>.log`` where it tells them, and from the
    engine's samples otherwise.
    """
    folder = Path(results) / "benchmarks"
    jobs = []
    for file in sorted(folder.rglob("*.tsv")):
        inner = file.relative_to(folder).with_suffix("")
        with open(file, newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        if not rows:
            continue
        row = rows[-1]
        log = Path(results) / "logs" / inner.with_name(f"{inner.name}.log")
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        cpu, memory = parse_usage(text) or (_number(row.get("cpu_time")), _number(row.get("max_rss")))
        images, passing = parse_passes(text) or (math.nan, math.nan)
        jobs.append(
            JobCost(
                rule=inner.parts[0],
                name="/".join(inner.parts[1:]),
                cpu=cpu,
                wall=_number(row.get("s")),
                memory=memory,
                images=images,
                passing=passing,
                end=file.stat().st_mtime,
            )
        )
    return jobs


def by_rule(jobs: Iterable[JobCost]) -> list[RuleCost]:
    """Sums over the jobs of each rule, the most expensive rule first."""
    rules: dict[str, list[JobCost]] = {}
    for job in jobs:
        rules.setdefault(job.rule, []).append(job)
    costs = [_sum(rule, part) for rule, part in rules.items()]
    return sorted(costs, key=lambda cost: (-cost.cpu, cost.rule))


def total(jobs: Sequence[JobCost]) -> RuleCost:
    """Sums over all jobs."""
    return _sum("total", jobs)


def last_run(jobs: Iterable[JobCost]) -> tuple[int, float]:
    """Number of jobs, and seconds from the first start to the last end, of the latest jobs without a long pause."""
    count, start, end = 0, math.inf, -math.inf
    for job in sorted(jobs, key=lambda job: job.end, reverse=True):
        if count and job.end < start - PAUSE:
            break
        count += 1
        start, end = min(start, job.end - job.wall), max(end, job.end)
    return count, max(end - start, 0.0) if count else 0.0


def format_table(costs: Sequence[RuleCost], everything: RuleCost) -> str:
    """The costs as aligned text, with a last line for the total."""
    lines = [("rule", "jobs", "CPU s", "wall s", "peak MB", "images/s")]
    for cost in costs:
        lines.append((cost.rule, str(cost.jobs), *_texts(cost), _text(cost.rate, 1)))
    # A rate over different kinds of work means nothing.
    lines.append((everything.rule, str(everything.jobs), *_texts(everything), ""))
    return aligned(lines)


def rule_rows(costs: Iterable[RuleCost]) -> list[dict[str, str | int | float]]:
    """The costs as rows of a table."""
    return [{name: _rounded(getattr(cost, key)) for key, name in RULE_COLUMNS.items()} for cost in costs]


def write_jobs(path: str | Path, jobs: Iterable[JobCost]) -> None:
    """Write one line per job as CSV; what was not measured is left empty."""
    with publish(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(JOB_COLUMNS.values())
        for job in jobs:
            values = [_rounded(getattr(job, key)) for key in JOB_COLUMNS]
            writer.writerow(["" if isinstance(value, float) and math.isnan(value) else value for value in values])


def _sum(rule: str, jobs: Sequence[JobCost]) -> RuleCost:
    def measured(key: str) -> list[float]:
        return [value for job in jobs if not math.isnan(value := getattr(job, key))]

    def added(key: str) -> float:
        # A sum over nothing measured is not 0.
        values = measured(key)
        return math.fsum(values) if values else math.nan

    return RuleCost(
        rule=rule,
        jobs=len(jobs),
        cpu=added("cpu"),
        wall=added("wall"),
        memory=max(measured("memory"), default=math.nan),
        images=added("images"),
        passing=added("passing"),
    )


def _number(text: str | None) -> float:
    """A cell of a benchmark file; the engine writes NA or - for what it could not sample."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _texts(cost: RuleCost) -> tuple[str, str, str]:
    return _text(cost.cpu, 1), _text(cost.wall, 1), _text(cost.memory, 0)


def _text(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"


def _rounded(value: str | int | float) -> str | int | float:
    if not isinstance(value, float):
        return value
    return int(value) if value.is_integer() else round(value, 2)

"""What the jobs of a study cost, from the engine's benchmark files and the jobs' own logs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from intermodel.engine.publish import publish
from intermodel.engine.text import aligned
from intermodel.engine.usage import parse_usage

# Jobs that begin later than this after all others have ended belong to another run.
PAUSE = 600.0


@dataclass(frozen=True)
class JobCost:
    """One finished job: CPU and wall-clock seconds, largest memory in MB (NaN: not measured), end as a Unix time."""

    rule: str
    name: str
    cpu: float
    wall: float
    memory: float
    end: float


@dataclass(frozen=True)
class RuleCost:
    """All jobs of a rule: their number, their sums of CPU and wall-clock seconds, their largest memory in MB."""

    rule: str
    jobs: int
    cpu: float
    wall: float
    memory: float


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
        told = parse_usage(log.read_text(encoding="utf-8", errors="replace")) if log.is_file() else None
        cpu, memory = told or (_number(row.get("cpu_time")), _number(row.get("max_rss")))
        name = "/".join(inner.parts[1:])
        jobs.append(JobCost(inner.parts[0], name, cpu, _number(row.get("s")), memory, file.stat().st_mtime))
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
    lines = [("rule", "jobs", "CPU s", "wall s", "peak MB")]
    for cost in [*costs, everything]:
        lines.append((cost.rule, str(cost.jobs), _text(cost.cpu, 1), _text(cost.wall, 1), _text(cost.memory, 0)))
    return aligned(lines)


def write_jobs(path: str | Path, jobs: Iterable[JobCost]) -> None:
    """Write one line per job as CSV; what was not measured is left empty."""
    names = [field.name for field in fields(JobCost)]
    with publish(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(names)
        for job in jobs:
            values = [getattr(job, name) for name in names]
            writer.writerow(["" if isinstance(value, float) and math.isnan(value) else value for value in values])


def _sum(rule: str, jobs: Sequence[JobCost]) -> RuleCost:
    def measured(key: str) -> list[float]:
        return [value for job in jobs if not math.isnan(value := getattr(job, key))]

    # A sum over nothing measured is not 0.
    cpu, wall, memory = measured("cpu"), measured("wall"), measured("memory")
    return RuleCost(
        rule,
        len(jobs),
        math.fsum(cpu) if cpu else math.nan,
        math.fsum(wall) if wall else math.nan,
        max(memory, default=math.nan),
    )


def _number(text: str | None) -> float:
    """A cell of a benchmark file; the engine writes NA or - for what it could not sample."""
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan


def _text(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:,.{digits}f}"

"""Why jobs would run, in words: the workflow engine's dry run, sorted by cause and told once for all jobs alike."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JOB = re.compile(r"^Job \d+: (?P<message>.*)\nReason: (?P<reason>.*)$", re.MULTILINE)
CODE = re.compile(r"(\w+\.py):[0-9a-f]{16}")
# What the engine says of a job that runs only because it reads what another will make anew.
FOLLOWS = "Input files updated by another job"
PARAMETERS = "Params have changed since last execution"
# The engine's other causes and what they mean here; {} is the list of files.
MEANINGS = {
    "Missing output files": "results do not exist yet",
    "Incomplete output files": "results were left unfinished by a run that was cut off",
    "Updated input files": "files are newer than the results made from them: {}",
    "Set of input files has changed since last execution": (
        "the inputs are others than last time: a model, layer or data set was added or taken out"
    ),
    "Code has changed since last execution": "a script has another date than the results",
    "Software environment definition has changed since last execution": "the environment in envs/ has changed",
    "Forced execution": "it was forced on the command line",
}
SHOWN_JOBS = 3
SHOWN_LETTERS = 60


@dataclass(frozen=True)
class PendingJob:
    """A job that would run: what it does, and why, in the engine's words."""

    message: str
    reason: str


def read_dry_run(output: str) -> list[PendingJob]:
    """The jobs of a dry run's output that have a message; rules that only collect have none."""
    return [PendingJob(found["message"], found["reason"]) for found in JOB.finditer(output)]


def explain(jobs: list[PendingJob]) -> str:
    """All jobs by cause, the most frequent first; those that only follow from others are counted.

    A job whose results are missing is told for that alone, even where its inputs are made anew as well.
    """
    if not jobs:
        return "Nothing would run: all results are there and up to date."
    groups: dict[tuple[str, ...], list[PendingJob]] = {}
    following = 0
    for job in jobs:
        causes = tuple(causes_of(job.reason))
        if causes:
            groups.setdefault(causes, []).append(job)
        else:
            following += 1
    lines = [f"{_jobs(len(jobs))} would run."]
    for causes, group in sorted(groups.items(), key=lambda item: -len(item[1])):
        lines += ["", f"{_jobs(len(group))} because {'; and '.join(causes)}:"]
        lines += [f"    {job.message}" for job in group[:SHOWN_JOBS]]
        if len(group) > SHOWN_JOBS:
            lines.append(f"    ... and {len(group) - SHOWN_JOBS:,} more")
    if following:
        lines += [
            "",
            f"{_jobs(following)} only because {'it reads' if following == 1 else 'they read'} what these make.",
        ]
    return "\n".join(lines)


def causes_of(reason: str) -> list[str]:
    """What a reason of the engine means; nothing for a job that only follows from others."""
    causes: list[str] = []
    # A cause ends where the next begins; values of parameters may hold semicolons.
    names = "|".join(re.escape(name) for name in (FOLLOWS, PARAMETERS, *MEANINGS))
    for part in re.split(rf"; (?=(?:{names})\b)", reason):
        name, _, detail = part.partition(": ")
        if name == FOLLOWS:
            continue
        if name == PARAMETERS:
            causes += changed_parameters(detail)
        else:
            causes.append(MEANINGS.get(name, part).format(_shortened(detail)))
    missing = MEANINGS["Missing output files"]
    return [missing] if missing in causes else causes


def changed_parameters(detail: str) -> list[str]:
    """Which code and which settings have changed, from the engine's list of parameters before and now."""
    before, found, now = detail.partition("before: ")[2].partition(" now: ")
    old, new = _values(before), _values(now)
    if not found or old is None or new is None:
        return [f"parameters have changed: {_shortened(detail)}"]
    old_records, old_others = _sorted_out(old)
    new_records, new_others = _sorted_out(new)
    code = sorted({match[1] for value in new if (match := CODE.fullmatch(str(value)))})
    causes = [f"the code of {script}, or a module that it imports, has changed" for script in code]
    for record in new_records:
        # The same parameter before is the one that shares most keys.
        other = max(old_records, key=lambda other: len(other.keys() & record.keys()), default={})
        causes += _differences(other, record)
    if not new_records and not code:
        causes.append(f"a parameter has changed from {_listed(old_others)} to {_listed(new_others)}")
    return causes


def _values(text: str) -> list[Any] | None:
    """The values that the engine wrote one after another, separated by commas; None for what cannot be read."""
    if "<nothing exclusive>" in text:
        return []
    try:
        return list(ast.literal_eval(f"[{text.strip()}]"))
    except (SyntaxError, ValueError):
        return None


def _sorted_out(values: list[Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """Records (JSON objects, flattened), and all other values that are no digest of code."""
    records, others = [], []
    for value in values:
        content = value
        if isinstance(value, str):
            try:
                content = json.loads(value)
            except ValueError:
                content = value
        if isinstance(content, dict):
            records.append(dict(_flat(content)))
        elif not CODE.fullmatch(str(value)):
            others.append(str(value))
    return records, others


def _flat(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted({*old, *new}):
        if key not in old:
            yield f"the setting {key} is new: {_shortened(json.dumps(new[key]))}"
        elif key not in new:
            yield f"the setting {key} is gone"
        elif old[key] != new[key]:
            before, now = (_shortened(json.dumps(values[key])) for values in (old, new))
            yield f"the setting {key} has changed from {before} to {now}"


def _listed(values: list[str]) -> str:
    return _shortened(", ".join(sorted(values))) or "nothing"


def _shortened(text: str) -> str:
    text = text.strip()
    return text if len(text) <= SHOWN_LETTERS else f"{text[: SHOWN_LETTERS - 3]}..."


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"

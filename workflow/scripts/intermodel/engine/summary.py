"""One line at the end of a run: what ran, what was up to date, what failed and where its log is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from intermodel.engine.text import clock

# Kinds of jobs and logs that the line names; of the others it tells the number.
NAMED_KINDS = 4
NAMED_LOGS = 3


def summarise_run(
    ran: Iterable[str], seconds: float, up_to_date: int = 0, waiting: int = 0, failed: Sequence[str] = ()
) -> str:
    """One line about a run.

    Parameters
    ----------
    ran
        The kind of every job that has run, e.g. ``tally_concepts``.
    seconds
        Wall-clock seconds of the run.
    up_to_date
        Number of jobs whose results were there.
    waiting
        Number of jobs that were needed and did not run.
    failed
        Log file of every job that failed.
    """
    kinds = Counter(ran)
    number = kinds.total()
    parts = [f"{_jobs(number)} ran in {clock(seconds)}{_named(kinds)}", f"{up_to_date:,} up to date"]
    if waiting:
        parts.append(f"{waiting:,} not run")
    parts.append(f"{len(failed):,} failed" if failed else "none failed")
    line = f"intermodel: {', '.join(parts)}."
    if failed:
        more = f" and {len(failed) - NAMED_LOGS:,} more" if len(failed) > NAMED_LOGS else ""
        line += f" See {', '.join(sorted(failed)[:NAMED_LOGS])}{more}."
    return line


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"


def _named(kinds: Counter[str]) -> str:
    """The most frequent kinds with their numbers, in brackets."""
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    texts = [f"{count:,} {kind}" for kind, count in ordered[:NAMED_KINDS]]
    others = sum(count for _, count in ordered[NAMED_KINDS:])
    if others:
        texts.append(f"{others:,} other{'' if others == 1 else 's'}")
    return f" ({', '.join(texts)})" if texts else ""

"""What a job used, told by the job itself: the workflow engine only samples it, and misses most of short jobs."""

from __future__ import annotations

import re
import resource
import sys

SENTENCE = re.compile(r"used ([\d.]+) CPU seconds and ([\d.]+) MB of memory")


def usage_sentence() -> str:
    """CPU seconds of this process and its finished children, and the largest memory of one of them."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    # The system tells bytes on macOS and kilobytes elsewhere.
    megabytes = max(own.ru_maxrss, children.ru_maxrss) / (2**20 if sys.platform == "darwin" else 2**10)
    return f"used {seconds:.2f} CPU seconds and {megabytes:.0f} MB of memory"


def parse_usage(text: str) -> tuple[float, float] | None:
    """CPU seconds and MB from the last such sentence in a log, or None."""
    found = SENTENCE.findall(text)
    return (float(found[-1][0]), float(found[-1][1])) if found else None

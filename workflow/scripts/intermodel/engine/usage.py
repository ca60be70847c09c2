"""What a job used, told by the job itself: the workflow engine only samples it, and misses most of short jobs."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

SENTENCE = re.compile(r"used ([\d.]+) CPU seconds and ([\d.]+) MB of memory")
# The last line of a finished pass over images, as `progress` writes it.
PASS = re.compile(r"([\d,]+)/\1 images, ([\d,.]+) images/s, took [\d:]+$", re.MULTILINE)


def usage_sentence() -> str:
    """CPU seconds of this process and its finished children, and the largest memory of this process."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return f"used {seconds:.2f} CPU seconds and {_largest_memory():.0f} MB of memory"


def _largest_memory() -> float:
    """Largest resident memory so far, in MB."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        found = None
    if found:
        return int(found[1]) / 2**10
    # On Linux this counts what the process was before it became this program, the workflow engine's memory included;
    # the system tells bytes on macOS and kilobytes elsewhere.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def parse_usage(text: str) -> tuple[float, float] | None:
    """CPU seconds and MB from the last such sentence in a log, or None."""
    found = SENTENCE.findall(text)
    return (float(found[-1][0]), float(found[-1][1])) if found else None


def parse_passes(text: str) -> tuple[float, float] | None:
    """Images, and the seconds of all finished passes over them, from a job's log; None when it tells of no pass."""
    found = [(_number(images), _number(rate)) for images, rate in PASS.findall(text)]
    passes = [(images, images / rate) for images, rate in found if rate > 0]
    return (max(images for images, _ in passes), sum(seconds for _, seconds in passes)) if passes else None


def _number(text: str) -> float:
    return float(text.replace(",", ""))

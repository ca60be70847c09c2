"""Which device a job runs on, and how many GPUs it asks the workflow engine for."""

from __future__ import annotations

from pathlib import Path


def gpus_wanted(device: str) -> int:
    """GPUs that a rule should declare: 1 where a GPU can be expected, else 0.

    With ``auto`` that is where this machine has one, so that a machine without any is not kept from running jobs side
    by side. A cluster's profile says itself what its jobs ask for.

    Parameters
    ----------
    device
        ``auto``, ``cpu`` or ``cuda``, as in the study.
    """
    if device == "auto":
        return int(any(Path("/dev").glob("nvidia[0-9]*")))
    return int(device == "cuda")

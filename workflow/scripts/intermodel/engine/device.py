"""Which device a job runs on, and how many GPUs it asks the workflow engine for."""

from __future__ import annotations

from pathlib import Path


def gpus_wanted(device: str, local: bool = True) -> int:
    """GPUs that a rule should declare: 1 where a GPU can be expected, else 0.

    Parameters
    ----------
    device
        ``auto``, ``cpu`` or ``cuda``, as in the study.
    local
        Whether jobs run on this machine. With ``auto`` a local run asks for a GPU only if this machine has one, so
        that a machine without any is not kept from running jobs side by side; a cluster is always asked for one.
    """
    if device == "cpu":
        return 0
    if device == "cuda" or not local:
        return 1
    return int(any(Path("/dev").glob("nvidia[0-9]*")))

"""The workflow's code in a folder of a test's own, so that tests may edit it and leave results beside it."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copy_code(folder: Path, *more: str) -> None:
    """Copy what a run needs, and further files of the project, into a folder."""
    for name in ("rules", "workflow", "envs", "profiles", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", *more):
        shutil.copy2(ROOT / name, folder)

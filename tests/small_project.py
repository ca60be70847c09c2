"""A copy of the workflow's code with a study of its own, for tests that run it or ask what would run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from copied_code import copy_code

TARGETS = {"all", "data", "training", "features", "concepts", "similarity", "unit_matching", "probe", "quality"}
TARGETS |= {"lce", "report"}


class SmallProject:
    """Code, study and results in one folder; tests may change all three.

    Parameters
    ----------
    folder
        Where to put it.
    study
        The study; written anew before every command.
    cores
        Jobs that may run side by side.
    """

    def __init__(self, folder: Path, study: dict[str, Any], cores: int = 1) -> None:
        self.folder, self.study, self.cores = folder, study, cores
        copy_code(folder)

    def snakemake(self, *arguments: str, code: int = 0) -> str:
        """What a run of the engine that ends with this exit code tells."""
        path = self.folder / "study.yaml"
        path.write_text(yaml.safe_dump(self.study, sort_keys=False))
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", *arguments, "--configfile", str(path), "--cores", str(self.cores)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
            | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        output = result.stdout + result.stderr
        assert result.returncode == code, output
        return output

    def jobs(self, target: str) -> dict[str, int]:
        """Names and numbers of the jobs that would run, without the targets that only collect."""
        output = self.snakemake(target, "--dry-run")
        if "Nothing to be done" in output:
            return {}
        table = re.search(r"Job stats:\n(.*?)\ntotal", output, re.DOTALL)
        assert table is not None, output
        counts = dict(re.findall(r"^(\w+)\s+(\d+)$", table[1], re.MULTILINE))
        return {name: int(count) for name, count in counts.items() if name not in TARGETS}

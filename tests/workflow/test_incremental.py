"""What runs again when something changes, by name, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny.yaml")

pytestmark = pytest.mark.workflow


class Project:
    """A copy of the workflow's code beside the results of the tiny study, so that tests may edit both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rules", "workflow", "envs", "profiles"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "Snakefile", folder)
        self.study = yaml.safe_load(TINY.read_text())

    def snakemake(self, *arguments: str) -> str:
        path = self.folder / "study.yaml"
        path.write_text(yaml.safe_dump(self.study, sort_keys=False))
        result = subprocess.run(
            [sys.executable, "-m", "snakemake", "--configfile", str(path), "--cores", "2", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        output = result.stdout + result.stderr
        assert result.returncode == 0, output
        return output

    def jobs(self) -> dict[str, int]:
        """Names and numbers of the jobs that would run, without the targets that only collect."""
        output = self.snakemake("all", "--dry-run")
        if "Nothing to be done" in output:
            return {}
        table = re.search(r"Job stats:\n(.*?)\ntotal", output, re.DOTALL)
        assert table is not None, output
        counts = dict(re.findall(r"^(\w+)\s+(\d+)$", table[1], re.MULTILINE))
        return {name: int(count) for name, count in counts.items() if name not in TARGETS}


TARGETS = {"all", "data", "training", "features", "concepts", "similarity", "probe", "quality", "lce", "report"}
PAGE = {"report_page": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("incremental"))
    project.snakemake("all")
    return project


@pytest.fixture
def project(finished: Project) -> Iterator[Project]:
    """The finished project; whatever a test changes in the study or the code is put back."""
    study = yaml.safe_load(TINY.read_text())
    sources = {path: path.read_text() for path in (finished.folder / "workflow").rglob("*.py")}
    yield finished
    finished.study = study
    for path, text in sources.items():
        if path.read_text() != text:
            path.write_text(text)


def test_a_finished_study_has_nothing_to_do(project: Project) -> None:
    assert project.jobs() == {}

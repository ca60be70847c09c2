"""How the workflow engine looks for jobs to start."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from small_project import SmallProject

pytestmark = pytest.mark.workflow
TELL = """
import atexit
limiter = lambda: workflow.scheduler.job_rate_limiter
atexit.register(lambda: print("limit:", limiter() and limiter().max_jobs))
"""


def test_only_a_limit_that_was_asked_for_makes_the_engine_look_every_second(tmp_path: Path) -> None:
    study = yaml.safe_load(Path(__file__).with_name("tiny.yaml").read_text())
    project = SmallProject(tmp_path, study)
    with open(tmp_path / "Snakefile", "a") as snakefile:
        snakefile.write(TELL)
    assert "limit: None" in project.snakemake("data")
    assert "limit: 7" in project.snakemake("data", "--forceall", "--max-jobs-per-timespan", "7/1s")

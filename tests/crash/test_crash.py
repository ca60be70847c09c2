"""Kill the workflow and its jobs at random moments; what it ends with is what an undisturbed run ends with.

``make test-crash KILLS=200`` kills more often; INTERMODEL_CRASH_SEED chooses other moments.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path
from random import Random

import psutil
import pytest
from crash.project import Project, differences, outputs, wait_until

KILLS = int(os.environ.get("INTERMODEL_KILLS", "20"))
SEED = int(os.environ.get("INTERMODEL_CRASH_SEED", "0"))

pytestmark = [pytest.mark.slow, pytest.mark.workflow]


class Killer:
    """Kills processes of a project at moments that a seed decides, and keeps account.

    Some jobs are put to sleep before their engine is killed and are woken up while, or after, their successors run:
    they come back like jobs from a machine that was lost for a while.
    """

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.random = project, Random(seed)
        self.account: Counter[str] = Counter()
        self.asleep: list[psutil.Process] = []

    def strike(self, run: subprocess.Popen[str]) -> bool:
        """Wait for a moment and kill; False if the run has ended before."""
        if self.random.random() < 0.85:
            wait_until(lambda: self.project.jobs() or run.poll() is not None, 120)
        if wait_until(lambda: run.poll() is not None, self.random.uniform(0, 4)):
            return False
        self.wake()
        jobs, engine = self.project.jobs(), self.project.engine()
        if jobs and self.random.random() < 0.4:
            return self._kill(self.random.choice(jobs), "job")
        if engine is None:
            return False
        if jobs and self.random.random() < 0.4:
            sleeper = self.random.choice(jobs)
            sleeper.suspend()
            self.asleep.append(sleeper)
        if self._kill(engine, "engine"):
            run.wait()
            return True
        return False

    def wake(self) -> None:
        """Let sleeping jobs go on."""
        while self.asleep:
            sleeper = self.asleep.pop()
            if sleeper.is_running():
                sleeper.resume()
                self.account["woken"] += 1

    def _kill(self, process: psutil.Process, kind: str) -> bool:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            return False
        self.account[kind] += 1
        return True


def test_a_study_survives_being_killed(tmp_path: Path, quiet: Project) -> None:
    project = Project(tmp_path / "killed")
    killer = Killer(project, SEED)
    run, finished = project.resume(), 0
    try:
        while killer.account["engine"] + killer.account["job"] < KILLS:
            if killer.strike(run):
                assert differences(project.results, quiet.results) == []
            if run.poll() is not None:
                if run.returncode == 0:
                    finished += 1
                    assert_same(project, quiet)
                    shutil.rmtree(project.results)
                run = project.resume()
        run.wait()
        killer.wake()
        assert wait_until(lambda: not project.processes(), 60), "a job outlives its engine"
        output = project.finish()
    finally:
        killer.wake()
        project.kill_all()
    print(f"{dict(killer.account)}, finished {finished} times on the way")
    assert "Traceback" not in output
    assert_same(project, quiet)
    left = [path for path in project.results.rglob(".*") if path.is_file()]
    assert left == [], "files that nobody will ever finish"


def assert_same(project: Project, quiet: Project) -> None:
    assert differences(project.results, quiet.results) == []
    assert set(outputs(project.results)) == set(outputs(quiet.results))

"""Whether a run still lives, so that nobody takes its lock away."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from intermodel.engine import running
from intermodel.engine.running import live_runs

SCRIPTS = Path(running.__file__).parents[2]


def ask(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "intermodel.engine.running"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_living_engine_is_told_and_others_are_not(tmp_path: Path) -> None:
    state = tmp_path / running.STATE
    assert live_runs(state) == []
    state.mkdir(parents=True)
    (state / "plan-nonsense.json").touch()
    (state / f"plan-{os.getpid()}.json").touch()  # it lives, but is no engine
    wait = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", wait, "snakemake"], stdout=subprocess.PIPE) as engine:
        assert engine.stdout is not None
        engine.stdout.readline()
        (state / f"plan-{engine.pid}.json").touch()
        try:
            if Path("/proc").is_dir():
                assert live_runs(state) == [engine.pid]
            answer = ask(tmp_path)
            assert answer.returncode == 1
            assert f"A run of this folder is still alive (process {engine.pid})" in answer.stderr
        finally:
            engine.kill()
    assert engine.pid not in live_runs(state)
    (state / f"plan-{os.getpid()}.json").unlink()
    assert ask(tmp_path).returncode == 0

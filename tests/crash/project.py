"""A copy of the workflow in a folder of its own, its processes, and whether its results are those of another copy."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import psutil
from copied_code import copy_code
from intermodel import store
from intermodel.engine.errors import UserError

STUDY = Path(__file__).with_name("small.yaml")


def tells_times(name: str) -> bool:
    """Whether a file tells when and how long, not what was found."""
    return name.startswith(("logs/", "benchmarks/")) or "timings" in name or name == "report/index.html"


class Project:
    """The workflow's code with a study, in `folder`; `results` is where its results go."""

    def __init__(self, folder: Path, study: Path = STUDY) -> None:
        self.folder, self.results = folder, folder / "results"
        folder.mkdir(parents=True, exist_ok=True)
        copy_code(folder, "Makefile", "requirements.lock")
        shutil.copy(study, folder / "study.yaml")
        self._sessions: set[int] = set()

    def resume(self, target: str = "report") -> subprocess.Popen[str]:
        """Start `make resume`, as a user would after a crash, in a session of its own."""
        # The environment is the one that runs this test.
        settings = [f"VENV={sys.prefix}", "CORES=2", "STUDY=study.yaml", f"TARGET={target}"]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
        started = subprocess.Popen(
            ["make", "-o", f"{sys.prefix}/installed", *settings, "resume"],
            cwd=self.folder,
            stdout=(self.folder / "output.txt").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | {"OMP_NUM_THREADS": "1"},
            start_new_session=True,
        )
        self._sessions.add(started.pid)
        return started

    @property
    def output(self) -> str:
        """What the last `resume` printed."""
        return (self.folder / "output.txt").read_text()

    def processes(self) -> list[psutil.Process]:
        """Every living process that `resume` started, orphans included."""
        return [process for process in psutil.process_iter() if _session(process) in self._sessions and _lives(process)]

    def jobs(self) -> list[psutil.Process]:
        """Processes that run a script of a rule."""
        return [
            process for process in self.processes() if any(".snakemake/scripts/" in word for word in _line(process))
        ]

    def engine(self) -> psutil.Process | None:
        """The workflow engine."""
        found = [process for process in self.processes() if _line(process)[1:2] and "snakemake" in _line(process)[1]]
        return found[0] if found and found[0] not in self.jobs() else None

    def kill_all(self) -> None:
        """End whatever still runs."""
        for process in self.processes():
            _send(process, signal.SIGKILL)

    def finish(self, target: str = "report") -> str:
        """`resume` to the end; what was printed."""
        run = self.resume(target)
        run.wait()
        assert run.returncode == 0, self.output
        return self.output


def _line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _session(process: psutil.Process) -> int:
    try:
        return os.getsid(process.pid)
    except OSError:
        return -1


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)  # which makes sure that the number was not given to another process


def outputs(results: Path) -> dict[str, Path]:
    """Everything under its final name that does not tell times, by its path below the results."""
    found = {
        path.relative_to(results).as_posix(): path
        for path in results.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }
    return {name: path for name, path in found.items() if not tells_times(name)}


def differences(results: Path, expected: Path) -> list[str]:
    """Outputs that are there and are not, or not yet completely, those of an undisturbed run.

    An engine that lives removes what a failed job had published; a file that goes while it is looked at is no output.
    """
    reference = outputs(expected)
    return [
        name
        for name, path in outputs(results).items()
        if (name not in reference or not _equal(path, reference[name])) and path.exists()
    ]


def _equal(one: Path, other: Path) -> bool:
    try:
        if one.read_bytes() == other.read_bytes():
            return True
        if one.suffix != ".h5":
            return False
        with store.open_file(one) as first, h5py.File(other, "r") as second:  # which refuses what is not complete
            return _contents(first) == _contents(second)
    except (FileNotFoundError, UserError):
        return False


def _contents(file: h5py.File) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        attributes = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        values = item[...] if isinstance(item, h5py.Dataset) else np.empty(0)
        raw = values.tolist() if values.dtype.hasobject else values.tobytes()
        found[name] = (values.dtype.str, values.shape, raw, attributes)

    visit("/", file)
    file.visititems(visit)
    return found


def wait_until(condition: Callable[[], object], seconds: float) -> bool:
    """Whether `condition()` becomes true within `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return bool(condition())

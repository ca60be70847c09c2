"""Publishing: whole files under final names, or nothing; sentences for what the user can put right."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from intermodel.engine import publish as module
from intermodel.engine.errors import UserError
from intermodel.engine.publish import publish

SCRIPTS = Path(module.__file__).parents[2]


def test_the_final_name_appears_only_when_the_block_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "values.maps.h5"
    with publish(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".h5"
        temporary.write_text("all")
        assert not path.exists()
    assert path.read_text() == "all"
    assert list(path.parent.iterdir()) == [path]


def test_the_old_file_stays_until_then(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    path.write_text("old")
    with publish(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "old"
        temporary.write_text("new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "values.csv"
    with pytest.raises(type(error)), publish(path) as temporary:
        temporary.write_text("half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_permissions_are_those_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with publish(tmp_path / "published") as temporary:
        temporary.touch()
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "published")}
    assert len(modes) == 1


@pytest.mark.parametrize(
    "number, piece",
    [
        (errno.ENOSPC, "the disk is full; free some space"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "read-only; choose another `results` folder"),
        (errno.EACCES, "may not be written; change its permissions"),
    ],
)
def test_what_the_user_can_put_right_is_a_sentence(tmp_path: Path, number: int, piece: str) -> None:
    path = tmp_path / "values.csv"
    with pytest.raises(UserError, match=piece) as caught, publish(path):
        raise OSError(number, os.strerror(number))
    assert str(caught.value).startswith(f"{path} cannot be written: ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(
            "Can't write data (file write failed: time = now, errno = 28, error message = 'No space left', buf = 0)"
        ),
        RuntimeError("Can't flush (file write failed: time = now\n, filename = 'a', errno = 28, buf = 0)"),
        ArithmeticError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_told_whatever_a_library_makes_of_it(tmp_path: Path, error: Exception) -> None:
    path = tmp_path / "values.h5"
    with pytest.raises(UserError, match=r"values\.h5 cannot be written: the disk is full"), publish(path):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_other_errors_of_the_system_are_not_disguised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Is a directory") as caught, publish(tmp_path / "values.csv"):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    assert not isinstance(caught.value, UserError)


def test_jobs_remove_what_a_killed_job_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = ["values.csv", ".values.part.csv", ".values.maps.abcd1234.csv", ".values.abcd1234.h5", ".other.abcd1234.csv"]
    for name in [*kept, ".values.abcd_234.csv"]:
        (tmp_path / name).touch()
    with publish(tmp_path / "values.csv"):
        pass
    assert (tmp_path / ".values.abcd_234.csv").exists()  # a notebook does not know whose it is
    monkeypatch.setattr(module, "_watching", True)
    with publish(tmp_path / "values.csv") as temporary:
        assert temporary.exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)


ORPHAN = """
import os, sys, time
from pathlib import Path
from intermodel.engine.job import job
from intermodel.engine.publish import publish, watch_parent
path, watch, parent = Path(sys.argv[1]), sys.argv[2] == "job", os.getppid()
if watch:
    watch_parent()
with publish(path) as temporary:
    temporary.write_text("late")
    path.with_suffix(".started").touch()
    while os.getppid() == parent:
        time.sleep(0.01)
"""


@pytest.mark.parametrize("kind", ["job", "notebook"])
def test_an_orphaned_job_does_not_publish(tmp_path: Path, kind: str) -> None:
    """Killed with -9, a workflow engine leaves its jobs behind; its successor has made the file meanwhile."""
    path = tmp_path / "values.csv"
    parent = subprocess.Popen(
        [sys.executable, "-c", "import subprocess, sys; subprocess.run(sys.argv[1:])"]
        + [sys.executable, "-c", ORPHAN, str(path), kind],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        start_new_session=True,
    )
    wait_for(path.with_suffix(".started").exists)
    path.write_text("made by the successor")
    parent.kill()
    parent.wait()
    wait_for(lambda: {entry.name for entry in tmp_path.iterdir()} == {"values.csv", "values.started"})
    assert path.read_text() == ("made by the successor" if kind == "job" else "late")


CLAIMANT = """
import sys, time
from pathlib import Path
from intermodel.engine.job import job
from intermodel.engine.publish import publish
name, signal = sys.argv[1], Path(sys.argv[1] + ".go")
with job(f"{name}.log", ["values.csv", "more.csv"]):
    Path(f"{name}.claimed").touch()
    while not signal.exists():
        time.sleep(0.01)
    for path in ("values.csv", "more.csv"):
        with publish(path) as temporary:
            temporary.write_text(name)
"""


def test_a_job_that_was_started_again_elsewhere_does_not_publish(tmp_path: Path) -> None:
    """A machine that the cluster has lost sight of goes on; the job that replaced it has made the files meanwhile."""

    def start(name: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", CLAIMANT, name],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
            stderr=subprocess.PIPE,
            text=True,
        )
        wait_for((tmp_path / f"{name}.claimed").exists)
        return process

    lost, successor = start("lost"), start("successor")
    (tmp_path / "successor.go").touch()
    assert successor.wait() == 0
    (tmp_path / "lost.go").touch()
    _, message = lost.communicate()
    assert lost.returncode == 1
    assert "has replaced it; values.csv is not published" in message
    assert (tmp_path / "values.csv").read_text() == "successor"
    assert (tmp_path / "more.csv").read_text() == "successor"
    # Claims do not pile up, and no temporary file is left.
    assert list((tmp_path / module.CLAIMS).iterdir()) == []
    assert not list(tmp_path.glob(".values*"))


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)

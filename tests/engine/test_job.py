"""The frame of a script: its log, its exit code, one line for what the user can mend."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from intermodel.engine import publish
from intermodel.engine.errors import UserError
from intermodel.engine.job import job
from intermodel.engine.usage import parse_usage


@pytest.fixture(autouse=True)
def nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(publish, "_watching", False)
    level, handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    with warnings.catch_warnings():
        yield
    assert logging.getLogger().handlers == handlers
    logging.getLogger().setLevel(level)


def test_what_is_logged_stands_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "rule" / "model.log"
    with job(str(log)):
        logging.getLogger("intermodel.features").info("64 images")
        warnings.warn("a unit is constant", UserWarning, stacklevel=1)
    text = log.read_text()
    assert "INFO intermodel.features: 64 images" in text
    assert "a unit is constant" in text
    logging.getLogger("intermodel.features").info("afterwards")
    assert "afterwards" not in log.read_text()


def test_the_log_tells_what_the_job_used(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with job(str(log)):
        pass
    used = parse_usage(log.read_text())
    assert used is not None
    seconds, megabytes = used
    assert 0 < seconds < 3600
    assert 5 < megabytes < 1e6


def test_an_error_of_the_user_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, job(str(tmp_path / "job.log")):
        raise UserError("weights.pth holds no tensor, expected weights; give another file.")
    assert caught.value.code == 1
    assert caught.value.__suppress_context__
    assert capsys.readouterr().err == "error: weights.pth holds no tensor, expected weights; give another file.\n"
    text = (tmp_path / "job.log").read_text()
    assert "weights.pth holds no tensor" in text
    assert "Traceback" not in text


def test_a_log_that_cannot_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path, **options: bool) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    log = tmp_path / "job.log"
    with pytest.raises(SystemExit) as caught, job(str(log)):
        raise AssertionError("nothing may run without a log")
    assert caught.value.code == 1
    assert capsys.readouterr().err == (
        f"error: {log} cannot be written: the file system is read-only; choose another `results` folder and run "
        "again.\n"
    )


def test_a_full_disk_hides_no_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """HDF5 prints what it cannot raise, the log prints that it cannot be written; neither helps."""

    class Stubborn:
        def __del__(self) -> None:
            raise RuntimeError("Can't decrement id ref count")

    with open("/dev/full", "w") as full, pytest.raises(SystemExit), job(str(tmp_path / "job.log")):
        Stubborn()
        handler = logging.getLogger().handlers[-1]
        assert isinstance(handler, logging.FileHandler) and handler.baseFilename == str(tmp_path / "job.log")
        handler.setStream(full).close()
        logging.info("this does not fit")
        raise UserError("values.h5 cannot be written: the disk is full; free some space and run again.")
    assert capfd.readouterr().err == (
        "error: values.h5 cannot be written: the disk is full; free some space and run again.\n"
    )
    assert "WARNING root: ignored: Can't decrement id ref count" in (tmp_path / "job.log").read_text()


def test_a_job_with_a_full_disk_ends_at_once(tmp_path: Path) -> None:
    """What libraries do when the interpreter clears up would write to the disk again."""
    code = f"""
import atexit, errno
from intermodel.engine.job import job
from intermodel.engine.publish import publish
atexit.register(print, "cleared up")
with job({str(tmp_path / "job.log")!r}), publish({str(tmp_path / "values.h5")!r}):
    raise OSError(errno.ENOSPC, "No space left on device")
"""
    scripts = Path(publish.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(scripts)}, capture_output=True, text=True
    )
    told = f"{tmp_path / 'values.h5'} cannot be written: the disk is full; free some space and run again."
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {told}\n")
    assert told in (tmp_path / "job.log").read_text() and "CPU seconds" in (tmp_path / "job.log").read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["job.log"]


def test_a_defect_of_the_program_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), job(str(tmp_path / "job.log")):
        1 / 0  # noqa: B018
    assert "Traceback" in (tmp_path / "job.log").read_text()
    assert "ZeroDivisionError" in (tmp_path / "job.log").read_text()


def test_jobs_watch_for_their_workflow_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "PARENT", -1)
    assert not publish.orphaned()
    refused = pytest.raises(SystemExit, match="is not published")
    with refused, job(str(tmp_path / "job.log")), publish.publish(tmp_path / "values.csv"):
        pass
    assert not (tmp_path / "values.csv").exists()

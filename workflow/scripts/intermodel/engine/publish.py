"""Atomic outputs: a file either has its final name and is whole, or does not exist."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import socket
import tempfile
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from intermodel.engine.errors import UserError

PARENT = os.getppid()
# Where jobs note, for every file that is being made, which process makes it; all machines of a cluster see this folder.
CLAIMS = Path(".snakemake", "intermodel", "claims")
# How HDF5 and safetensors, which raise errors of their own, tell the number of the system's.
TOLD = re.compile(r"(?:errno = |os error )(\d+)")
_watching = False
_claims: dict[Path, str] = {}


def watch_parent() -> None:
    """From now on, publish only while the process that started this one lives.

    A job whose workflow engine has died must not overwrite the file that its successor has published meanwhile.
    A notebook or a long command whose terminal was closed may go on, so only jobs ask for this.
    """
    global _watching
    _watching = True


def claim(outputs: Iterable[str]) -> None:
    """Become the one process that publishes `outputs`: whoever claimed them before publishes no more.

    A cluster that loses sight of a machine starts its jobs elsewhere, under the same name, while on the lost machine
    the job and the workflow engine that started it may go on. The last one to claim a file is the one that counts.

    Raises
    ------
    UserError
        If the claims cannot be written.
    """
    note = f"{socket.gethostname()} {os.getpid()} {os.environ.get('SLURM_JOB_ID', '')} {uuid.uuid4().hex}"
    for output in outputs:
        path = (CLAIMS / hashlib.sha256(os.fspath(output).encode()).hexdigest()[:32]).resolve()
        with publish(path) as temporary:
            temporary.write_text(note, encoding="utf-8")
        _claims[path] = note


def release() -> None:
    """Give up what this process has claimed."""
    while _claims:
        path, note = _claims.popitem()
        if _read(path) == note:
            path.unlink(missing_ok=True)


def orphaned() -> bool:
    """Whether this is a job that nobody waits for: its engine is gone, or another job has claimed its files."""
    return _watching and (os.getppid() != PARENT or any(_read(path) != note for path, note in _claims.items()))


def _read(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(encoding="utf-8")
    return ""


@contextmanager
def publish(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary file beside `path` that takes the name `path` when the block succeeds.

    The temporary name keeps the suffix of `path`, since writers choose the format by it. The file is flushed to
    the disk before it is renamed. Nothing is left behind when the block fails.

    Raises
    ------
    UserError
        If the folder cannot be written or the disk is full.
    SystemExit
        If this is a job that nobody waits for (see `watch_parent` and `claim`): the file is not published.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        _stop_if_orphaned(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if _watching:
            _remove_remains(path)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        _stop_if_orphaned(path)
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except Exception as error:
        problem = writing_problem(path, error)
        if problem is None:
            raise
        raise problem from error
    finally:
        if temporary is not None and temporary.exists():
            temporary.unlink()


def _stop_if_orphaned(path: Path) -> None:
    if orphaned():
        raise SystemExit(f"The workflow that started this job is gone or has replaced it; {path} is not published.")


def writing_problem(path: str | os.PathLike[str], error: Exception) -> UserError | None:
    """A sentence about a file that cannot be written, if it is for a reason that the user can put right."""
    number = error.errno if isinstance(error, OSError) else None
    if number is None and (told := TOLD.search(str(error))) and not isinstance(error, UserError):
        number = int(told[1])
    reason = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EROFS: "the file system is read-only; choose another `results` folder",
        errno.EACCES: "the folder may not be written; change its permissions or choose another `results` folder",
    }.get(number or 0)
    return None if reason is None else UserError(f"{path} cannot be written: {reason} and run again.")


def _remove_remains(path: Path) -> None:
    """Remove temporary files of jobs that were killed while they made `path`, which no other job makes now."""
    remains = re.compile(rf"\.{re.escape(path.stem)}\.[a-z0-9_]{{8}}{re.escape(path.suffix)}")  # as mkstemp names them
    for entry in path.parent.iterdir():
        if remains.fullmatch(entry.name):
            entry.unlink(missing_ok=True)


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value

"""Atomic outputs: a file either has its final name and is whole, or does not exist."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from intermodel.engine.errors import UserError

PARENT = os.getppid()
_watching = False


def watch_parent() -> None:
    """From now on, publish only while the process that started this one lives.

    A job whose workflow engine has died must not overwrite the file that its successor has published meanwhile.
    A notebook or a long command whose terminal was closed may go on, so only jobs ask for this.
    """
    global _watching
    _watching = True


def orphaned() -> bool:
    """Whether this is a job and the workflow engine that started it is gone."""
    return _watching and os.getppid() != PARENT


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
        If this is a job and the workflow that started it is gone (see `watch_parent`): the file is not published.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        if orphaned():
            raise SystemExit(f"The workflow that started this job is gone; {path} is not published.")
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        reason = {
            errno.ENOSPC: "the disk is full; free some space",
            errno.EDQUOT: "the disk quota is used up; free some space",
            errno.EROFS: "the file system is read-only; choose another `results` folder",
            errno.EACCES: "the folder may not be written; change its permissions or choose another `results` folder",
        }.get(error.errno or 0)
        if reason is None:
            raise
        raise UserError(f"{path} cannot be written: {reason} and run again.") from error
    finally:
        if temporary is not None and temporary.exists():
            temporary.unlink()


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value

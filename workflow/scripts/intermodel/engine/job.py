"""The frame around every script: a log file, one sentence for what the user can mend."""

from __future__ import annotations

import gc
import logging
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from intermodel.engine.errors import UserError
from intermodel.engine.publish import claim, release, watch_parent, writing_problem
from intermodel.engine.usage import usage_sentence


@contextmanager
def job(log: str, outputs: Iterable[str] = ()) -> Iterator[None]:
    """Log to the file `log`; end with exit code 1 and one line when the block raises `UserError`.

    What the job used is the last line of the log. Files are published only while the workflow engine lives and no other
    job makes `outputs`.

    Any other exception is a defect of the program: its traceback goes to the log and to the terminal.
    """
    watch_parent()
    # Importing torch, scikit-learn or seaborn makes hundreds of thousands of objects that stay. Looking through them
    # for garbage, again and again and once more at the end, takes a third of what such a job costs to start and to end.
    gc.set_threshold(200_000)
    # Threads of a network that wait for one another give way at once to those that decode and write. Read when torch
    # is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    unwritten = False
    handler = _open_log(Path(log))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    warnings.simplefilter("default", UserWarning)
    hooks = sys.excepthook, sys.unraisablehook
    # In here they are called for what cannot be raised alone, e.g. when HDF5 lets go of a file on a full disk.
    sys.excepthook = lambda kind, error, traceback: logging.warning("ignored: %s", error)
    sys.unraisablehook = lambda ignored: logging.warning("ignored: %s", ignored.exc_value)
    try:
        claim(outputs)
        yield
    except UserError as error:
        logging.error("%s", error)
        print(f"error: {error}", file=sys.stderr)
        cause = error.__cause__
        unwritten = isinstance(cause, Exception) and writing_problem(log, cause) is not None
        if not unwritten:
            raise SystemExit(1) from None
    except Exception:
        logging.exception("unexpected error")
        raise
    finally:
        sys.excepthook, sys.unraisablehook = hooks
        release()
        logging.getLogger(__name__).info("%s", usage_sentence())
        logging.captureWarnings(False)
        root.removeHandler(handler)
        with suppress(OSError):
            handler.close()
        gc.freeze()
    if unwritten:
        # Not in the usual way: HDF5 would try again to write what it holds for a full disk, and crash.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


class _Log(logging.FileHandler):
    """A log that is silent when the disk is full, so that the terminal shows the sentence that says so."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Lose the record."""


def _open_log(path: Path) -> logging.Handler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A new file, not an emptied one: an orphan may still write into the old one.
        path.unlink(missing_ok=True)
        handler = _Log(path, mode="w", encoding="utf-8")
    except OSError as error:
        problem = writing_problem(path, error)
        if problem is None:
            raise
        print(f"error: {problem}", file=sys.stderr)
        raise SystemExit(1) from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S"))
    return handler

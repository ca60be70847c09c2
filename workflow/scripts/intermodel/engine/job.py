"""The frame around every script: a log file, one sentence for what the user can mend."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from intermodel.engine.errors import UserError
from intermodel.engine.publish import claim, release, watch_parent
from intermodel.engine.usage import usage_sentence


@contextmanager
def job(log: str, outputs: Iterable[str] = ()) -> Iterator[None]:
    """Log to the file `log`; end with exit code 1 and one line when the block raises `UserError`.

    What the job used is the last line of the log. Files are published only while the workflow engine lives and no other
    job makes `outputs`.

    Any other exception is a defect of the program: its traceback goes to the log and to the terminal.
    """
    watch_parent()
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    # A new file, not an emptied one: an orphan may still write into the old one.
    Path(log).unlink(missing_ok=True)
    handler = logging.FileHandler(log, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%d %H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    warnings.simplefilter("default", UserWarning)
    try:
        claim(outputs)
        yield
    except UserError as error:
        logging.error("%s", error)
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception:
        logging.exception("unexpected error")
        raise
    finally:
        release()
        logging.getLogger(__name__).info("%s", usage_sentence())
        logging.captureWarnings(False)
        root.removeHandler(handler)
        handler.close()

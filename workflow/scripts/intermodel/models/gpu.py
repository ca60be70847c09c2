"""One GPU for each job of a machine (this module starts without torch)."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

logger = logging.getLogger(__name__)


def lease_gpu(gpus: Sequence[int] | None = None, folder: Path | None = None, poll: float = 1.0) -> int | None:
    """Reserve one of this machine's GPUs for the life of this process, waiting for one to be free.

    The workflow engine says how many jobs may use a GPU at once but not which one each of them uses. Call this before
    the first use of CUDA: it sets ``CUDA_VISIBLE_DEVICES``. The reservation is a lock that the kernel lifts when the
    process ends, however it ends.

    Parameters
    ----------
    gpus
        Numbers of the GPUs to choose from; default all of this machine.
    folder
        Where the locks are; it must belong to this machine alone. Default: the folder of temporary files.
    poll
        Seconds between two attempts.

    Returns
    -------
    int or None
        The GPU; None where there is none, or where a scheduler or the user has chosen already.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") is not None:
        return None
    if gpus is None:
        gpus = range(len(list(Path("/dev").glob("nvidia[0-9]*"))))
    if not gpus:
        return None
    folder = folder or Path(tempfile.gettempdir()) / f"intermodel-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    waiting = False
    while True:
        for gpu in gpus:
            handle = os.open(folder / f"{gpu}.lock", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(handle)
                continue
            # The handle stays open, and with it the lock, until the process ends.
            os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
            return gpu
        if not waiting:
            logger.info("all of the %d GPUs are in use by other jobs; waiting for one", len(gpus))
            waiting = True
        time.sleep(poll)

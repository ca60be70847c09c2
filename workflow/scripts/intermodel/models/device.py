"""Where a network runs, and with which arithmetic."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from intermodel.engine.errors import UserError

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


def choose_device(device: str = "auto") -> torch.device:
    """The device to compute on: ``"auto"`` takes CUDA where there is one, then the CPU.

    Raises
    ------
    UserError
        If the device is asked for by name and is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise UserError(f"device is {device!r}, expected auto, cpu, cuda or cuda:<number>.") from error
    if chosen.type == "cuda" and (not torch.cuda.is_available() or (chosen.index or 0) >= torch.cuda.device_count()):
        raise UserError(
            f"device is {device!r}, but this machine offers {torch.cuda.device_count()} CUDA devices; set device: auto."
        )
    return chosen


def exact_arithmetic(threads: int | None = None) -> None:
    """Set this process to full float32 arithmetic that does not depend on the run.

    TensorFloat-32 would round the factors of every product to 10 bits; automatic choice among convolution algorithms
    would make results depend on timing.
    """
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    if threads is not None:
        torch.set_num_threads(threads)


def device_name(device: torch.device) -> str:
    """What the device is called, for the provenance of files."""
    return f"cuda: {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that a device, or the machine, has no memory left for a tensor."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )

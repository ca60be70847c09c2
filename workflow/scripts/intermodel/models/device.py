"""Where a network runs, and with which arithmetic."""

from __future__ import annotations

import torch

from intermodel.engine.errors import UserError


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

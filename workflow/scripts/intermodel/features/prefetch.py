"""Batches of pixels, decoded by threads while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from intermodel.models.preprocessing import Preprocessing

# Images for which importing a compiler costs less than it saves.
MANY = 256


class Images(Protocol):
    """What extraction needs of a data set; `image` may be called by several threads at once."""

    @property
    def ids(self) -> Sequence[str] | NDArray[np.str_]:
        """(N,) unique image ids."""

    def __len__(self) -> int: ...

    def image(self, index: int) -> NDArray[np.uint8]:
        """Image number `index`, (H, W, 3) uint8, RGB."""


def batches(
    images: Images,
    preprocessing: Preprocessing,
    wanted: range,
    batch_size: int,
    workers: int = 1,
    ahead: int = 2,
    pin: bool = False,
) -> Generator[tuple[int, torch.Tensor], None, None]:
    """Yield (number of the first image, pixels (n, h, w, 3) uint8) for some consecutive images.

    Parameters
    ----------
    images
        The data set.
    preprocessing
        Resizing and cropping.
    wanted
        Numbers of the images.
    batch_size
        Images in a batch; the last one may be smaller.
    workers
        Threads that decode and resize (Pillow lets go of the interpreter lock for both); 0 for none beside the
        network, which then waits for each batch.
    ahead
        Batches that are prepared beyond the one that is computed.
    pin
        Put them into page-locked memory, from which a GPU copies faster.
    """
    pending: deque[tuple[int, torch.Tensor, list[Future[None]]]] = deque()
    starts = iter(wanted[::batch_size])
    compiled = len(wanted) >= MANY

    def fill(target: NDArray[np.uint8], index: int) -> None:
        target[...] = preprocessing.pixels(images.image(index), f"The image {str(images.ids[index])!r}", compiled)

    if workers == 0:
        ahead = 0
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="decode")
    try:

        def submit() -> None:
            first = next(starts, None)
            if first is None:
                return
            count = min(batch_size, wanted.stop - first)
            batch = torch.empty((count, *preprocessing.size, 3), dtype=torch.uint8, pin_memory=pin)
            view = batch.numpy()
            pending.append((first, batch, [pool.submit(fill, view[row], first + row) for row in range(count)]))

        for _ in range(max(1, ahead)):
            submit()
        while pending:
            first, batch, futures = pending.popleft()
            if ahead:
                submit()
            for future in futures:
                future.result()
            yield first, batch
            if not ahead:
                submit()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

"""The largest activations of each unit over a stream of maps that lie on a device."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

# Values that are searched at a time: units go in groups, so that little is held beside what is kept.
SEARCHED = 1 << 24


class DeviceLargest:
    """Keeps the `keep` largest activations of each unit on the device, as `largest.Largest` does on the processor.

    Holds some ``5 * units * keep`` bytes there; the largest are selected when a quarter more has come in.
    """

    def __init__(self, units: int, keep: int, device: torch.device) -> None:
        self._keep = keep
        self._kept = torch.full((units, keep), -torch.inf, dtype=torch.float32, device=device)
        self._fresh: list[torch.Tensor] = []
        self._seen = 0

    def add(self, block: torch.Tensor) -> None:
        """Take in maps, (n, units, h, w), finite, on the device."""
        self._fresh.append(block.float().transpose(0, 1).flatten(1))
        self._seen += self._fresh[-1].shape[1]
        if sum(part.shape[1] for part in self._fresh) > self._keep // 4:
            self._select()

    def values(self) -> NDArray[np.float32]:
        """The largest activations, (units, at most `keep`), in no order."""
        self._select()
        kept: NDArray[np.float32] = self._kept.cpu().numpy()
        if self._seen < self._keep:
            kept = np.sort(kept, axis=1)[:, self._keep - self._seen :]
        return kept

    def _select(self) -> None:
        parts, self._fresh = [self._kept, *self._fresh], []
        step = max(1, SEARCHED // sum(part.shape[1] for part in parts))
        for first in range(0, len(self._kept) if len(parts) > 1 else 0, step):
            together = torch.cat([part[first : first + step] for part in parts], dim=1)
            self._kept[first : first + step] = together.topk(self._keep, dim=1, sorted=False).values

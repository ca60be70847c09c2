"""Activations held in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Held:
    """Activations in memory, (N, U, P)."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values
        self.ids = np.array([f"i{number}" for number in range(len(values))])
        self.attributes: dict[str, Any] = {}
        self.units, self.positions = values.shape[1:]

    def read(self, rows: NDArray[np.integer]) -> NDArray[np.float64]:
        return np.ascontiguousarray(self.values[rows].transpose(1, 0, 2), dtype=np.float64)

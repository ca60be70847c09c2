"""Random rotations of a layer: is what its units detect a property of its axes, or of the space that they span?

A rotation mixes all units into as many new directions and changes neither distances nor anything that a linear readout
could use. What rotated units detect as well, any basis of the space detects (Bau et al. 2017).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rotation:
    """An orthogonal matrix, (U, U) float32, and the (U,) float64 thresholds of the units that it makes."""

    matrix: NDArray[np.float32]
    threshold: NDArray[np.float64]


def random_rotation(units: int, name: str) -> NDArray[np.float32]:
    """A random orthogonal matrix, (units, units), uniform over all (Haar), the same for the same name.

    The Q of the QR decomposition of a Gaussian matrix, with columns signed so that R has a positive diagonal; without
    that it would not be uniform (Mezzadri 2007).
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    q, r = np.linalg.qr(np.random.default_rng(seed).normal(size=(units, units)))
    return np.asarray(q * np.where(np.diag(r) < 0, -1.0, 1.0), dtype=np.float32)


def rotation_names(origin: Mapping[str, Any], count: int) -> list[str]:
    """The names that seed the rotations of a layer, from what its maps say of themselves."""
    return [f"{origin.get('model')} {origin.get('layer')} {number}" for number in range(count)]


def rotate(block: NDArray[np.floating], rotation: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps, (n, U, h, w), of rotated units: one product in float32 per image, so batches do not matter.

    Costs ``2 * U**2 * h * w`` operations per image.
    """
    values = np.ascontiguousarray(block, dtype=np.float32)
    return np.asarray(np.matmul(rotation, values.reshape(*values.shape[:2], -1)).reshape(values.shape))

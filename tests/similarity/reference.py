"""Plain, slow definitions that the tests compare with, and data for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

GOLDEN = Path(__file__).parents[1] / "golden" / "similarity"
CASES = (
    "planted",
    "shared_gauss",
    "n_less_than_d",
    "forced_ones",
    "rank_deficient",
    "duplicate_rows",
    "float32_offset",
    "power_law",
    "one_feature",
)


def golden(name: str) -> dict[str, NDArray]:
    """All arrays of a golden file."""
    with np.load(GOLDEN / f"{name}.npz") as file:
        return dict(file)


def related(
    seed: int, images: int = 120, units: tuple[int, int] = (12, 9), shared: int = 4, noise: float = 0.5
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two representations that share some directions."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(images, shared))
    first, second = (
        common @ generator.normal(size=(shared, width)) + noise * generator.normal(size=(images, width))
        for width in units
    )
    return first, second


def rotation(seed: int, size: int) -> NDArray[np.float64]:
    """A random orthogonal matrix."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]

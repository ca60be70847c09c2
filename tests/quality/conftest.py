"""Reference values, settings, and a small data set on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quality.small_study import QUALITY, write_study

GOLDEN = Path(__file__).parents[1] / "golden" / "quality"


@pytest.fixture
def golden() -> Callable[[str], Mapping[str, np.ndarray]]:
    def load(name: str) -> Mapping[str, np.ndarray]:
        return np.load(GOLDEN / f"{name}.npz")

    return load


@pytest.fixture
def settings() -> dict[str, Any]:
    return dict(QUALITY)


@pytest.fixture
def study(tmp_path: Path) -> Callable[..., tuple[dict[str, Any], str]]:
    """See `small_study.write_study`, in the folder of the test."""
    return lambda *arguments: write_study(tmp_path, *arguments)

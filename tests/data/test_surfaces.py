from __future__ import annotations

import numpy as np
import pytest
from intermodel.data.scenes.surfaces import DETAILS, PATTERNS, TILE, detail_atlas, pattern_atlas


def tiles(atlas: np.ndarray) -> np.ndarray:
    return atlas.reshape(-1, TILE, TILE)


def test_one_tile_for_every_name() -> None:
    assert len(tiles(pattern_atlas())) == len(PATTERNS)
    assert len(tiles(detail_atlas())) == len(DETAILS)
    assert not tiles(pattern_atlas())[0].any() and not tiles(detail_atlas())[0].any()


@pytest.mark.parametrize(("atlas", "names"), [(pattern_atlas(), PATTERNS), (detail_atlas(), DETAILS)])
def test_tiles_vary_differ_and_join_at_their_edges(atlas: np.ndarray, names: tuple[str, ...]) -> None:
    stack = tiles(atlas)
    for name, tile in zip(names[1:], stack[1:]):
        assert np.isfinite(tile).all() and tile.std() > 0.01, name
        for axis in (0, 1):
            inner = np.abs(np.diff(tile, axis=axis)).mean(axis=1 - axis)
            seam = np.abs(tile.take(0, axis) - tile.take(-1, axis)).mean()
            assert seam <= inner.max() * 1.05 + 1e-6, f"{name} does not repeat along axis {axis}"
    flat = stack[1:].reshape(len(names) - 1, -1)
    correlation = np.corrcoef(flat)
    assert np.abs(correlation[~np.eye(len(flat), dtype=bool)]).max() < 0.92


def test_patterns_swing_both_ways() -> None:
    for name, tile in zip(PATTERNS[1:], tiles(pattern_atlas())[1:]):
        assert tile.min() < -0.5 and tile.max() > 0.5, name
        assert np.abs(tile).max() <= 1.0 + 1e-6, name

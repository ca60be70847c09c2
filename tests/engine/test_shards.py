"""How images and files are divided into shards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.engine.shards import BLOCK, images_of, shard_path, shard_paths


@given(st.integers(1, 5000), st.integers(1, 40))
def test_shards_are_contiguous_and_nearly_equal(images: int, count: int) -> None:
    if count > images:
        with pytest.raises(UserError, match=f"into {count} shards, but has {images} images"):
            images_of(images, 1, count)
        return
    parts = [images_of(images, number, count) for number in range(1, count + 1)]
    assert [image for part in parts for image in part] == list(range(images))
    block = min(BLOCK, images // count)
    assert all(len(part) >= 1 for part in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 2 * block
    if images >= BLOCK * count:
        assert all(part.start % BLOCK == 0 for part in parts)


def test_one_shard_is_the_file_itself() -> None:
    assert shard_paths("results/features/d/m/layer4.maps.h5", 1) == ["results/features/d/m/layer4.maps.h5"]
    assert (
        shard_path("results/features/d/m/layer4.maps.h5", 2, 3) == "results/features/d/m/shards/2-of-3/layer4.maps.h5"
    )
    with pytest.raises(ValueError, match="shard 4 of 3"):
        images_of(10, 4, 3)

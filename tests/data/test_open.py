from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.data.dataset import Index, make_index
from intermodel.data.open import limited, open_dataset
from intermodel.engine.errors import UserError

Save = Callable[..., Path]


def index(labels: list[int], splits: list[str]) -> Index:
    return make_index([f"{row:03}" for row in range(len(labels))], labels, splits, [str(c) for c in range(4)])


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.tuples(st.integers(-1, 3), st.sampled_from(["train", "test", ""])), min_size=1, max_size=40),
    limit=st.integers(1, 50),
)
def test_limit_spreads_over_splits_and_classes(rows: list[tuple[int, str]], limit: int) -> None:
    whole = index([label for label, _ in rows], [split for _, split in rows])
    part = limited(whole, limit)
    assert len(part.ids) == min(limit, len(rows))
    assert part.ids.tolist() == sorted(part.ids.tolist())
    have = Counter(zip(part.labels.tolist(), part.splits.tolist()))
    total = Counter(rows)
    assert set(have) <= set(total)
    # No group has two images more than another that still has some left.
    left_out = [have[group] for group in total if have[group] < total[group]]
    if left_out:
        assert max(have.values()) <= min(left_out) + 1
    larger = limited(whole, limit + 3)
    assert set(part.ids.tolist()) <= set(larger.ids.tolist())


@pytest.mark.parametrize("limit", [0, -1, 2.5])
def test_wrong_limits(limit: Any) -> None:
    with pytest.raises(UserError, match="`limit` is"):
        limited(index([0], [""]), limit)


def test_no_limit() -> None:
    whole = index([0, 1], ["", ""])
    assert limited(whole, None) is whole


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": []}, "holds no image"),
        ({"ids": ["a", "b", "a"]}, "image id 'a' more than once"),
        ({"ids": ["a", "b"], "labels": [0, 2], "classes": ["x", "y"]}, "from 0 to 2, expected 0 to 1"),
        ({"ids": ["a"], "labels": [-2], "classes": ["x"]}, "from -2"),
    ],
)
def test_indices_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make_index(**arguments)


def test_scenes(tmp_path: Path) -> None:
    dataset = open_dataset({"source": "scenes", "train": 12, "test": 5, "size": 32, "seed": 4})
    assert len(dataset) == 17
    assert dataset.ids[[0, 11, 12]].tolist() == ["train/000000", "train/000011", "test/000000"]
    assert Counter(dataset.splits.tolist()) == {"train": 12, "test": 5}
    assert sorted(dataset.labels[:10].tolist()) == list(range(10))
    more = open_dataset({"source": "scenes", "train": 40, "test": 9, "size": 32, "seed": 4})
    np.testing.assert_array_equal(dataset.image(12), more.image(40))  # test/000000, whatever the counts
    assert dataset.content(12) == more.content(40)
    found = dataset.segmentation(3)
    assert found.layers.shape == (5, 32, 32) and found.layers.dtype == np.uint16 and found.valid is None
    names = {label.number: label for label in dataset.concepts}
    (number,) = found.image_labels.tolist()
    assert (names[number].category, names[number].name) == ("scene", dataset.classes[dataset.labels[3]])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"size": 63}, "`size` is 63"),
        ({"size": 8}, "`size` is 8"),
        ({"train": -1}, "`train` is -1"),
        ({"train": 0, "test": 0}, "holds no image"),
        ({"shift": "night"}, "`shift` is 'night'; expected one of none"),
        ({"shift_strength": 0}, "`shift_strength` is 0"),
        ({"colours": 3}, "unknown key 'colours'"),
    ],
)
def test_wrong_scenes(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        open_dataset({"source": "scenes", **keys})


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from intermodel.data.listing import listing_digests; assert 'PIL' not in sys.modules;"
        "import intermodel.data.open, intermodel.data.manifest, intermodel.data.label_maps;"
        "bad = {'torch', 'torchvision', 'scipy', 'sklearn', 'pandas', 'matplotlib', 'snakemake'} & set(sys.modules);"
        "assert not bad, bad"
    )
    scripts = Path(__file__).parents[2] / "workflow" / "scripts"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=scripts)

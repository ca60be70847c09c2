"""Streamed tallies of a real network equal those of stored maps, whatever the shards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from concepts.conftest import write_manifest, write_segmentation
from features.conftest import Net, Pictures, loaded, network, run
from intermodel.concepts.files import index_label_maps, join_tallies, tally_layer
from intermodel.concepts.streaming import Source, find_levels, tally_stream
from intermodel.engine.errors import UserError
from intermodel.models.load import LoadedModel
from intermodel.store import Maps

IMAGES, LAYERS = 150, ("relu1", "conv2")
SETTINGS: dict[str, Any] = {
    "tail": 0.03, "thresholds": "exact", "masks": "quantile", "folds": 4, "top_images": 5, "shuffles": 1,
    "rotations": 2,
}  # fmt: skip
ABOUT = {"model": "net", "dataset": "pictures", "dataset_fingerprint": "f1"}


class Square(Pictures):
    """Pictures of one size, as their label maps."""

    def image(self, index: int) -> np.ndarray:
        return super().image(index)[:16, :16]


@pytest.fixture(scope="module")
def patterns(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patterns")
    generator = np.random.default_rng(0)
    ids = np.array(Square(IMAGES).ids)
    layers = generator.integers(0, 4, (IMAGES, 1, 4, 4)).repeat(4, axis=2).repeat(4, axis=3)
    write_manifest(folder / "manifest.h5", ids)
    write_segmentation(folder / "segmentation.h5", ids, layers, [np.array([5])] * IMAGES)
    index_label_maps(folder / "segmentation.h5", folder / "manifest.h5", folder / "patterns.h5")
    return folder / "patterns.h5"


def streamed(
    folder: Path, model: LoadedModel, patterns: Path, shards: int, options: dict[str, Any], **settings: Any
) -> None:
    sources = [
        Source(model, Square(IMAGES), ABOUT, LAYERS, (number, shards), options) for number in range(1, shards + 1)
    ]
    folder.mkdir(exist_ok=True)
    for source in sources:
        paths = {name: folder / f"{name}.{source.shard[0]}.levels.h5" for name in LAYERS}
        find_levels(source, paths, tail=settings["tail"], rotations=settings["rotations"])
    levels = {name: [folder / f"{name}.{number}.levels.h5" for number in range(1, shards + 1)] for name in LAYERS}
    for source in sources:
        paths = {name: folder / f"{name}.{source.shard[0]}.tally.h5" for name in LAYERS}
        tally_stream(source, levels, patterns, paths, **settings)
    for name in LAYERS:
        parts = [folder / f"{name}.{number}.tally.h5" for number in range(1, shards + 1)]
        join_tallies(parts, folder / f"{name}.h5", settings["top_images"])


def contents(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[...]}) if isinstance(item, h5py.Dataset) else None)
        return found | {f"attribute {name}": value for name, value in file.attrs.items()}


def large(factor: float) -> Callable[[], LoadedModel]:
    def make() -> LoadedModel:
        net: Net = network()
        with torch.no_grad():
            net.conv2.weight *= factor
            net.conv2.bias *= factor
        return loaded(net)

    return make


# The second layer stays within float16, exceeds it, or is too small for it.
@pytest.mark.parametrize("factor", [1.0, 1e6, 1e-5])
@pytest.mark.parametrize("shards", [1, 2])
def test_streamed_is_stored(factor: float, shards: int, patterns: Path, tmp_path: Path) -> None:
    options = {"batch_size": 16, "device": "cpu"}
    run(tmp_path, [f"{name}.maps.h5" for name in LAYERS], large(factor)(), Square(IMAGES), batch_size=16,
        dataset_fingerprint="f1")  # fmt: skip
    with Maps(tmp_path / "conv2.maps.h5") as maps:
        assert maps.dtype == (np.float16 if factor == 1 else np.float32)
    streamed(tmp_path / "streamed", large(factor)(), patterns, shards, options, **SETTINGS)
    for name in LAYERS:
        tally_layer(tmp_path / f"{name}.maps.h5", patterns, tmp_path / f"{name}.h5", **SETTINGS)
        stored, found = contents(tmp_path / f"{name}.h5"), contents(tmp_path / "streamed" / f"{name}.h5")
        assert stored.keys() == found.keys()
        for key, values in stored.items():
            np.testing.assert_array_equal(found[key], values, err_msg=f"{name} {key}")
    assert len(stored["rotated/unit_area"]) == 2


def test_the_largest_unit_needs_no_thresholds(patterns: Path, tmp_path: Path) -> None:
    chosen = SETTINGS | {"masks": "argmax", "rotations": 0}
    run(tmp_path, ["conv2.maps.h5"], loaded(network()), Square(IMAGES), batch_size=16, dataset_fingerprint="f1")
    tally_layer(tmp_path / "conv2.maps.h5", patterns, tmp_path / "conv2.h5", **chosen)
    streamed(tmp_path / "s", loaded(network()), patterns, 1, {"batch_size": 16, "device": "cpu"}, **chosen)
    stored, found = contents(tmp_path / "conv2.h5"), contents(tmp_path / "s" / "conv2.h5")
    for key, values in stored.items():
        np.testing.assert_array_equal(found[key], values, err_msg=key)


def test_levels_of_other_weights_are_refused(patterns: Path, tmp_path: Path) -> None:
    options = {"batch_size": 16, "device": "cpu"}
    source = Source(loaded(network()), Square(IMAGES), ABOUT, LAYERS, options=options)
    find_levels(source, {"conv2": tmp_path / "levels.h5"}, tail=0.03)
    other = Source(loaded(network(1)), Square(IMAGES), ABOUT, LAYERS, options=options)
    with pytest.raises(UserError, match=r"levels.h5 was made from another state .*model_fingerprint.* delete it"):
        tally_stream(
            other, {"conv2": [tmp_path / "levels.h5"]}, patterns, {"conv2": tmp_path / "t.h5"},
            **SETTINGS | {"rotations": 0},
        )  # fmt: skip
    assert not (tmp_path / "t.h5").exists()

"""Streamed tallies of a real network equal those of stored maps, whatever the shards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from concepts.conftest import write_manifest, write_segmentation
from features.conftest import Net, Pictures, loaded, network, run
from intermodel.concepts import streaming
from intermodel.concepts.device_tally import DeviceTally
from intermodel.concepts.files import index_label_maps, join_tallies, tally_layer
from intermodel.concepts.streaming import Source, find_levels, tally_stream
from intermodel.engine.errors import UserError
from intermodel.models.load import LoadedModel
from intermodel.store import Maps, create, open_file

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


def same(path: Path, other: Path) -> dict[str, Any]:
    """What two files of equal content hold."""
    first, second = contents(path), contents(other)
    assert first.keys() == second.keys()
    for key, values in first.items():
        np.testing.assert_array_equal(second[key], values, err_msg=f"{path.name} {key}")
    return first


def large(factor: float) -> Callable[[], LoadedModel]:
    def make() -> LoadedModel:
        net: Net = network()
        with torch.no_grad():
            net.conv2.weight *= factor
            net.conv2.bias *= factor
        return loaded(net)

    return make


@pytest.fixture
def left_on_device(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Count maps as on a GPU, wherever they lie; the shapes of what was counted there."""
    seen = []
    add = DeviceTally.add
    monkeypatch.setattr(streaming, "stays", lambda device: True)
    monkeypatch.setattr(
        DeviceTally, "add", lambda self, start, block: (seen.append(block.shape), add(self, start, block))
    )
    return seen


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
        stored = same(tmp_path / f"{name}.h5", tmp_path / "streamed" / f"{name}.h5")
    assert len(stored["rotated/unit_area"]) == 2


@pytest.mark.parametrize("factor", [1.0, 1e6])
def test_maps_left_on_the_device_give_the_same(
    factor: float, patterns: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options = {"batch_size": 16, "device": "cpu"}
    streamed(tmp_path / "fetched", large(factor)(), patterns, 2, options, **SETTINGS)
    seen = request.getfixturevalue("left_on_device")
    streamed(tmp_path / "left", large(factor)(), patterns, 2, options, **SETTINGS)
    assert sum(shape[0] for shape in seen) == IMAGES * len(LAYERS)
    for name in LAYERS:
        same(tmp_path / "fetched" / f"{name}.h5", tmp_path / "left" / f"{name}.h5")


def test_what_to_do_when_memory_runs_out(
    patterns: Path, tmp_path: Path, left_on_device: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: DeviceTally, start: int, block: torch.Tensor) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(DeviceTally, "add", full)
    with pytest.raises(UserError, match=r"Memory ran out for the concepts of 'net' on 'pictures'.*compute.batch_size"):
        streamed(tmp_path, loaded(network()), patterns, 1, {"batch_size": 16, "device": "cpu"}, **SETTINGS)


class Deadly(Square):
    """Pictures whose last but one kills the process when it is looked at for the `times`-th time."""

    def __init__(self, times: int) -> None:
        super().__init__(IMAGES)
        self.times = times

    def image(self, index: int) -> np.ndarray:
        if index == IMAGES - 2:
            self.times -= 1
            if self.times == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().image(index)


def both_passes(folder: str, patterns: str, times: int, written: int) -> None:
    """Dies in the pass `times`, or before it publishes the `written`-th tally."""
    if written:
        write, left = streaming.write_tally, [written]

        def deadly(*arguments: Any, **attributes: Any) -> None:
            left[0] -= 1
            with create(arguments[0]) if not left[0] else nullcontext() as file:
                if file is not None:
                    file["threshold"] = np.zeros(3)
                    file.flush()
                    os.kill(os.getpid(), signal.SIGKILL)
            write(*arguments, **attributes)

        streaming.write_tally = deadly
    source = Source(loaded(network()), Deadly(times), ABOUT, LAYERS, options={"batch_size": 16, "device": "cpu"})
    levels = {name: Path(folder, f"{name}.1.levels.h5") for name in LAYERS}
    find_levels(source, levels, tail=SETTINGS["tail"], rotations=SETTINGS["rotations"])
    paths = {name: Path(folder, f"{name}.1.tally.h5") for name in LAYERS}
    tally_stream(source, {name: [path] for name, path in levels.items()}, patterns, paths, **SETTINGS)


@pytest.mark.parametrize(
    ("times", "written", "finished"),
    [
        (1, 0, []),
        (2, 0, ["conv2.1.levels.h5", "relu1.1.levels.h5"]),
        (0, 2, ["conv2.1.levels.h5", "relu1.1.levels.h5", "relu1.1.tally.h5"]),
    ],
)
def test_a_killed_pass_leaves_nothing_that_passes_for_a_result(
    times: int, written: int, finished: list[str], patterns: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    arguments = ", ".join(map(repr, (str(folder), str(patterns), times, written)))
    program = f"from concepts.test_streaming import both_passes; both_passes({arguments})"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == -signal.SIGKILL, child.stderr
    found = []
    for path in sorted(folder.iterdir()):
        with suppress(UserError), open_file(path):
            found.append(path.name)
    assert found == finished
    options = {"batch_size": 16, "device": "cpu"}
    streamed(folder, loaded(network()), patterns, 1, options, **SETTINGS)
    streamed(tmp_path / "calm", loaded(network()), patterns, 1, options, **SETTINGS)
    for name in LAYERS:
        same(folder / f"{name}.h5", tmp_path / "calm" / f"{name}.h5")


def test_the_largest_unit_needs_no_thresholds(patterns: Path, tmp_path: Path) -> None:
    chosen = SETTINGS | {"masks": "argmax", "rotations": 0}
    run(tmp_path, ["conv2.maps.h5"], loaded(network()), Square(IMAGES), batch_size=16, dataset_fingerprint="f1")
    tally_layer(tmp_path / "conv2.maps.h5", patterns, tmp_path / "conv2.h5", **chosen)
    streamed(tmp_path / "s", loaded(network()), patterns, 1, {"batch_size": 16, "device": "cpu"}, **chosen)
    same(tmp_path / "conv2.h5", tmp_path / "s" / "conv2.h5")


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

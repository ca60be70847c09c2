"""Shards: together they are what one pass gives; what is missing or does not fit is told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from features.conftest import Net, Pictures, network, run
from features.test_extract import Batchy, Interrupt, stop_at
from intermodel import store
from intermodel.engine.errors import UserError
from intermodel.engine.shards import shard_path, shard_paths
from intermodel.features.parts import verify
from intermodel.features.shards import join_shards, map_dtype
from torch import nn

NAMES = ["fc.h5", "conv1.maps.h5"]


def extract_shard(folder: Path, net: nn.Module, pictures: Pictures, number: int, count: int, names=NAMES, **options):
    files = [shard_path(f"{folder}/{name}", number, count).removeprefix(f"{folder}/") for name in names]
    return run(folder, files, net, pictures, shard=(number, count), **options)


def join(folder: Path, count: int, names=NAMES) -> None:
    for name in names:
        join_shards(shard_paths(f"{folder}/{name}", count), folder / name)


def make(folder: Path, net: nn.Module, pictures: Pictures, count: int, names=NAMES, **options) -> None:
    for number in range(1, count + 1):
        extract_shard(folder, net, pictures, number, count, names, **options)
    join(folder, count, names)


def same(one: Path, two: Path) -> None:
    """Equal ids, values to the bit, dtypes, and attributes apart from those that tell the shards."""
    with store.open_file(one) as first, store.open_file(two) as second:
        what = "maps" if "maps" in first else "pooled"
        assert first[what].dtype == second[what].dtype
        assert first[what].shape == second[what].shape
        assert (first[what][...] == second[what][...]).all()
        assert list(store.read_strings(first["index"])) == list(store.read_strings(second["index"]))
        attributes = [store.plain_attributes(file) for file in (first, second)]
    for given in attributes:
        given.pop("shards", None)
        given.pop("images", None)
    assert attributes[0] == attributes[1]


@pytest.mark.parametrize(("images", "count", "batch_size"), [(200, 3, 64), (200, 2, 48), (11, 11, 4), (130, 2, 200)])
def test_shards_are_what_one_pass_gives_to_the_bit(tmp_path, images, count, batch_size):
    net, pictures = Batchy().eval().requires_grad_(False), Pictures(images)
    run(tmp_path / "plain", NAMES, net, pictures, batch_size=batch_size)
    make(tmp_path / "sharded", net, pictures, count, batch_size=batch_size)
    for name in NAMES:
        same(tmp_path / "plain" / name, tmp_path / "sharded" / name)
        verify(tmp_path / "sharded" / name)


def test_no_value_is_copied(tmp_path):
    pictures = Pictures(200)
    make(tmp_path, network(), pictures, 2)
    with store.Maps(tmp_path / "conv1.maps.h5") as maps:
        assert maps._maps.is_virtual
        assert [source.file_name for source in maps._maps.virtual_sources()] == [
            f"shards/{number}-of-2/conv1.maps.h5" for number in (1, 2)
        ]
    sizes = [Path(path).stat().st_size for path in shard_paths(f"{tmp_path}/conv1.maps.h5", 2)]
    assert (tmp_path / "conv1.maps.h5").stat().st_size < 16_000 < min(sizes) / 10


def test_a_folder_can_be_moved(tmp_path, monkeypatch):
    pictures, net = Pictures(130), network()
    run(tmp_path / "plain", NAMES, net, pictures)
    make(tmp_path / "here", net, pictures, 2)
    (tmp_path / "there").mkdir()
    (tmp_path / "here").rename(tmp_path / "there" / "moved")
    monkeypatch.chdir(tmp_path / "plain")
    for name in NAMES:
        same(tmp_path / "plain" / name, Path("../there/moved") / name)


def test_units_and_images_are_read_across_shards(tmp_path):
    pictures, net = Pictures(150), network()
    run(tmp_path / "plain", ["conv1.maps.h5"], net, pictures)
    make(tmp_path, net, pictures, 2, ["conv1.maps.h5"])
    with store.Maps(tmp_path / "conv1.maps.h5") as one, store.Maps(tmp_path / "plain" / "conv1.maps.h5") as two:
        assert (one.units(2, 5) == two.units(2, 5)).all()
        assert (one.images(60, 70) == two.images(60, 70)).all()


@pytest.mark.parametrize("damage", ["missing", "moved", "truncated", "unfinished", "another"])
def test_a_shard_that_is_not_as_it_was_is_told_at_the_door(tmp_path, damage):
    pictures, net = Pictures(130), network()
    make(tmp_path, net, pictures, 2)
    shard = Path(shard_path(f"{tmp_path}/fc.h5", 2, 2))
    if damage == "missing":
        shard.unlink()
    if damage == "moved":
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "fc.h5").rename(tmp_path / "elsewhere" / "fc.h5")
    if damage == "truncated":
        shard.write_bytes(shard.read_bytes()[:2000])
    if damage == "unfinished":
        with h5py.File(shard, "r+") as file:
            file.attrs["complete"] = False
    if damage == "another":
        extract_shard(tmp_path, network(1), pictures, 2, 2, ["fc.h5"])
    sentences = {
        "missing": r"fc.h5 consists of 2 shards, of which .*shards/2-of-2/fc.h5 is missing; bring it back",
        "moved": r"elsewhere/fc.h5 consists of 2 shards, of which .*elsewhere/shards/1-of-2/fc.h5 is missing",
        "truncated": r"shards/2-of-2/fc.h5 is not a readable HDF5 file",
        "unfinished": r"shards/2-of-2/fc.h5 is not complete",
        "another": r"shards/2-of-2/fc.h5 has changed since .*/fc.h5 was put together from it",
    }
    with pytest.raises(UserError, match=sentences[damage]):
        store.read_pooled(tmp_path / ("elsewhere/fc.h5" if damage == "moved" else "fc.h5"))


def test_a_shard_that_is_made_again_alike_still_fits(tmp_path):
    pictures, net = Pictures(130), network()
    make(tmp_path, net, pictures, 2, ["fc.h5"])
    before = store.read_pooled(tmp_path / "fc.h5").values
    Path(shard_path(f"{tmp_path}/fc.h5", 1, 2)).unlink()
    extract_shard(tmp_path, net, pictures, 1, 2, ["fc.h5"])
    assert (store.read_pooled(tmp_path / "fc.h5").values == before).all()


def test_a_damaged_shard_is_found_by_its_checksums(tmp_path):
    make(tmp_path, network(), Pictures(130), 2)
    with h5py.File(shard_path(f"{tmp_path}/fc.h5", 2, 2), "r+") as file:
        file["pooled"][3, 0] += 1
    verify(tmp_path / "conv1.maps.h5")
    with pytest.raises(UserError, match=r"2-of-2/fc.h5 is damaged from row 0 on"):
        verify(tmp_path / "fc.h5")


def test_an_interrupted_shard_goes_on_where_it_was(tmp_path):
    net = Batchy().eval().requires_grad_(False)
    run(tmp_path / "plain", NAMES, net, Pictures(300), batch_size=48)
    with pytest.raises(Interrupt):
        extract_shard(tmp_path, net, stop_at(Pictures(300), 295), 2, 2, batch_size=48)
    shards = tmp_path / "shards" / "2-of-2"
    assert sorted(path.name for path in shards.iterdir()) == [".conv1.maps.part.h5", ".fc.part.h5"]
    pictures = Pictures(300)
    # The second shard begins at image 128; 128 of its rows are written, up to the last whole block.
    assert extract_shard(tmp_path, net, pictures, 2, 2, batch_size=48).images == 300 - 240
    assert min(pictures.seen) == 240
    extract_shard(tmp_path, net, pictures, 1, 2, batch_size=48)
    join(tmp_path, 2)
    for name in NAMES:
        same(tmp_path / "plain" / name, tmp_path / name)


def test_what_does_not_belong_together_is_not_joined(tmp_path):
    pictures = Pictures(130)
    extract_shard(tmp_path, network(), pictures, 1, 2)
    with pytest.raises(UserError, match=r"2-of-2/fc.h5 does not exist"):
        join(tmp_path, 2)
    extract_shard(tmp_path, network(1), pictures, 2, 2)
    with pytest.raises(UserError, match=r"2-of-2/fc.h5 does not belong to .*1-of-2/fc.h5.* differs in model_fingerpri"):
        join(tmp_path, 2)
    paths = shard_paths(f"{tmp_path}/fc.h5", 2)
    extract_shard(tmp_path, network(), pictures, 2, 2)
    with pytest.raises(UserError, match="holds shard 2 of 2 from image 64 on, expected 1 of 2 from image 0 on"):
        join_shards(paths[::-1], tmp_path / "fc.h5")
    with pytest.raises(UserError, match="holds shard 1 of 2 from image 0 on, expected 1 of 1"):
        join_shards(paths[:1], tmp_path / "fc.h5")
    assert not (tmp_path / "fc.h5").exists()


def test_devices_of_all_shards_are_told(tmp_path):
    make(tmp_path, network(), Pictures(130), 2)
    for number, device in ((1, "cuda: B"), (2, "cuda: A")):
        with h5py.File(shard_path(f"{tmp_path}/fc.h5", number, 2), "r+") as file:
            file.attrs["device"] = device
    join(tmp_path, 2)
    assert store.read_attributes(tmp_path / "fc.h5")["device"] == "cuda: A, cuda: B"


class Bright(Pictures):
    """Dim pictures, of which one is bright."""

    def __init__(self, count: int, bright: int) -> None:
        super().__init__(count)
        self.bright = bright

    def image(self, index: int) -> np.ndarray:
        picture = super().image(index) // 2
        if index == self.bright:
            picture[:] = 255
        return picture


class Scaled(nn.Module):
    """Values of a size that depends on whether the image is the bright one."""

    def __init__(self, dim: float, bright: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        nn.init.constant_(self.conv.weight, 1.0)
        self.act = nn.Identity()
        self.dim, self.bright = dim, bright

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return self.act(torch.where(x.amax((1, 2, 3), keepdim=True) > 6, x * self.bright, x * self.dim))


@pytest.mark.parametrize("position", [10, 100])
@pytest.mark.parametrize(
    ("dim", "bright", "dtype", "own"),
    [
        (1.0, 2e4, "float32", "float16"),  # one value is too large for float16
        (1e-4, 1.0, "float16", "float32"),  # a part of the values alone is too small for float16
        (1e-4, 1e-4, "float32", "float32"),
        (0.0, 1e-4, "float32", "float16"),
        (1.0, 1.0, "float16", "float16"),
    ],
)
def test_all_values_together_decide_the_dtype_of_all_shards(tmp_path, position, dim, bright, dtype, own):
    net, pictures, names = Scaled(dim, bright), Bright(192, position), ["act.maps.h5"]
    run(tmp_path / "plain", names, net, pictures)
    with store.Maps(tmp_path / "plain" / names[0]) as maps:
        assert maps.dtype == dtype
    for number in (1, 2, 3):
        extract_shard(tmp_path, net, pictures, number, 3, names)
    if position == 100 and own != dtype:
        # The first shard was finished before the bright image was seen; the third is made rightly at once.
        with pytest.raises(UserError, match=rf"have to be {dtype}, since .* after 1 of 3 shards .*1-of-3.* run again"):
            join(tmp_path, 3, names)
        assert [Path(path).exists() for path in shard_paths(f"{tmp_path}/{names[0]}", 3)] == [False, True, True]
        assert extract_shard(tmp_path, net, pictures, 1, 3, names).images == 64
    join(tmp_path, 3, names)
    same(tmp_path / "plain" / names[0], tmp_path / names[0])


def test_maps_are_float16_where_that_loses_only_rounding():
    assert [map_dtype(largest) for largest in (0.0, 1e-3, 1.0, 65504.0, 65505.0)] == [
        *("float16", "float32", "float16", "float16", "float32")
    ]


def test_the_file_tells_its_shards(tmp_path):
    make(tmp_path, Net().eval(), Pictures(130), 2, attributes={"origin": "o"})
    attributes = store.read_attributes(tmp_path / "fc.h5")
    assert attributes["origin"] == "o"
    assert list(json.loads(attributes["shards"])) == ["shards/1-of-2/fc.h5", "shards/2-of-2/fc.h5"]
    shutil.copytree(tmp_path, tmp_path.with_name("copy"))
    assert store.read_attributes(tmp_path.with_name("copy") / "fc.h5") == attributes

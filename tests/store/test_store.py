"""HDF5 files: whole or refused, joined by image id."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel import store
from intermodel.engine.errors import UserError

IDS = ["train/000000", "train/000001", "größe/ß.png"]


def write_pooled(path: Path, values: Any, ids: list[str] = IDS) -> Path:
    with store.create(path, layer="layer4", spatial=[4, 4]) as file:
        file["pooled"] = np.asarray(values)
        store.write_strings(file, "index", ids)
    return path


def write_maps(path: Path, maps: np.ndarray, ids: list[str] = IDS) -> Path:
    with store.create(path) as file:
        file["maps"] = maps
        store.write_strings(file, "index", ids)
    return path


def test_a_file_is_complete_only_when_its_writer_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "layer4.h5"
    with store.create(path) as file:
        assert "complete" not in file.attrs
        assert not path.exists()
    assert store.read_attributes(path) == {"complete": True}
    with pytest.raises(RuntimeError), store.create(tmp_path / "other.h5"):
        raise RuntimeError
    assert [entry.name for entry in tmp_path.iterdir()] == ["layer4.h5"]


@pytest.mark.parametrize("kind", [OSError, RuntimeError])
def test_a_full_disk_is_told_whatever_hdf5_makes_of_it(tmp_path: Path, kind: type[Exception]) -> None:
    words = (
        "Can't flush (file write failed: time = now, errno = 28, error message = 'No space left on device', buf = 0)"
    )
    with pytest.raises(UserError, match=r"a\.h5 cannot be written: the disk is full"), store.create(tmp_path / "a.h5"):
        raise kind(words)
    assert list(tmp_path.iterdir()) == []


def test_attributes_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with store.create(path, name="ß", number=3, share=0.1, flag=True, none=None, nested={"b": [1], "a": None}):
        pass
    attributes = store.read_attributes(path)
    assert (attributes["name"], attributes["number"], attributes["share"], attributes["flag"]) == ("ß", 3, 0.1, True)
    assert json.loads(attributes["none"]) is None
    assert attributes["nested"] == '{"a": null, "b": [1]}'
    assert {type(value) for value in attributes.values()} == {str, int, float, bool}


def test_long_attributes_survive(tmp_path: Path) -> None:
    """The concept table of a large data set exceeds the 64 KiB that older HDF5 formats allow."""
    concepts = [{"number": number, "name": f"concept {number}", "category": "object"} for number in range(5000)]
    with store.create(tmp_path / "a.h5", concepts=concepts):
        pass
    assert json.loads(store.read_attributes(tmp_path / "a.h5")["concepts"]) == concepts


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.h5 does not exist; run the workflow"):
        store.open_file(tmp_path / "nothing.h5")


def test_interrupted_files_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["pooled"] = np.zeros((3, 2))
    with pytest.raises(UserError, match=r"a\.h5 is not complete .* delete it and run again"):
        store.open_file(tmp_path / "a.h5")


@settings(deadline=None, max_examples=25)
@given(st.floats(0.0, 0.999))
def test_truncated_files_are_refused(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = write_pooled(tmp_path_factory.mktemp("cut") / "a.h5", np.arange(6.0).reshape(3, 2))
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match="delete it and run again"):
        store.read_pooled(path)


@pytest.mark.filterwarnings("ignore")
def test_damaged_files_raise_nothing_else(tmp_path: Path) -> None:
    whole = write_pooled(tmp_path / "whole.h5", np.arange(6.0).reshape(3, 2)).read_bytes()
    path, generator = tmp_path / "a.h5", Random(0)
    refused = 0
    for _ in range(400):
        content = bytearray(whole)
        for _ in range(generator.choice([1, 2, 4])):
            content[generator.randrange(min(len(content), 1000))] = generator.randrange(256)
        path.write_bytes(content)
        try:
            store.read_pooled(path)
        except UserError as error:
            refused += 1
            assert str(path) in str(error) and "run again" in str(error) and "\n" not in str(error)
    assert refused > 100


def test_the_damaged_one_of_two_files_is_named(tmp_path: Path) -> None:
    good = write_pooled(tmp_path / "good.h5", np.zeros((3, 2)))
    bad = write_pooled(tmp_path / "bad.h5", np.zeros((3, 2)))
    for first, second in ((good, bad), (bad, good)):
        with (
            pytest.raises(UserError, match=r"bad\.h5 is damaged \(.*\); delete it and run again"),
            store.open_file(first) as one,
            store.open_file(second) as two,
        ):
            {str(first): one, str(second): two}[str(bad)]["lost"]
    with pytest.raises(KeyError, match="of the caller"), store.open_file(good):
        raise KeyError("of the caller")


def test_files_of_another_study_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "layer4.h5"
    with store.create(path, dataset="scenes", model="vit", layer="norm", dataset_fingerprint="12"):
        pass
    store.check_origin(path, dataset="scenes", model="vit", layer="norm", dataset_fingerprint="12", unknown="x")
    with pytest.raises(UserError, match=r"layer4\.h5 holds model 'vit' where model 'resnet' was expected; it belongs"):
        store.check_origin(path, dataset="scenes", model="resnet")
    with pytest.raises(UserError, match="holds dataset fingerprint '12', layer 'norm' where dataset fingerprint '34'"):
        store.check_origin(path, layer="head", dataset_fingerprint="34")


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("these are no features")
    with pytest.raises(UserError, match="is not a readable HDF5 file"):
        store.open_file(tmp_path / "a.h5")
    with pytest.raises(UserError, match="is not a readable HDF5 file"):
        store.open_file(tmp_path)
    write_maps(tmp_path / "maps.h5", np.zeros((3, 2, 4, 4), np.float16))
    with pytest.raises(UserError, match=r"lacks pooled \(it holds index, maps\)"):
        store.read_pooled(tmp_path / "maps.h5")
    with store.create(tmp_path / "empty.h5"):
        pass
    with store.open_file(tmp_path / "empty.h5") as file, pytest.raises(UserError, match="it holds nothing"):
        store.require(file, "pooled")


def test_pooled_features_survive(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    pooled = store.read_pooled(write_pooled(tmp_path / "a.h5", values))
    np.testing.assert_array_equal(pooled.values, values)
    assert pooled.values.dtype == np.float32
    assert pooled.ids.tolist() == IDS
    assert pooled.attributes["layer"] == "layer4"


@pytest.mark.parametrize("values, ids", [(np.zeros((3, 2, 2)), IDS), (np.zeros((4, 2)), IDS), (np.zeros(3), IDS)])
def test_pooled_features_of_another_shape_are_refused(tmp_path: Path, values: np.ndarray, ids: list[str]) -> None:
    with pytest.raises(UserError, match=r"expected \(N, C\) with one row for each id"):
        store.read_pooled(write_pooled(tmp_path / "a.h5", values, ids))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_maps_are_read_in_blocks_exactly(tmp_path: Path, dtype: type) -> None:
    maps = np.random.default_rng(0).normal(scale=100, size=(3, 5, 2, 4)).astype(dtype)
    path = write_maps(tmp_path / "a.maps.h5", maps)
    with store.Maps(path) as reader:
        assert reader.shape == (3, 5, 2, 4)
        assert reader.dtype == dtype
        assert reader.ids.tolist() == IDS
        np.testing.assert_array_equal(reader.images(1, 3), maps[1:3].astype(np.float32))
        np.testing.assert_array_equal(reader.units(2, 5), maps[:, 2:5].astype(np.float32))
        assert reader.images(0, 1).dtype == reader.units(0, 1).dtype == np.float32
    with h5py.File(path, "r+"):
        pass  # the reader has let go of the file


@pytest.mark.parametrize("shape", [(3, 5, 2), (4, 5, 2, 2)])
def test_maps_of_another_shape_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write_maps(tmp_path / "a.maps.h5", np.zeros(shape, np.float16))
    with pytest.raises(UserError, match=r"expected \(N, C, h, w\)"):
        store.Maps(path)
    with h5py.File(path, "r+"):
        pass


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.floats(1e-6, 0.01))
def test_blocks_of_units_cover_all_and_fit(
    tmp_path_factory: pytest.TempPathFactory, units: int, memory_mb: float
) -> None:
    path = write_maps(tmp_path_factory.mktemp("maps") / "a.maps.h5", np.zeros((3, units, 4, 4), np.float16))
    with store.Maps(path) as reader:
        blocks = list(reader.unit_blocks(memory_mb))
    assert [unit for start, stop in blocks for unit in range(start, stop)] == list(range(units))
    for start, stop in blocks:
        assert stop - start == 1 or (stop - start) * 3 * 4 * 4 * 4 <= memory_mb * 2**20


@pytest.mark.parametrize(("cheap", "memory_mb", "expected"), [(1, 256, 8), (4, 256, 24), (4, 2, 13), (100, 256, 40)])
def test_blocks_of_units_are_small_and_of_whole_chunks(
    cheap: float, memory_mb: float, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHEAP_MB", cheap)
    with store.create(tmp_path / "a.maps.h5") as file:
        # 160 KB for each unit as float32.
        file.create_dataset("maps", (100, 40, 20, 20), np.float16, chunks=(10, 8, 20, 20))
        store.write_strings(file, "index", [str(number) for number in range(100)])
    with store.Maps(tmp_path / "a.maps.h5") as reader:
        assert next(reader.unit_blocks(memory_mb)) == (0, expected)


NAMES = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6), unique=True)


@settings(deadline=None)
@given(NAMES, st.randoms(use_true_random=False), st.integers(0, 5))
def test_rows_are_joined_by_id(ids: list[str], random: Any, left_out: int) -> None:
    other = list(ids)
    random.shuffle(other)
    reference = ids[left_out:]
    index = store.align(reference, other, "b.h5")
    assert [other[position] for position in index] == reference


def test_ids_that_are_missing_or_repeated_are_told() -> None:
    with pytest.raises(UserError, match=r"b\.h5 lacks 2 of 3 images, the first is 'b'; .* delete it and run again"):
        store.align(["a", "b", "c"], ["a", "x", "y", "z"], "b.h5")
    with pytest.raises(UserError, match=r"b\.h5 holds the image id 'a' more than once"):
        store.align(["a"], ["a", "b", "a"], "b.h5")
    with pytest.raises(UserError, match="the reference holds the image id 'c' more than once"):
        store.align(["c", "c"], ["c"], "b.h5")
    with pytest.raises(UserError, match=r"b\.h5 holds no image, expected 1"):
        store.align(["a"], [], "b.h5")
    assert store.align([], [], "b.h5").tolist() == []
    assert store.align([], ["a"], "b.h5").tolist() == []


def test_ids_that_begin_alike_are_not_confused() -> None:
    """A fixed-width comparison would cut the longer one."""
    assert store.align(["a", "abc", "ab"], ["abc", "ab", "a"], "b.h5").tolist() == [2, 0, 1]
    with pytest.raises(UserError, match="lacks 1 of 1"):
        store.align(["abc"], ["ab"], "b.h5")


def test_unbuffered_data_sets_keep_no_chunk(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((100, 5))
    for number in range(2):
        with store.create(tmp_path / "parts" / f"{number}.h5") as file:
            file.create_dataset("pooled", data=values[50 * number :][:50], chunks=(8, 5), compression="gzip")
    with store.create(tmp_path / "whole.h5") as file:
        layout = h5py.VirtualLayout((100, 5), float)
        for number in range(2):
            layout[50 * number : 50 * number + 50] = h5py.VirtualSource(f"parts/{number}.h5", "pooled", (50, 5))
        file.create_virtual_dataset("pooled", layout)
    with store.open_file(tmp_path / "whole.h5") as whole, store.open_file(tmp_path / "parts" / "0.h5") as part:
        np.testing.assert_array_equal(store.unbuffered(whole, "pooled")[10:70], values[10:70])
        found = store.unbuffered(part, "pooled")
        assert found.id.get_access_plist().get_chunk_cache()[1] == 0
        for start in (40, 3, 17):
            np.testing.assert_array_equal(found[start : start + 7], values[start : start + 7])


@pytest.mark.parametrize("count", [0, 1, 10, 4096, 4097, 9000])
def test_strings_survive_whatever_their_number(tmp_path: Path, count: int) -> None:
    texts = ["ü" * (number % 7) + str(number) for number in range(count)]
    with store.create(tmp_path / "a.h5") as file:
        store.write_strings(file, "list", texts)
        store.write_strings(file, "array", np.array(texts, dtype=np.str_))
    with store.open_file(tmp_path / "a.h5") as file:
        for name in ("list", "array"):
            found = store.read_strings(file[name])
            assert found.dtype.kind == "U"
            assert found.tolist() == texts


def test_many_strings_are_not_held_as_objects(tmp_path: Path) -> None:
    import tracemalloc

    texts = np.array([f"{number:08}" for number in range(100_000)])
    tracemalloc.start()
    with store.create(tmp_path / "a.h5") as file:
        store.write_strings(file, "index", texts)
    with store.open_file(tmp_path / "a.h5") as file:
        found = store.read_strings(file["index"])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found == texts).all()
    # The array and the blocks that it is put together from; as objects they would take some 9 MB more.
    assert peak < 2 * texts.nbytes + 2_000_000

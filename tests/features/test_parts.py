import os
import subprocess
import sys
from pathlib import Path

import h5py
import intermodel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel import store
from intermodel.engine.errors import UserError
from intermodel.features import parts
from intermodel.features.parts import Part, verify

IDS = [f"id-{number}" for number in range(150)]
VALUES = np.random.default_rng(0).normal(size=(150, 6, 4, 4)).astype(np.float16)


def part(folder: Path, key: str = "key", ids: list[str] = IDS, dtype: str = "float16") -> Part:
    return Part(folder / "layer.maps.h5", "maps", ids, (6, 4, 4), dtype, key, {"layer": "layer", "spatial": [4, 4]})


def append(target: Part, start: int, stop: int, values: np.ndarray = VALUES) -> None:
    rows = values[start:stop].astype(target.dtype)
    target.append(rows, rows.mean((2, 3)).min(1).astype(np.float32), abs(rows).max((1, 2, 3)).astype(np.float32))


def test_a_finished_file_is_read_by_the_store_and_leaves_no_trace(tmp_path):
    target = part(tmp_path)
    append(target, 0, 150)
    assert target.done
    target.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["layer.maps.h5"]
    with store.Maps(tmp_path / "layer.maps.h5") as maps:
        assert maps.dtype == np.float16
        assert (maps.images(0, 150) == VALUES).all()
        assert (maps.units(2, 4) == VALUES[:, 2:4]).all()
        assert list(maps.ids) == IDS
        assert maps.attributes["signed"]
        assert maps.attributes["spatial"] == "[4, 4]"
        assert "part_key" not in maps.attributes


@settings(deadline=None, max_examples=15)
@given(st.lists(st.integers(1, 70), min_size=1, max_size=12), st.data())
def test_the_file_does_not_depend_on_how_rows_arrive_and_where_it_was_interrupted(sizes, data):
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        target = part(Path(name))
        row = 0
        for size in [*sizes, 150]:
            append(target, row, min(150, row + size))
            row = target.expected
            if target.done:
                break
            if data.draw(st.booleans()):
                target.close()
                target = part(Path(name))
                assert target.rows == row - row % 64
                row = target.rows
        target.finish()
        with store.Maps(Path(name) / "layer.maps.h5") as maps:
            assert (maps.images(0, 150) == VALUES).all()


def test_a_killed_writer_loses_at_most_the_block_it_was_writing(tmp_path):
    code = (
        "import os, signal, sys\n"
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from features.test_parts import part, append\n"
        "target = part(Path(sys.argv[1]))\n"
        "append(target, 0, 140)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    scripts, tests = Path(intermodel.__file__).parents[1], Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{scripts}{os.pathsep}{tests}"}
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, check=False)
    assert ended.returncode == -9
    target = part(tmp_path)
    assert target.rows == 128
    append(target, 128, 150)
    target.finish()
    with store.Maps(tmp_path / "layer.maps.h5") as maps:
        assert (maps.images(0, 150) == VALUES).all()
    verify(tmp_path / "layer.maps.h5")


@pytest.mark.parametrize("change", [{"key": "other"}, {"ids": [*IDS, "one more"]}])
def test_a_part_of_something_else_is_not_resumed(tmp_path, change):
    target = part(tmp_path)
    append(target, 0, 128)
    target.close()
    target = part(tmp_path, **change)
    assert target.rows == 0
    target.close()


def test_rows_are_resumed_only_up_to_the_first_damaged_block(tmp_path):
    target = part(tmp_path)
    append(target, 0, 128)
    target.close()
    with h5py.File(target.part, "r+") as file:
        file["maps"][70, 0, 0, 0] += 1
    target = part(tmp_path)
    assert target.rows == 64
    target.close()
    target.part.write_bytes(target.part.read_bytes()[:3000])
    target = part(tmp_path)
    assert target.rows == 0
    append(target, 0, 150)
    target.finish()


def test_a_finished_file_can_be_verified(tmp_path):
    target = part(tmp_path)
    append(target, 0, 150)
    target.finish()
    verify(target.path)
    with h5py.File(target.path, "r+") as file:
        file["maps"][149, 0, 0, 0] += 1
    with pytest.raises(UserError, match="damaged from row 128 on"):
        verify(target.path)


def test_more_rows_than_images_are_a_mistake(tmp_path):
    target = part(tmp_path)
    append(target, 0, 150)
    with pytest.raises(ValueError, match="1 rows after row 150 are too many for 150 images"):
        append(target, 0, 1)
    target.close()


def test_a_restart_changes_the_dtype_and_begins_at_the_first_row(tmp_path):
    target = part(tmp_path)
    append(target, 0, 100)
    target.restart("float32")
    assert (target.rows, target.expected, target.dtype) == (0, 0, np.float32)
    # What is resumed keeps its dtype.
    append(target, 0, 64)
    target.close()
    target = part(tmp_path)
    assert (target.rows, target.dtype) == (64, np.float32)
    target.close()


def test_an_orphaned_process_does_not_publish(tmp_path, monkeypatch):
    target = part(tmp_path)
    append(target, 0, 63)
    monkeypatch.setattr(parts, "orphaned", lambda: True)
    with pytest.raises(SystemExit, match="workflow that started this job is gone"):
        append(target, 63, 150)
    target.close()
    assert not target.path.exists()
    assert target.part.exists(), "what its successor resumes"


def test_an_orphan_leaves_nothing_once_its_successor_has_finished(tmp_path, monkeypatch):
    asleep = part(tmp_path)
    append(asleep, 0, 64)
    asleep.path.touch()
    monkeypatch.setattr(parts, "orphaned", lambda: True)
    with pytest.raises(SystemExit, match="workflow that started this job is gone"):
        append(asleep, 64, 150)
    asleep.close()
    assert list(tmp_path.iterdir()) == [asleep.path]
    with pytest.raises(SystemExit, match="workflow that started this job is gone"):
        part(tmp_path)
    assert list(tmp_path.iterdir()) == [asleep.path]


def test_too_little_space_is_told_before_anything_is_computed(tmp_path):
    with pytest.raises(UserError, match=r"needs 320000000.0 GB, but its disk has only"):
        Part(tmp_path / "a.h5", "pooled", [str(number) for number in range(8)], (10**16,), "float32", "k", {})
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_and_the_part_is_kept(tmp_path, monkeypatch):
    target = part(tmp_path)
    append(target, 0, 64)

    def full(*arguments: object) -> None:
        raise OSError("Can't write data (file write failed: errno = 28, error message = 'No space left on device')")

    monkeypatch.setattr(h5py.File, "flush", full)
    with pytest.raises(UserError, match="the disk is full; free some space and run again, which resumes it"):
        append(target, 64, 128)
    monkeypatch.undo()
    target.close()
    assert part(tmp_path).rows >= 64


def second_process(folder: Path, patience: float) -> subprocess.Popen[str]:
    """Another process that wants to write the same part."""
    code = (
        "import sys; from pathlib import Path; from features.test_parts import part;"
        "import intermodel.features.parts as parts;"
        "parts.PATIENCE, parts.PAUSE = float(sys.argv[2]), 0.1; print('ready', flush=True); part(Path(sys.argv[1]))"
    )
    scripts, tests = Path(intermodel.__file__).parents[1], Path(__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": f"{scripts}{os.pathsep}{tests}"}
    command = [sys.executable, "-c", code, str(folder), str(patience)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_do_not_write_the_same_part(tmp_path):
    target = part(tmp_path)
    other = second_process(tmp_path, patience=0)
    _, told = other.communicate(timeout=60)
    assert other.returncode != 0 and "is being written by another process" in told
    target.close()


def test_the_end_of_another_process_is_waited_for(tmp_path):
    target = part(tmp_path)
    other = second_process(tmp_path, patience=60)
    assert other.stdout is not None and other.stdout.readline() == "ready\n"
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(timeout=0.5)
    target.close()
    assert other.wait(timeout=60) == 0


def test_chunks_let_both_images_and_units_be_read_in_pieces(tmp_path):
    ids = [str(number) for number in range(200)]
    target = Part(tmp_path / "a.maps.h5", "maps", ids, (256, 28, 28), "float16", "k", {})
    with h5py.File(tmp_path / "b.h5", "w"):
        block, units, height, width = target._file["maps"].chunks
    assert block * 256 * 28 * 28 * 2 <= parts.BLOCK_BYTES
    assert (height, width) == (28, 28)
    assert units < 256
    assert 2**18 < block * units * 28 * 28 * 2 <= parts.CHUNK_BYTES
    target.close()

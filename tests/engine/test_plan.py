"""The frozen plan: looked up once, read back by every other process of the run."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intermodel.engine.errors import UserError
from intermodel.engine.plan import (
    VARIABLE,
    WEEK,
    extraction_jobs,
    file_digest,
    frozen_plan,
    module_digest,
    shards_on_disk,
    split_by_presence,
)
from intermodel.engine.shards import shard_paths
from intermodel.store import create


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.delenv(VARIABLE)


def never() -> dict[str, Any]:
    raise AssertionError("looked at the disk again")


def test_jobs_see_what_the_main_process_saw(tmp_path: Path) -> None:
    plan = {"present": ["a", "b"], "gpu": 1}
    assert frozen_plan(tmp_path, True, lambda: plan) == plan
    assert frozen_plan(tmp_path / "elsewhere", False, never) == plan


def test_a_new_run_looks_again(tmp_path: Path) -> None:
    frozen_plan(tmp_path, True, lambda: {"present": []})
    assert frozen_plan(tmp_path, True, lambda: {"present": ["a"]}) == {"present": ["a"]}


def test_a_process_without_a_plan_looks_itself(tmp_path: Path) -> None:
    assert frozen_plan(tmp_path, False, lambda: {"present": ["a"]}) == {"present": ["a"]}


def test_studies_of_one_process_have_plans_of_their_own(tmp_path: Path) -> None:
    for name in ("first", "second"):
        frozen_plan(tmp_path, True, lambda name=name: {"present": [name]}, name)
    for name in ("first", "second"):
        assert frozen_plan(tmp_path, False, never, name) == {"present": [name]}
    assert len(list(tmp_path.glob("plan-*.json"))) == 1


def test_a_lost_plan_is_a_sentence(tmp_path: Path) -> None:
    frozen_plan(tmp_path, True, lambda: {"present": []})
    Path(os.environ[VARIABLE]).unlink()
    with pytest.raises(UserError, match="file system that all machines share"):
        frozen_plan(tmp_path, False, never)


def test_old_plans_are_removed_unless_jobs_still_read_them(tmp_path: Path) -> None:
    old = time.time() - 2 * WEEK
    for name in ("plan-1.json", "plan-2.json"):
        (tmp_path / name).write_text('{"": {}}')
        os.utime(tmp_path / name, (old, old))
    os.environ[VARIABLE] = str(tmp_path / "plan-2.json")
    frozen_plan(tmp_path, False, never)
    frozen_plan(tmp_path, True, dict)
    assert {path.name for path in tmp_path.iterdir()} == {"plan-2.json", f"plan-{os.getpid()}.json"}


@given(st.lists(st.text(min_size=1, max_size=3), unique=True), st.sets(st.text(min_size=1, max_size=3)))
def test_outputs_are_split_without_loss_and_in_order(paths: list[str], present: set[str]) -> None:
    parts = split_by_presence(paths, present)
    assert sorted(path for part in parts.values() for path in part) == sorted(paths)
    assert all(part for part in parts.values())
    assert parts.get("have", []) == [path for path in paths if path in present]
    assert parts.get("new", []) == [path for path in paths if path not in present]


def test_a_file_is_known_by_its_bytes_which_are_read_only_when_its_date_changes(tmp_path: Path) -> None:
    path, memory = tmp_path / "weights.pth", tmp_path / "state" / "files.json"
    path.write_text("one")
    os.utime(path, ns=(0, 10))
    before = file_digest(path, memory)
    assert before == hashlib.sha256(b"one").hexdigest()
    # Told by the memory alone: these bytes are never looked at.
    path.write_text("two")
    os.utime(path, ns=(0, 10))
    assert file_digest(path, memory) == before
    os.utime(path, ns=(0, 11))
    assert file_digest(path, memory) != before
    path.write_text("one")
    assert file_digest(path, memory) == before
    memory.write_text("{")
    assert file_digest(path, memory) == before


def test_the_code_of_a_users_network_has_a_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert module_digest("resnet18", None) == ""
    assert module_digest("nets:build", None) == ""
    assert module_digest("nets:build", "${INTERMODEL_UNSET}/nets") == ""
    monkeypatch.setenv("INTERMODEL_NETS", str(tmp_path))
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "build.py").write_text("one = 1\n")
    (tmp_path / "notes.txt").write_text("not code")
    before = module_digest("nets.build:one", "${INTERMODEL_NETS}")
    assert before
    os.utime(tmp_path / "nets" / "build.py", ns=(0, 10))
    assert module_digest("nets.build:one", str(tmp_path)) == before
    (tmp_path / "notes.txt").write_text("still not code")
    assert module_digest("nets.build:one", str(tmp_path)) == before
    (tmp_path / "nets" / "blocks.py").write_text("two = 2\n")
    assert module_digest("nets.build:one", str(tmp_path)) != before


def test_files_that_are_there_keep_their_shards() -> None:
    files = ["f/a.h5", "f/b.h5", "f/c.h5"]
    present = {"f/a.h5", "f/b.h5", *shard_paths("f/b.h5", 2), shard_paths("f/c.h5", 3)[1]}
    jobs = extraction_jobs(files, 3, {"f/a.h5": 1, "f/b.h5": 2}, present)
    assert {job.name: job.outputs for job in jobs} == {
        "have": ("f/a.h5",),
        "have.1-of-2": ("f/shards/1-of-2/b.h5",),
        "have.2-of-2": ("f/shards/2-of-2/b.h5",),
        "new.1-of-3": ("f/shards/1-of-3/c.h5",),
        "have.2-of-3": ("f/shards/2-of-3/c.h5",),
        "new.3-of-3": ("f/shards/3-of-3/c.h5",),
    }
    assert [job.name for job in extraction_jobs(files, 1, {}, set())] == ["new"]


def test_a_finished_file_tells_its_shards(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    assert shards_on_disk(str(path)) is None
    with create(path, origin="one"):
        pass
    assert (shards_on_disk(str(path)), shards_on_disk(str(path), "one"), shards_on_disk(str(path), "two")) == (
        1,
        1,
        None,
    )
    with create(path, origin="one", shards={"shards/1-of-2/a.h5": 0, "shards/2-of-2/a.h5": 0}):
        pass
    assert shards_on_disk(str(path), "one") == 2
    path.write_text("no HDF5")
    assert shards_on_disk(str(path)) is None

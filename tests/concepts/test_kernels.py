"""Compiled code: kept for the next process, wherever that is possible."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from intermodel.engine.code_hash import SCRIPTS, closure

PROGRAM = """
import json
import numpy as np
from intermodel.concepts.kernels import count_patterns
offset, pixel = np.array([0, 3], np.int64), np.array([0, 1, 1], np.int32)
found = count_patterns(offset, pixel, np.array([1, 2], np.int32), 3)
stats = count_patterns.stats
print(json.dumps([[array.tolist() for array in found], sum(stats.cache_hits.values()), stats.cache_path]))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package without anything compiled."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return tmp_path / "scripts"


def start(package: Path, home: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(package), "HOME": str(home), "XDG_CACHE_HOME": str(home)}
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def result(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    found: list[Any] = json.loads(output)
    assert found[0] == [[0, 2], [1, 2], [1, 2]]
    return found[1], found[2]


def test_the_second_process_loads_what_the_first_compiled(package: Path, tmp_path: Path) -> None:
    # Two at once do not get in each other's way.
    both = [start(package, tmp_path), start(package, tmp_path)]
    assert all(str(package) in result(process)[1] for process in both)
    assert result(start(package, tmp_path))[0] == 1


def test_it_is_kept_elsewhere_or_made_anew_where_the_folder_cannot_be_written(package: Path, tmp_path: Path) -> None:
    # (A file where the folder should be: permissions do not stop everyone.)
    for folder in ("concepts", "engine"):
        (package / "intermodel" / folder / "__pycache__").write_text("")
    home = tmp_path / "home"
    home.mkdir()
    assert str(home) in result(start(package, home))[1]
    assert result(start(package, home))[0] == 1
    nowhere = tmp_path / "nowhere"
    nowhere.write_text("")
    assert result(start(package, nowhere))[0] == 0


@pytest.mark.parametrize("before", ["", "import scipy.linalg"])
def test_numba_comes_without_linear_algebra_which_works_all_the_same(before: str) -> None:
    program = f"""
import sys
{before}
held = "scipy.linalg" in sys.modules
import numpy as np
from intermodel.concepts.kernels import count_patterns
offset, pixel = np.array([0, 3], np.int64), np.array([0, 1, 1], np.int32)
assert count_patterns(offset, pixel, np.array([1, 2], np.int32), 3)[0].tolist() == [0, 2]
assert ("scipy.linalg" in sys.modules) == held
import scipy.linalg
assert scipy.linalg.norm([3.0, 4.0]) == 5.0
"""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=300)


def test_the_digest_of_the_tally_follows_the_kernels() -> None:
    kernels = SCRIPTS / "intermodel" / "concepts" / "kernels.py"
    assert kernels in closure("tally_concepts.py") and kernels in closure("stream_tallies.py")

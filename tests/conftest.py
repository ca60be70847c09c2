"""What all tests share: real data and a browser where there are any, and the workflow as a command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no defect.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
os.environ.setdefault("OMP_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
# Kinds of tests that may not be skipped, e.g. "real browser"; set by the continuous integration.
REQUIRED = set(os.environ.get("INTERMODEL_REQUIRE", "").split())


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests marked slow, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Few and long ones first, so that no worker is left with them at the end.
    items.sort(key=lambda item: not {"workflow", "browser", "real"} & set(item.keywords))
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes more than a minute; give --slow to run it"))


def missing(kind: str, reason: str) -> None:
    """Skip the test, or fail it where tests of this kind are required."""
    if kind in REQUIRED:
        pytest.fail(f"{reason} (required here)")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs and weights that INTERMODEL_DATA names."""
    folder = os.environ.get("INTERMODEL_DATA", "")
    if not folder:
        missing("real", "INTERMODEL_DATA is not set to a folder with real data; see config/examples/camvid.yaml")
    if not (Path(folder) / "camvid").is_dir():
        missing("real", f"INTERMODEL_DATA names {folder}, which holds no camvid/; see config/examples/camvid.yaml")
    return Path(folder).resolve()


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of a Chromium."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), ""
    )
    if not found:
        missing("browser", "no Chromium is installed; the page is not opened")
    return found


@pytest.fixture(scope="session")
def slurm() -> Iterator[Path]:
    """The folder INTERMODEL_SLURM with start-slurm and stop-slurm; the cluster is up."""
    folder = os.environ.get("INTERMODEL_SLURM", "")
    if not folder:
        missing("cluster", "INTERMODEL_SLURM is not set to a folder with start-slurm; no cluster is tested")
    started = subprocess.run([f"{folder}/start-slurm"], capture_output=True, text=True, check=False)
    if started.returncode:
        missing("cluster", f"SLURM cannot be started here: {(started.stderr or started.stdout).strip()[-200:]}")
    yield Path(folder)
    if "already running" not in started.stdout:
        subprocess.run([f"{folder}/stop-slurm"], check=True, capture_output=True)


@pytest.fixture(scope="session")
def conda() -> Path:
    """The folder INTERMODEL_CONDALIKE with conda and activate."""
    folder = os.environ.get("INTERMODEL_CONDALIKE", "")
    if not folder:
        missing("environments", "INTERMODEL_CONDALIKE is not set to a folder with conda; no environment is built")
    return Path(folder).resolve()


@pytest.fixture
def snakemake() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run snakemake on the project's Snakefile in a folder of the test's own."""

    def run(
        *arguments: str, folder: Path, study: Path | None = None, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        configuration = ["--configfile", str(study)] if study else []
        result = subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")),
                *("--workflow-profile", str(ROOT / "profiles" / "default"), "--directory", str(folder)),
                *configuration,
                *("--cores", "2", *arguments),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        if check and result.returncode:
            pytest.fail(
                f"snakemake {' '.join(arguments)} ended with {result.returncode}:\n{result.stdout}\n{result.stderr}"
            )
        return result

    return run

"""A full disk and a read-only one: one sentence, earlier results stay whole, and the study goes on afterwards."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from crash.project import Project, differences, outputs

pytestmark = [pytest.mark.slow, pytest.mark.workflow]


class Disk:
    """A file system in memory, mounted where the results of a project go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        if mounted.returncode:
            pytest.skip(f"no file system can be mounted here ({mounted.stderr.strip()})")

    def remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.folder)], check=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def disk(project: Project) -> Iterator[Disk]:
    try:
        disk = Disk(project.results)
    except FileNotFoundError:
        pytest.skip("there is no command called mount")
    yield disk
    project.kill_all()
    disk.unmount()


def test_a_full_disk(project: Project, disk: Disk, quiet: Project) -> None:
    disk.remount("size=1300k")
    run = project.resume()
    run.wait()
    assert run.returncode != 0
    sentences = [line for line in project.output.splitlines() if line.startswith("error: ")]
    assert sentences, project.output
    assert all("the disk is full" in line or "its disk has only" in line for line in sentences), sentences
    assert "Traceback" not in project.output
    assert differences(project.results, quiet.results) == []
    disk.remount("size=100m")
    project.finish()
    assert differences(project.results, quiet.results) == []
    assert set(outputs(project.results)) == set(outputs(quiet.results))


def test_a_read_only_folder(project: Project, disk: Disk, quiet: Project) -> None:
    project.finish("results/data/scenes/manifest.h5")
    before = {name: path.read_bytes() for name, path in outputs(project.results).items()}
    disk.remount("ro")
    run = project.resume()
    run.wait()
    assert run.returncode != 0
    assert "results: found 'results', which cannot be written" in project.output
    assert "Traceback" not in project.output
    assert {name: path.read_bytes() for name, path in outputs(project.results).items()} == before
    disk.remount("rw")
    project.finish("results/features/scenes/untrained/layer4.h5")
    assert differences(project.results, quiet.results) == []

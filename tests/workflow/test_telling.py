"""What a user is told: why jobs run, what a run did, and where the log of a failed job is."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny.yaml")

pytestmark = pytest.mark.workflow
Snakemake = Callable[..., subprocess.CompletedProcess[str]]


def summary(result: subprocess.CompletedProcess[str]) -> str:
    """The line at the end of a run."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("intermodel: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def test_a_run_tells_why_and_what_it_did(tmp_path: Path, snakemake: Snakemake) -> None:
    study = tmp_path / "study.yaml"
    keys = yaml.safe_load(TINY.read_text())
    study.write_text(yaml.safe_dump(keys))

    def why() -> str:
        command = [sys.executable, ROOT / "workflow" / "scripts" / "explain_run.py", study, "data"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        return result.stdout

    (tmp_path / "Snakefile").symlink_to(ROOT / "Snakefile")
    for name in ("rules", "workflow", "profiles"):
        (tmp_path / name).symlink_to(ROOT / name)

    # A dry run tells each job with its reason, and writes nothing.
    planned = snakemake("data", "--dry-run", folder=tmp_path, study=study).stdout
    assert "Reading the images of scenes\nReason: Missing output files: results/data/scenes/" in planned
    assert "2 jobs because results do not exist yet" in why()
    assert not (tmp_path / "results").exists()

    first = summary(snakemake("data", folder=tmp_path, study=study))
    assert "2 jobs ran in 0:" in first
    assert "(1 decode_label_maps, 1 make_manifest), 0 up to date, none failed." in first
    with open(tmp_path / "results" / "timings.csv", newline="") as stream:
        rows = {row["rule"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"decode_label_maps", "make_manifest"}
    assert all(float(row["cpu_seconds"]) > 0 and float(row["peak_memory_mb"]) > 10 for row in rows.values())
    assert (rows["make_manifest"]["images"], float(rows["make_manifest"]["images_per_second"]) > 0) == ("180", True)

    assert "Nothing to be done" in snakemake("data", folder=tmp_path, study=study).stderr
    assert "Nothing would run" in why()

    # The cause of a change is told by the key that was changed.
    keys["datasets"]["scenes"]["seed"] = 5
    study.write_text(yaml.safe_dump(keys))
    told = why()
    assert "the setting seed" in told
    assert "Reading the images of scenes" in told

    # A job that fails is told with its log, and the log is shown.
    images = tmp_path / "results" / "data" / "scenes"
    (images / "segmentation.h5").unlink()
    (images / "images.h5").write_bytes(b"broken")
    failed = snakemake("data", "--rerun-triggers", "input", folder=tmp_path, study=study, check=False)
    assert failed.returncode == 1
    assert "0 jobs ran in 0:" in summary(failed)
    assert summary(failed).endswith("1 up to date, 1 failed. See results/logs/decode_label_maps/scenes.log.")
    assert "Error in rule decode_label_maps_scenes" in failed.stderr
    assert (images / "manifest.h5").is_file()

"""What jobs ask of a cluster: memory and minutes that grow, GPUs for what runs networks and for nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TINY = Path(__file__).with_name("tiny.yaml")
NETWORKS = {"extract_features", "embed_images", "train_model"}

pytestmark = pytest.mark.workflow

# Appended to the Snakefile: what the rules would ask for, at the first and the second attempt, with an input of 1 GB.
TELL = """
for asked in workflow.rules:
    if asked.script:
        told = {"step": Path(asked.script).stem}
        for attempt in (1, 2):
            told[str(attempt)] = {
                name: resource.evaluate({}, input=["large"], attempt=attempt, threads=1,
                                        rulename="", async_run=None).value
                for name, resource in asked.resources.items() if name not in ("tmpdir", "disk_mb")
            }
        print("ASKED", json.dumps(told), file=sys.stderr)
"""


class Workflow:
    """A copy of the rules that tells what they ask for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rules", "envs", "profiles", "docs"):
            shutil.copytree(ROOT / name, folder / name)
        (folder / "workflow").symlink_to(ROOT / "workflow")
        (folder / "Snakefile").write_text((ROOT / "Snakefile").read_text() + TELL)
        with open(folder / "large", "wb") as file:
            file.truncate(2**30)  # sparse

    def reset(self) -> None:
        self.study = yaml.safe_load(TINY.read_text())
        self.profile = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())

    def read(self) -> subprocess.CompletedProcess[str]:
        (self.folder / "study.yaml").write_text(yaml.safe_dump(self.study, sort_keys=False))
        (self.folder / "profiles" / "slurm" / "config.yaml").write_text(yaml.safe_dump(self.profile))
        return subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", "--configfile"),
                *("study.yaml", "--list-rules"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )

    def asked(self) -> list[dict[str, Any]]:
        """Of every rule: its step and what it asks for at each attempt."""
        result = self.read()
        assert result.returncode == 0, result.stdout + result.stderr
        return [json.loads(line) for line in re.findall(r"(?m)^ASKED (.*)$", result.stderr)]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    return Workflow(tmp_path_factory.mktemp("resources"))


@pytest.fixture
def workflow(copied: Workflow) -> Workflow:
    """The copy with the tiny study and the project's profile."""
    copied.reset()
    return copied


def test_every_rule_asks_for_memory_and_minutes_that_grow(workflow: Workflow) -> None:
    asked = workflow.asked()
    assert len(asked) > 20
    steps = {rule["step"] for rule in asked}
    assert set(workflow.profile["set-resources"]) == NETWORKS
    assert set(workflow.profile["groups"]) <= steps
    for rule in asked:
        first, second = rule["1"], rule["2"]
        assert 500 <= first["mem_mb"] < second["mem_mb"], rule
        assert 10 <= first["runtime"] < second["runtime"], rule
        assert first["_cores"] >= 1


def test_a_gpu_comes_with_cores_for_the_threads_that_decode_for_it(workflow: Workflow) -> None:
    workflow.study["compute"] = {"workers": 5}
    cores = {rule["step"]: rule["1"]["_cores"] for rule in workflow.asked()}
    assert (cores["extract_features"], cores["tally_concepts"]) == (6, 1)
    workflow.profile["set-resources"]["extract_features"] = {"gpu": 0}
    assert {rule["1"]["_cores"] for rule in workflow.asked() if rule["step"] == "extract_features"} == {1}


def test_only_networks_get_a_gpu_and_the_profile_says_which(workflow: Workflow) -> None:
    for step in NETWORKS:
        workflow.profile["set-resources"][step] |= {"gpu_model": "a100", "slurm_partition": "gpu"}
    workflow.profile["default-resources"]["slurm_partition"] = "cpu"
    found = set()
    for rule in workflow.asked():
        resources = rule["1"]
        if rule["step"] in NETWORKS:
            found.add(rule["step"])
            assert (resources["gpu"], resources["gpu_model"], resources["slurm_partition"]) == (1, "a100", "gpu")
        else:
            assert resources["slurm_partition"] == "cpu"
            assert not {"gpu", "gpu_model", "gres"} & set(resources)
    assert found == NETWORKS


def test_a_study_on_cpus_takes_no_gpu_whatever_the_profile_says(workflow: Workflow) -> None:
    workflow.study["compute"] = {"device": "cpu"}
    workflow.profile["set-resources"]["train_model"]["gpu_model"] = "a100"
    for rule in workflow.asked():
        assert not rule["1"].get("gpu")
        assert not rule["1"].get("gpu_model")


@pytest.mark.parametrize("name", ["gpu", "gpu_model"])
def test_a_gpu_for_every_job_is_refused(workflow: Workflow, name: str) -> None:
    workflow.profile["default-resources"][name] = 1 if name == "gpu" else "a100"
    result = workflow.read()
    assert result.returncode == 1
    assert f"default-resources: found {name}, which would give a GPU to every job" in result.stderr
    assert "Traceback" not in result.stderr


def test_retries_stand_in_the_profile_alone(workflow: Workflow) -> None:
    assert workflow.profile["retries"] >= 1
    assert not [file.name for file in (ROOT / "rules").glob("*.smk") if "retries:" in file.read_text()]


def test_what_takes_a_gpu_is_submitted_by_itself(workflow: Workflow) -> None:
    """A group would keep the GPU while its other members run."""
    assert not NETWORKS & set(workflow.profile["groups"])
    assert set(workflow.profile["group-components"]) <= set(workflow.profile["groups"].values())

"""A study on a real SLURM of two nodes: equal results, and what happens when jobs, nodes or the user end early.

The folder INTERMODEL_SLURM holds two commands: start-slurm, which brings such a cluster up on this machine (as root, at
once if it is there already), and stop-slurm. `make test-cluster` runs these tests.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import h5py
import numpy as np
import psutil
import pytest
from cluster.slurm import ACTIVE, Project, jobs_of, run

pytestmark = pytest.mark.cluster

# What is made, and by which job of the cluster.
WEIGHTS = "results/training/trained.safetensors"
SCORES = [f"results/quality/scenes/{model}.h5" for model in ("trained", "untrained")]
PAIR = "results/similarity/scenes/trained__untrained.h5"


@pytest.fixture(scope="module")
def gpu_model(slurm: Path) -> str:
    """The model of the cluster's GPUs."""
    return re.search(r"gpu:(\w+)", run("sinfo", "--noheader", "--format=%G"))[1]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, gpu_model: str) -> Project:
    """The study run on this machine."""
    project = Project(tmp_path_factory.mktemp("local"), gpu_model)
    assert project.start(*SCORES, PAIR, profile="default").wait() == 0, project.output
    return project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, gpu_model: str) -> Project:
    """A project on the cluster whose jobs take orders."""
    project = Project(tmp_path_factory.mktemp("cluster"), gpu_model)
    project.accept_orders()
    return project


def test_ctrl_c_cancels_the_jobs(project: Project) -> None:
    project.order("make_manifest_scenes", "hold")
    process = project.start(WEIGHTS)
    try:
        project.wait(lambda: project.held("make_manifest_scenes"))
        assert project.job("make_manifest_scenes").state == "RUNNING"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
        project.wait(lambda: not [job for job in jobs_of(project.folder) if job.state in ACTIVE], seconds=30)
        assert project.job("make_manifest_scenes").state == "CANCELLED"
    finally:
        project.end(process)
    assert not (project.folder / "results/data/scenes/manifest.h5").exists()


def test_a_night_with_mishaps_ends_with_the_results_of_a_quiet_one(
    project: Project, local: Project, slurm: Path
) -> None:
    """A job fails, another is cancelled, a node is lost; everything is there in the morning."""
    project.order("train_model_trained", "fail")
    project.order("extract_untrained_scenes_new", "hold")
    project.order("score_model", "hold")
    process = project.start(*SCORES, PAIR)
    try:
        project.wait(lambda: project.held("extract_untrained_scenes_new"))
        cancelled = project.job("extract_untrained_scenes_new")
        run("scancel", str(cancelled.number))

        project.wait(lambda: project.held("score_model"))
        process_number, job_number = project.held("score_model")
        orphan = psutil.Process(process_number)
        lost = next(job for job in jobs_of(project.folder) if job.number == job_number)
        lose(lost.node)
        project.wait(lambda: requeued(project, lost.number))
        # SLURM would wait for two minutes before it starts the node's jobs again.
        for job in jobs_of(project.folder):
            if job.state == "PENDING":
                run("scontrol", "update", f"JobId={job.number}", "StartTime=now")
        assert process.wait(timeout=900) == 0, project.output

        jobs = {job.number: job for job in jobs_of(project.folder)}
        assert jobs[cancelled.number].state == "CANCELLED"
        assert project.job("extract_untrained_scenes_new").number > cancelled.number
        first, second = [job for job in jobs.values() if "train_model_trained" in job.comment]
        assert (first.state, second.state) == ("FAILED", "COMPLETED")
        assert second.megabytes == 2 * first.megabytes
        assert second.minutes == 2 * first.minutes
        assert jobs[lost.number].state == "COMPLETED"
        assert jobs[lost.number].restarts == 1
        assert jobs[lost.number].node != lost.node
        assert_equal(project.folder, local.folder)

        # On the lost node the job lives on, and so does the engine that started it. They overwrite and remove nothing.
        made = {path: (project.folder / path).stat().st_mtime_ns for path in SCORES}
        left = [process for process in [orphan, *orphan.parents()] if lives_in(process, project.folder)]
        assert len(left) >= 2
        project.release("score_model")
        assert psutil.wait_procs(left, timeout=60)[1] == []
        assert {path: (project.folder / path).stat().st_mtime_ns for path in SCORES} == made
        assert_equal(project.folder, local.folder)
    finally:
        project.end(process)
        run(str(slurm / "start-slurm"))


def test_everything_went_through_sbatch_and_only_networks_took_a_gpu(project: Project, gpu_model: str) -> None:
    jobs = [job for job in jobs_of(project.folder) if job.state == "COMPLETED"]
    steps = ("make_manifest", "train_model", "extract_", "scores", "factorisations", "comparisons")
    for step in steps:
        assert any(step in job.comment for job in jobs), f"{step} did not run on the cluster"
    for job in jobs:
        networks = "extract_" in job.comment or "train_model" in job.comment
        assert job.gpus.replace("/", ":") == (f"gres:gpu:{gpu_model}:1" if networks else ""), job
        assert job.partition == "main"
    # Two factorisations, and all comparisons, are one job each; its members run one after the other.
    assert [job.cores for job in jobs if "factorisations" in job.comment] == [1]


def lives_in(process: psutil.Process, folder: Path) -> bool:
    """Whether this is a Python that works in a folder."""
    try:
        return "python" in process.name() and Path(process.cwd()) == folder
    except psutil.Error:
        return False


def lose(node: str) -> None:
    """Kill the daemon of a node, as if its machine had lost the network: its jobs live on."""
    folder = Path(os.environ.get("SLURM_LOCAL_DIR", "/var/lib/slurm-local"))
    daemon = psutil.Process(int((folder / "run" / f"slurmd-{node}.pid").read_text()))
    assert daemon.name() == "slurmd"
    daemon.kill()
    run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=lost")


def requeued(project: Project, number: int) -> bool:
    return any(job.number == number and job.state == "PENDING" for job in jobs_of(project.folder))


def assert_equal(folder: Path, expected: Path) -> None:
    """The weights are equal byte for byte, all numbers bit for bit."""
    assert (folder / WEIGHTS).read_bytes() == (expected / WEIGHTS).read_bytes()
    files = sorted(path.relative_to(expected) for path in (expected / "results").rglob("[!.]*.h5"))
    assert len(files) >= 8
    for path in files:
        with h5py.File(folder / path) as found, h5py.File(expected / path) as wanted:
            names: list[str] = []
            wanted.visit(names.append)
            for name in names:
                if isinstance(wanted[name], h5py.Dataset):
                    np.testing.assert_array_equal(found[name][...], wanted[name][...], err_msg=f"{path} {name}")

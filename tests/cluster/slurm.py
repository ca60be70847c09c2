"""A SLURM cluster as tests see it, and a project that runs on it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from copied_code import copy_code

STUDY = Path(__file__).with_name("small.yaml")
ACTIVE = {"PENDING", "RUNNING", "COMPLETING"}

# Put into a copy of the scripts: a job may be told to fail, or to wait in the midst of its work, the first time that
# it runs. Whoever renames the order has got it.
MISHAP = '''
"""Orders for jobs, as files `mishaps/<rule>.<order>`."""

import os
import time
from pathlib import Path

FOLDER = Path("mishaps")


def mishap(rule):
    for order in ("fail", "hold"):
        try:
            (FOLDER / f"{rule}.{order}").rename(FOLDER / f"{rule}.{order}ing")
        except FileNotFoundError:
            continue
        if order == "fail":
            raise SystemExit("failed as it was told")
        (FOLDER / f"{rule}.held").write_text(f"{os.getpid()} {os.environ['SLURM_JOB_ID']}")
        while not (FOLDER / f"{rule}.go").exists():
            time.sleep(0.1)
'''


@dataclass(frozen=True)
class SlurmJob:
    """One job as SLURM knows it."""

    number: int
    state: str
    comment: str
    node: str
    megabytes: int
    minutes: int
    cores: int
    gpus: str
    partition: str
    restarts: int


def jobs_of(folder: Path) -> list[SlurmJob]:
    """All jobs, finished ones too, that were submitted from a folder, in the order of submission."""
    found = []
    for line in run("scontrol", "--oneliner", "show", "jobs").splitlines():
        fields = dict(re.findall(r"(\w[\w/:]*)=(\S*)", line))
        if fields.get("WorkDir") == str(folder):
            days, hours, minutes, _ = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d+):(\d+)", fields["TimeLimit"]).groups()
            found.append(
                SlurmJob(
                    number=int(fields["JobId"]),
                    state=fields["JobState"],
                    comment=fields["Comment"],
                    node=fields["NodeList"],
                    megabytes=int(re.search(r"mem=(\d+)M", fields["TRES"])[1]),
                    minutes=(int(days or 0) * 24 + int(hours)) * 60 + int(minutes),
                    cores=int(fields["NumCPUs"]),
                    gpus=fields.get("TresPerJob", ""),
                    partition=fields["Partition"],
                    restarts=int(fields["Restarts"]),
                )
            )
    return sorted(found, key=lambda job: job.number)


class Project:
    """A copy of the workflow with the small study; its profile is the project's, with a site's own settings."""

    def __init__(self, folder: Path, gpu_model: str) -> None:
        self.folder, self.mishaps = folder, folder / "mishaps"
        self.mishaps.mkdir(parents=True)
        copy_code(folder)
        shutil.copy(STUDY, folder / "study.yaml")
        path = folder / "profiles" / "slurm" / "config.yaml"
        profile: dict[str, Any] = yaml.safe_load(path.read_text())
        profile |= {"slurm-init-seconds-before-status-checks": 2, "latency-wait": 20}
        profile["default-resources"] |= {"slurm_partition": "main"}
        for step in ("extract_features", "train_model"):
            profile["set-resources"][step]["gpu_model"] = gpu_model
        path.write_text(yaml.safe_dump(profile))

    def accept_orders(self) -> None:
        """Let the jobs of this copy fail or wait when they are told to."""
        scripts = self.folder / "workflow" / "scripts"
        (scripts / "mishap.py").write_text(MISHAP)
        for script in scripts.glob("*.py"):
            line = "with job(snakemake.log[0], snakemake.output):\n"
            script.write_text(
                script.read_text().replace(
                    line, f"{line}    from mishap import mishap\n\n    mishap(snakemake.rule)\n\n"
                )
            )

    def order(self, rule: str, order: str) -> None:
        """Tell the first job of a rule to ``fail``, or to ``hold`` until `release`."""
        (self.mishaps / f"{rule}.{order}").touch()

    def held(self, rule: str) -> tuple[int, int] | None:
        """Process and number of the job that waits, if it does."""
        path = self.mishaps / f"{rule}.held"
        words = path.read_text().split() if path.exists() else []
        return (int(words[0]), int(words[1])) if len(words) == 2 else None

    def release(self, rule: str) -> None:
        (self.mishaps / f"{rule}.go").touch()

    def start(self, *arguments: str, profile: str = "slurm") -> subprocess.Popen[str]:
        """Start snakemake; its words go to output.txt."""
        cores = [] if profile == "slurm" else ["--cores", "1"]
        with (self.folder / "output.txt").open("a") as output:
            return subprocess.Popen(
                [
                    # Programs that a shell has put into the background ignore Ctrl-C otherwise.
                    *("env", "--default-signal=INT"),
                    *(sys.executable, "-m", "snakemake", "--workflow-profile", f"profiles/{profile}"),
                    *("--configfile", "study.yaml", *cores, "--", *arguments),
                ],
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )

    @property
    def output(self) -> str:
        """What all runs have printed."""
        return (self.folder / "output.txt").read_text()

    def job(self, rule: str) -> SlurmJob:
        """The last job of a rule."""
        return [job for job in jobs_of(self.folder) if rule in job.comment][-1]

    def wait(self, condition: Callable[[], object], seconds: float = 600) -> None:
        """Wait until `condition()` is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited in vain; the runs printed:\n{self.output}"
            time.sleep(0.5)

    def end(self, process: subprocess.Popen[str]) -> None:
        """End a run that is still there, and its jobs."""
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for job in jobs_of(self.folder):
            if job.state in ACTIVE:
                run("scancel", str(job.number))


def run(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

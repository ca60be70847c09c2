"""Every rule in an environment of its own, built from its pinned file.

The folder INTERMODEL_CONDALIKE holds `conda` and `activate`: a real conda's, or a stand-in that builds virtual
environments from the pip section alone. `make test-environments` runs these tests.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from clip_dissect.conftest import WORDS
from copied_code import copy_code
from intermodel.engine.code_hash import imported_packages
from workflow.test_environments import OPTIONAL, environments, rules

TINY = Path(__file__).with_name("tiny.yaml")

pytestmark = pytest.mark.environments

# Appended to the first module that every script imports: where it runs.
NOTE = """
Path("ran").mkdir(exist_ok=True)
(Path("ran") / Path(sys.argv[0]).name.partition(".")[2]).write_text(sys.prefix)
"""
BASIS = "results/similarity/scenes/trained/layer4.basis.h5"


class Project:
    """A copy of the workflow with a study of two networks, all of whose rules run in their own environments.

    The maps of one layer are not stored, and units are named by a small CLIP model.
    """

    def __init__(self, folder: Path, conda: Path, clip: tuple[Path, Path]) -> None:
        self.folder, self.conda, self.prefixes = folder, conda, folder / "environments"
        copy_code(folder)
        study = yaml.safe_load(TINY.read_text())
        del study["models"]["vit"]
        study["models"]["untrained"]["layers"] = ["layer4"]
        study["models"]["trained"]["keep_maps"] = ["layer4"]
        (folder / "words.txt").write_text("\n".join(WORDS))
        configuration, weights = clip
        study["analyses"]["clip_dissect"] = {
            "model": str(configuration),
            "weights": str(weights),
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            "words": "words.txt",
            "top_images": 20,
            "exemplars": 10,
        }
        # The one variant that needs a rule of its own.
        study["analyses"]["lce"] = study["analyses"].get("lce", {}) | {"variant": "soft_auroc"}
        (folder / "study.yaml").write_text(yaml.safe_dump(study))

    @property
    def variables(self) -> dict[str, str]:
        # The stand-in builds with uv, whose cache makes a further environment with torch a matter of seconds.
        uv = Path(sys.executable).parent / "uv"
        path = f"{self.conda}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "CONDALIKE_UV": str(uv), "OMP_NUM_THREADS": "1"}

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "2", "--sdm", "conda"),
                *("--conda-prefix", str(self.prefixes), *arguments),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=self.variables,
            check=False,
        )

    def names_of(self, prefix: Path) -> set[str]:
        """Names of the environment at `prefix`, whose file the engine keeps beside it; equal ones are built once."""
        text = prefix.with_name(f"{prefix.name}.yaml").read_text()
        return {file.stem for file in (self.folder / "envs").glob("*.yaml") if file.read_text() == text}

    def prefix_of(self, environment: str) -> Path:
        """Where an environment is; it is built if no rule of the study has needed it."""
        for prefix in self.prefixes.iterdir():
            if prefix.is_dir() and environment in self.names_of(prefix):
                return prefix
        prefix = self.prefixes / environment
        file = prefix.with_name(f"{environment}.yaml")
        shutil.copy(self.folder / "envs" / file.name, file)
        command = [self.conda / "conda", "env", "create", "--quiet", "--file", file, "--prefix", prefix]
        subprocess.run(command, check=True, capture_output=True, env=self.variables)
        return prefix


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, conda: Path, small_clip: tuple[Path, Path]) -> Iterator[Project]:
    """The study, run to its end."""
    project = Project(tmp_path_factory.mktemp("environments"), conda, small_clip)
    isolate = project.folder / "workflow/scripts/intermodel/engine/isolate.py"
    isolate.write_text(isolate.read_text() + NOTE)
    result = project.snakemake("all")
    assert result.returncode == 0, result.stdout + result.stderr
    yield project
    shutil.rmtree(project.prefixes)  # gigabytes, which pytest would keep


def test_every_rule_runs_in_its_own_environment(finished: Project) -> None:
    ran = {file.name: finished.names_of(Path(file.read_text())) for file in (finished.folder / "ran").iterdir()}
    # Data sets of torchvision are another rule's; shards are not asked for here.
    wanted = {rule.script: {*rule.environments} - {"data_torchvision"} for rule in rules()}
    del wanted["join_shards.py"]
    assert set(ran) == set(wanted)
    assert {script: names for script, names in ran.items() if not wanted[script] <= names} == {}
    assert (finished.folder / "results" / "report" / "index.html").is_file()


@pytest.mark.parametrize("environment", environments())
def test_an_environment_provides_what_its_scripts_import(finished: Project, environment: str) -> None:
    modules = {
        module
        for rule in rules()
        if environment in rule.environments and rule.script
        for module in imported_packages(rule.script) - set(sys.stdlib_module_names)
        if (environment, module) not in OPTIONAL
    }
    assert "h5py" in modules or environment == "report"
    program = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    python = finished.prefix_of(environment) / "bin" / "python"
    result = subprocess.run(
        [python, "-I", "-c", program, *sorted(modules)], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr


def test_a_missing_pin_fails_and_does_not_come_from_the_engines_environment(finished: Project) -> None:
    # Two pins, because one of them requires the other.
    file = finished.folder / "envs" / "similarity.yaml"
    text = file.read_text()
    file.write_text(re.sub(r"(?m)^ +- (h5py|hdf5plugin)==.*\n", "", text))
    try:
        result = finished.snakemake(BASIS, "--forcerun", "factorise_representation")
    finally:
        file.write_text(text)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "No module named 'h5py'" in result.stdout + result.stderr
    log = finished.folder / "results/logs/factorise_representation/scenes/trained/layer4.log"
    assert "No module named 'h5py'" in log.read_text()

"""The workflow as a module of another: a real small run, what runs again, and two studies side by side."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from copied_code import copy_code

TINY = yaml.safe_load(Path(__file__).with_name("tiny.yaml").read_text(encoding="utf-8"))
MODULE = """
module {name}:
    snakefile:
        config["snakefile"]
    config:
        config["{name}"]
{prefix}

use rule * from {name} as {name}_*
"""
CONSUMER = """
rule count_pairs:
    default_target: True
    input:
        rules.first_similarity.input[0],
    output:
        "pairs.txt",
    shell:
        "wc -l < {input} > {output}"
"""

pytestmark = pytest.mark.workflow


class Outer:
    """Somebody else's workflow, with its own folder and configuration; the code of ours is a copy."""

    def __init__(self, folder: Path) -> None:
        code = folder / "intermodel"
        copy_code(code)
        self.folder = folder / "outer"
        (self.folder / "workflow").mkdir(parents=True)
        self.config: dict[str, Any] = {"snakefile": str(code / "Snakefile")}

    def write(self, *modules: str, prefix: str = "") -> None:
        line = f'    prefix:\n        "{prefix}"\n' if prefix else ""
        text = 'configfile: "config.yaml"\n\n'
        text += "\n".join(MODULE.format(name=name, prefix=line) for name in modules) + CONSUMER
        (self.folder / "workflow" / "Snakefile").write_text(text, encoding="utf-8")
        (self.folder / "config.yaml").write_text(yaml.safe_dump(self.config, sort_keys=False), encoding="utf-8")

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "snakemake", *arguments, "--cores", "2"),
                *("--rerun-triggers", "mtime", "params", "input", "software-env"),
            ],
            cwd=self.folder,
            capture_output=True,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )

    def run(self, *arguments: str) -> str:
        result = self.snakemake(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    def jobs(self, *arguments: str) -> dict[str, int]:
        output = self.run("--dry-run", *arguments)
        table = re.search(r"Job stats:\n(.*?)\ntotal", output, re.DOTALL)
        counts = re.findall(r"^(\w+)\s+(\d+)$", table[1], re.MULTILINE) if table else []
        assert counts or "Nothing to be done" in output, output
        return {name: int(count) for name, count in counts}


def study(results: str) -> dict[str, Any]:
    """Two networks that need no training."""
    keys = copy.deepcopy(TINY)
    keys["results"] = results
    del keys["models"]["trained"]
    return keys


@pytest.fixture(scope="module")
def outer(tmp_path_factory: pytest.TempPathFactory) -> Outer:
    workflow = Outer(tmp_path_factory.mktemp("module"))
    workflow.config["first"] = study("products/first")
    workflow.write("first")
    workflow.run()
    return workflow


def test_results_of_the_module_feed_the_other_workflow(outer: Outer) -> None:
    made = outer.folder / "products" / "first"
    # Three pairs, a model with itself included, of two layers each.
    assert int((outer.folder / "pairs.txt").read_text()) > 3
    assert (made / "similarity" / "scenes" / "pairs.csv").is_file()
    assert sorted(path.name for path in made.glob("logs/extract_features/scenes/*.log")) == [
        "untrained.new.log",
        "vit.new.log",
    ]
    # Nothing is left beside the two workflows' own files.
    assert not (outer.folder / "results").exists()
    assert sorted(path.name for path in outer.folder.iterdir()) == [
        ".snakemake",
        "config.yaml",
        "pairs.txt",
        "products",
        "workflow",
    ]


def test_a_second_run_has_nothing_to_do(outer: Outer) -> None:
    assert outer.jobs() == {}


def test_a_further_layer_runs_alone(outer: Outer) -> None:
    outer.config["first"]["models"]["vit"]["layers"] = ["blocks.0", "blocks.1", "norm"]
    outer.write("first")
    try:
        jobs = outer.jobs()
    finally:
        outer.config["first"] = study("products/first")
        outer.write("first")
    assert {name: count for name, count in jobs.items() if "extract" in name or "factorise" in name} == {
        "first_extract_vit_scenes_new": 1,
        "first_factorise_representation": 1,
    }


def test_two_studies_side_by_side(outer: Outer) -> None:
    second = study("products/second")
    second["models"]["vit"]["layers"] = ["norm"]
    outer.config["second"] = second
    outer.write("first", "second")
    try:
        jobs = outer.jobs("count_pairs", "second_features")
    finally:
        del outer.config["second"]
        outer.write("first")
    assert jobs == {
        "second_make_manifest_scenes": 1,
        "second_extract_untrained_scenes_new": 1,
        "second_extract_vit_scenes_new": 1,
        "second_features": 1,
    }


def test_a_prefix_is_refused_with_a_sentence(outer: Outer) -> None:
    outer.write("first", prefix="elsewhere")
    try:
        result = outer.snakemake("--dry-run")
    finally:
        outer.write("first")
    assert result.returncode == 1
    lines = [line for line in result.stderr.splitlines() if "prefix" in line]
    assert len(lines) == 1
    assert "give the study a `results` folder instead" in lines[0]
    assert "Traceback" not in result.stderr

"""A wrong study on the command line: its problems, exit code 1, and not one job."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TINY = Path(__file__).with_name("tiny.yaml")
Snakemake = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.workflow


@pytest.fixture
def study() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    return content


def problems(snakemake: Snakemake, folder: Path, study: dict[str, Any], *arguments: str) -> list[str]:
    """What is printed below the heading, one line per problem."""
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    result = snakemake("all", *arguments, folder=folder, study=file, check=False)
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert "Traceback" not in output
    assert not (folder / "results").exists()
    lines = output.splitlines()
    heading = next(position for position, line in enumerate(lines) if line.startswith(f"{file}: "))
    found = [line.strip() for line in lines[heading + 1 :] if line.startswith("  ")]
    assert lines[heading] == f"{file}: {len(found)} problem{'s' if len(found) > 1 else ''}"
    assert lines[heading + 1 + len(found) :] == []
    return found


def test_wrong_keys(snakemake: Snakemake, study: dict[str, Any], tmp_path: Path) -> None:
    study["datasets"]["scenes"]["trian"] = study["datasets"]["scenes"].pop("train")
    study["models"]["vit"]["weights"] = {"source": "pretraned"}
    study["analyses"]["concepts"]["tail"] = -1
    assert problems(snakemake, tmp_path, study, "--config", "seed=seven") == [
        "analyses.concepts.tail: found -1, expected more than 0",
        "datasets.scenes.trian: unknown key; did you mean 'train'?",
        "models.vit.weights.source: found 'pretraned'; did you mean 'pretrained'?",
        "seed: found 'seven', expected a whole number",
    ]


def test_wrong_layers_and_architectures(snakemake: Snakemake, study: dict[str, Any], tmp_path: Path) -> None:
    study["models"]["trained"]["layers"] = ["layer3", "layr4"]
    study["models"]["vit"]["architecture"] = "test_vti"
    study["models"]["untrained"]["kwargs"] = {"channles": [4, 8, 8, 16]}
    found = problems(snakemake, tmp_path, study)
    assert [line.partition(":")[0] for line in found] == ["models.trained.layers[1]", "models.untrained", "models.vit"]
    assert found[0].endswith("found 'layr4', which the network does not have; did you mean 'layer4'?")
    assert "channles" in found[1]
    assert "test_vti" in found[2]
    assert "test_vit" in found[2]

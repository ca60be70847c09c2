"""The environments of the rules: pinned as the lock file says, complete, and enough for what their scripts import."""

from __future__ import annotations

import importlib.util
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from intermodel.engine.code_hash import imported_packages
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]

# Imports that a rule does without in one of its environments, and why.
OPTIONAL = {
    ("data", "torchvision"): "rules of torchvision data sets take data_torchvision",
    ("data", "torch"): "comes with torchvision",
    ("concepts", "torchvision"): "galleries need masks, which no torchvision data set has",
    ("concepts", "torch"): "of the preprocessing only the geometry is used",
    ("lce", "torch"): "the same, to read tallies",
    ("lce", "numba"): "tallies are read, not made",
    ("unit_matching", "torchvision"): "galleries need maps, which are kept of data sets with masks",
    ("training", "numba"): "images that are learned from are resized by Pillow",
    ("unit_matching", "torch"): "of the preprocessing only the geometry is used",
    ("unit_matching", "numba"): "the same",
}
NETWORKS = {"features", "training", "data_torchvision", "clip_dissect"}


@dataclass(frozen=True)
class Rule:
    """One rule as its text says."""

    file: str
    number: int
    script: str | None
    environments: tuple[str, ...]
    text: str


def rules() -> list[Rule]:
    """All rules that run something, read from the text of ``rules/*.smk``."""
    found = []
    for file in sorted((ROOT / "rules").glob("*.smk")):
        parts = re.split(r"(?m)^\s*rule\b[^:\n]*:\s*$", file.read_text(encoding="utf-8"))[1:]
        for number, part in enumerate(parts, 1):
            script = re.search(r"(?m)^\s*script:\s*\"([^\"]+)\"", part)
            if script or re.search(r"(?m)^\s*(shell|run|notebook):", part):
                name = Path(script[1]).name if script else None
                environments = tuple(sorted(set(re.findall(r"envs/(\w+)\.yaml", part))))
                found.append(Rule(file.name, number, name, environments, part))
    return found


@cache
def pins(environment: str) -> dict[str, Requirement]:
    """Pinned requirements of an environment by canonical name."""
    content = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text(encoding="utf-8"))
    *conda, pip = content["dependencies"]
    assert conda == ["python=3.11.*", "pip"]
    requirements = [Requirement(line) for line in pip["pip"]]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


@pytest.fixture(scope="module")
def compiler() -> ModuleType:
    """The module envs/compile.py."""
    spec = importlib.util.spec_from_file_location("compile_environments", ROOT / "envs" / "compile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def environments() -> list[str]:
    return sorted(file.stem for file in (ROOT / "envs").glob("*.yaml"))


@pytest.mark.parametrize("environment", environments())
def test_pins_are_those_of_the_lock_file(compiler: Any, environment: str) -> None:
    locked = {canonicalize_name(Requirement(line).name): Requirement(line) for line in compiler.locked()}
    for name, pin in pins(environment).items():
        assert str(pin.specifier) == str(locked[name].specifier)
        assert re.fullmatch(r"==[^*]+", str(pin.specifier))


@pytest.mark.parametrize("environment", environments())
def test_environments_are_complete(compiler: Any, environment: str) -> None:
    """Everything a pinned package requires on this machine is pinned as well, and nothing else is."""
    pinned = {name for name, pin in pins(environment).items() if pin.marker is None or pin.marker.evaluate()}
    todo = [Requirement(line) for line in compiler.requirements(compiler.ENVIRONMENTS[environment])]
    needed: dict[str, set[str]] = {}
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), requirement.extras or {""}
        if extras <= needed.get(name, set()):
            continue
        needed.setdefault(name, set()).update(extras)
        for line in requires(name) or []:
            further = Requirement(line)
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in extras | {""}):
                todo.append(further)
    assert set(needed) == pinned


def test_one_environment_per_capability(compiler: Any) -> None:
    assert environments() == sorted(compiler.ENVIRONMENTS)
    used = {environment for rule in rules() for environment in rule.environments}
    assert used == set(environments())


@pytest.mark.parametrize("environment", environments())
def test_torch_stands_only_where_networks_run(environment: str) -> None:
    assert ("torch" in pins(environment)) == (environment in NETWORKS)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule.file}-{rule.script or rule.number}")
def test_rules_name_an_environment_that_provides_their_imports(rule: Rule) -> None:
    assert rule.environments, "a rule that runs something needs conda:"
    assert re.search(r"(?m)^\s*conda:", rule.text)
    if rule.script is None:
        return
    assert (ROOT / "workflow" / "scripts" / rule.script).is_file()
    imported = imported_packages(rule.script) - set(sys.stdlib_module_names)
    distributions = packages_distributions()
    for environment in rule.environments:
        missing = {
            module
            for module in imported
            if not {canonicalize_name(name) for name in distributions.get(module, [])} & set(pins(environment))
        }
        assert missing <= {module for name, module in OPTIONAL if name == environment}

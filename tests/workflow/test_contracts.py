"""What the project promises about itself: layers, style, types, light starts, one name per capability."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from intermodel.engine.code_hash import closure

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
TINY = Path(__file__).with_name("tiny.yaml")
CAPABILITIES = ["data", "training", "features", "concepts", "similarity", "unit_matching"]
CAPABILITIES += ["clip_dissect", "probe", "quality", "lce", "report"]
HEAVY = ["torch", "torchvision", "timm", "lightly", "sklearn", "scipy", "pandas", "matplotlib", "seaborn"]
# Run for every pair or every layer of a study: each second of imports is paid thousands of times.
OFTEN = ["join_shards.py", "tally_concepts.py", "factorise_representation.py", "compare_models.py", "match_models.py"]
OFTEN.append("dissect_with_clip.py")
# Commands of the user's rather than jobs.
COMMANDS = {"show_timings.py", "clean_results.py", "estimate_study.py", "list_layers.py", "explain_run.py"}


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A tool of this environment, started in the project's folder."""
    program = Path(sys.executable).parent / command[0]
    return subprocess.run(
        [str(program), *command[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"} | variables,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [
        ("lint-imports",),
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        ("snakefmt", "--check", "Snakefile", "rules"),
        (
            "mypy",
            *(f"workflow/scripts/intermodel/{name}" for name in ("study", "engine", "statistics")),
            *(f"workflow/scripts/intermodel/{name}.py" for name in ("store", "plotting")),
        ),
    ],
    ids=["layers", "style", "format", "rule-format", "types"],
)
def test_tools_find_nothing(command: tuple[str, ...]) -> None:
    result = run(*command)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.workflow
def test_the_workflow_engine_finds_nothing() -> None:
    result = run("snakemake", "--lint", "--configfile", str(TINY))
    assert result.returncode == 0, result.stdout + result.stderr


def imported(statements: str) -> list[str]:
    """Heavy packages that some import statements load."""
    program = f"import sys\n{statements}\nprint(*sorted(set({HEAVY}) & set(sys.modules)))"
    result = run("python", "-c", program)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def imports_of(text: str) -> str:
    """The lines of a file that import from the package, without their indentation."""
    return "\n".join(re.findall(r"(?m)^\s*((?:from intermodel\S* import [^\n(#]+)|(?:import intermodel\S*))", text))


def test_the_snakefile_imports_nothing_heavy() -> None:
    """Every job on a cluster parses the rules again."""
    statements = imports_of((ROOT / "rules" / "common.smk").read_text(encoding="utf-8"))
    assert "load_study" in statements
    assert imported(statements) == []
    assert imported("import scipy") == ["scipy"]


@pytest.mark.parametrize("script", OFTEN)
def test_jobs_that_run_often_start_with_arrays_alone(script: str) -> None:
    statements = imports_of((SCRIPTS / script).read_text(encoding="utf-8"))
    assert statements.count("import") >= 3
    assert imported(statements) == []


def test_jobs_start_in_isolation_and_inside_their_frame() -> None:
    for script in sorted(SCRIPTS.glob("*.py")):
        if script.name in COMMANDS:
            continue
        text = script.read_text(encoding="utf-8")
        statements = [line for line in text.splitlines() if line and not line.startswith(("#", '"""', " "))]
        assert statements[0].startswith("import intermodel.engine.isolate"), script.name
        assert "with job(snakemake.log[0], snakemake.output):" in text, script.name
        assert len(text.splitlines()) <= 40, f"{script.name} is longer than a paragraph"


def test_every_script_belongs_to_a_rule() -> None:
    rules = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "rules").glob("*.smk"))
    used = set(re.findall(r"scripts/(\w+\.py)", rules))
    assert used == {script.name for script in SCRIPTS.glob("*.py")} - COMMANDS
    # The digest that a rule carries is that of the script that it runs.
    for block in re.split(r"(?m)^\s*rule\b", rules)[1:]:
        script, code = re.search(r"scripts/(\w+\.py)", block), re.search(r"code_of\(\"(\w+\.py)\"", block)
        if script is not None:
            assert code is not None, f"the rule of {script[1]} needs code=code_of(...)"
            assert code[1] == script[1]


def test_rules_tell_what_they_cost_and_where_they_log() -> None:
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for block in re.split(r"(?m)^\s*rule\b", file.read_text(encoding="utf-8"))[1:]:
            if "script:" in block:
                for part in ("message:", "log:", "benchmark:", "threads:", "resources:", "conda:", "params:"):
                    assert re.search(rf"(?m)^\s*{part}", block), f"{file.name}: {part} is missing in\n{block[:200]}"
                # Both grow with the inputs and with every attempt.
                assert "mem_mb=growing(" in block, file.name
                assert "runtime=lasting(" in block, file.name


@pytest.mark.parametrize("name", CAPABILITIES)
def test_one_capability_has_one_name_everywhere(name: str) -> None:
    package = SCRIPTS / "intermodel" / name
    places = [ROOT / "rules" / f"{name}.smk", package / "__init__.py", ROOT / "envs" / f"{name}.yaml"]
    places += [ROOT / "docs" / f"{name}.md", ROOT / "tests" / name]
    assert [str(place.relative_to(ROOT)) for place in places if not place.exists()] == []
    assert re.search(rf"(?m)^rule {name}:", (ROOT / "rules" / f"{name}.smk").read_text(encoding="utf-8"))
    assert f'include: "rules/{name}.smk"' in (ROOT / "Snakefile").read_text(encoding="utf-8")


def test_every_module_serves_somebody() -> None:
    """No dead code: a module is run by a job, the Snakefile or a command, or is named by a page or a benchmark."""
    reached = {path for script in SCRIPTS.glob("*.py") for path in closure(script.name)}
    users = [ROOT / "rules" / "common.smk", *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.py")]
    named = {name for user in users for name in re.findall(r"intermodel(?:\.\w+)+", user.read_text(encoding="utf-8"))}
    for path in (SCRIPTS / "intermodel").rglob("*.py"):
        module = ".".join(path.relative_to(SCRIPTS).with_suffix("").parts)
        # A page may name a function of a module.
        if (
            module in named | {name.rpartition(".")[0] for name in named}
            or '__name__ == "__main__"' in path.read_text()
        ):
            reached |= module_closure(module)
    # Plain forms of a method, which the tests of the fast ones compare with.
    reached |= set((SCRIPTS / "intermodel").rglob("reference.py"))
    missed = set((SCRIPTS / "intermodel").rglob("*.py")) - reached
    assert sorted(str(path.relative_to(SCRIPTS)) for path in missed) == []


def module_closure(module: str) -> set[Path]:
    """Files that importing a module of the package can execute."""
    parts = module.split(".")
    base = SCRIPTS.joinpath(*parts)
    file = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
    parents = {
        init for length in range(1, len(parts)) if (init := SCRIPTS.joinpath(*parts[:length]) / "__init__.py").is_file()
    }
    return set(closure(str(file.relative_to(SCRIPTS)))) | parents

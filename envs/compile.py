"""Write the environments of the rules, ``envs/<name>.yaml``, with every pin of the lock file that they need.

    python envs/compile.py

Groups of requirements come from pyproject.toml, versions from requirements.lock. Run through `make lock`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ENVS = Path(__file__).resolve().parent
ROOT = ENVS.parent

# Groups of pyproject.toml that the rules of each capability need. Torch stands only where networks run.
ENVIRONMENTS = {
    "data": ("arrays", "images"),
    "data_torchvision": ("arrays", "images", "networks"),
    "training": ("arrays", "images", "networks", "training"),
    "features": ("arrays", "images", "networks", "compiled"),
    "concepts": ("arrays", "images", "statistics", "figures", "compiled"),
    "unit_matching": ("arrays", "statistics", "figures"),
    "clip_dissect": ("arrays", "images", "networks", "language", "statistics", "figures", "compiled"),
    "similarity": ("arrays", "statistics", "figures"),
    "probe": ("arrays", "statistics", "figures"),
    "quality": ("arrays", "images", "statistics", "figures"),
    "lce": ("arrays", "statistics", "figures"),
    "report": ("arrays", "images", "page"),
}

TEMPLATE = """\
# Made by envs/compile.py (make lock) out of the groups {groups}; not edited by hand.
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python=3.11.*
  - pip
  - pip:
{pins}
"""


def requirements(groups: tuple[str, ...]) -> list[str]:
    """Direct requirements of some groups of pyproject.toml."""
    with open(ROOT / "pyproject.toml", "rb") as file:
        known = tomllib.load(file)["project"]["optional-dependencies"]
    return sorted({requirement for group in groups for requirement in known[group]})


def locked() -> list[str]:
    """The pins of requirements.lock, ``name==version ; marker``, without digests and comments."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    return [line.removesuffix("\\").strip() for line in lines if re.match(r"[A-Za-z0-9]", line)]


def pins(groups: tuple[str, ...]) -> list[str]:
    """All pins that some groups need, direct or not."""
    with tempfile.TemporaryDirectory() as folder:
        constraints, wanted = Path(folder) / "constraints.txt", Path(folder) / "wanted.txt"
        constraints.write_text("\n".join(locked()), encoding="utf-8")
        wanted.write_text("\n".join(requirements(groups)), encoding="utf-8")
        result = subprocess.run(
            [
                *(Path(sys.executable).parent / "uv", "pip", "compile", wanted, "--constraints", constraints),
                *("--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url"),
                "--quiet",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        raise SystemExit(f"envs cannot be compiled from requirements.lock; run make lock.\n{result.stderr}")
    return [_parenthesised(line) for line in result.stdout.splitlines() if re.match(r"[A-Za-z0-9]", line)]


def _parenthesised(pin: str) -> str:
    """Put the marker of a pin into parentheses, so that no line ends with a quotation mark, which YAML would take."""
    requirement, _, marker = pin.partition(" ; ")
    return f"{requirement}; ({marker})" if marker else requirement


def main() -> None:
    """Write all environments; those that are no longer wanted are removed."""
    for old in ENVS.glob("*.yaml"):
        if old.stem not in ENVIRONMENTS:
            old.unlink()
    for name, groups in ENVIRONMENTS.items():
        text = TEMPLATE.format(groups=", ".join(groups), pins="\n".join(f"      - {pin}" for pin in pins(groups)))
        (ENVS / f"{name}.yaml").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""Layer names of the study's networks, found once by a process of its own, since the Snakefile never imports torch."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from intermodel.engine.plan import module_digest
from intermodel.engine.publish import publish
from intermodel.study.study import Study

SCRIPTS = Path(__file__).resolve().parents[2]
# As `python -m intermodel.models.layers`, without looking for garbage among imported modules (see `engine.job`).
COMMAND = """
import gc, sys
gc.set_threshold(200_000)
from intermodel.models.layers import main
code = main()
gc.freeze()
sys.exit(code)
"""


def known_layers(study: Study, cache: Path) -> dict[str, list[str] | str]:
    """Names of the modules of every network, or a sentence saying why it cannot be built.

    Answers are kept in the folder `cache`, one file per architecture and arguments, so that only what is new costs
    time (some 5 CPU seconds of imports). Without torch in this environment (a bare workflow engine on a cluster)
    nothing is answered: the extraction job then checks the layers itself.
    """
    wanted: dict[str, dict[str, Any]] = {
        name: {"architecture": model.architecture, "kwargs": model.kwargs, "python_path": model.python_path}
        for name, model in study.models.items()
    }
    files = {name: cache / f"{_digest(spec)}.json" for name, spec in wanted.items()}
    answers: dict[str, list[str] | str] = {
        name: json.loads(file.read_text(encoding="utf-8")) for name, file in files.items() if file.is_file()
    }
    missing = {name: spec for name, spec in wanted.items() if name not in answers}
    found = _ask(missing) if missing else {}
    for name, layers in found.items():
        # A sentence is not kept: what it complains about may lie outside the study, e.g. in the user's module.
        if not isinstance(layers, str):
            with publish(files[name]) as temporary:
                temporary.write_text(json.dumps(layers), encoding="utf-8")
    return answers | found


def _ask(specs: dict[str, dict[str, Any]]) -> dict[str, list[str] | str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "models.json"
        file.write_text(json.dumps(specs), encoding="utf-8")
        result = subprocess.run(
            [sys.executable, "-c", COMMAND, "--check", str(file)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(SCRIPTS), "OMP_NUM_THREADS": "1"},
            check=False,
        )
    if result.returncode != 0:
        if "No module named 'torch'" in result.stderr or "No module named 'timm'" in result.stderr:
            return {}
        raise RuntimeError(f"the layers of the networks could not be listed:\n{result.stderr}")
    found: dict[str, list[str] | str] = json.loads(result.stdout)
    return found


def _digest(spec: dict[str, Any]) -> str:
    """A name for the answer that changes with everything the answer depends on."""
    parts = [json.dumps(spec, sort_keys=True), module_digest(spec["architecture"], spec["python_path"])]
    for package in ("timm", "torch"):
        try:
            parts.append(version(package))
        except PackageNotFoundError:
            parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]

"""What a script may import: its own interpreter's packages and the project's, nothing of the workflow engine's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# Not found through the module: importing it would take the tests' own helpers off the search path.
SCRIPTS = Path(__file__).resolve().parents[2] / "workflow" / "scripts"


def test_packages_of_another_interpreter_are_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "leaked_package.py").write_text("")
    program = (
        "import sys\n"
        f"sys.path.append({str(tmp_path)!r})\n"
        "import leaked_package\n"
        "del sys.modules['leaked_package']\n"
        "import intermodel.engine.isolate\n"
        "import h5py, intermodel.engine.publish\n"
        "try:\n"
        "    import leaked_package\n"
        "except ModuleNotFoundError:\n"
        "    print('out of reach')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        cwd=tmp_path.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "out of reach\n"

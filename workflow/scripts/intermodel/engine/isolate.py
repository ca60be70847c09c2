"""Keep only this interpreter's own packages and the project's scripts on the module search path.

The workflow engine appends its own site-packages to the search path of every script, so that a package missing
from a rule's environment would silently come from the engine's. Importing this module first closes that door.
"""

import os
import sys
from pathlib import Path


def isolate() -> None:
    """Drop entries of `sys.path` that belong neither to this interpreter nor to the scripts."""
    own = [os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix)]
    scripts = str(Path(__file__).resolve().parents[2])

    def keep(entry: str) -> bool:
        folder = os.path.realpath(entry or ".")
        return folder == scripts or any(folder == prefix or folder.startswith(prefix + os.sep) for prefix in own)

    sys.path[:] = [entry for entry in sys.path if keep(entry)]


isolate()

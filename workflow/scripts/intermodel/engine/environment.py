"""Environment variables and the home folder in paths, e.g. ``${INTERMODEL_DATA}/camvid`` or ``~/camvid``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from intermodel.engine.errors import UserError

VARIABLE = re.compile(r"\$\{(\w+)\}")


def expand(value: Any) -> Any:
    """Replace ``${NAME}`` by the variable's value and a leading ``~/`` by the home folder.

    Parameters
    ----------
    value
        A string, or nested lists and dicts, of which every string is treated.

    Raises
    ------
    UserError
        If a variable is not set.
    """
    if isinstance(value, dict):
        return {key: expand(item) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if not found:
            raise UserError(
                f"{value!r} needs the environment variable {match[1]}, which is not set; "
                f"set it to the folder that is meant (export {match[1]}=/path/to/folder) and run again."
            )
        return found

    text = VARIABLE.sub(replace, value)
    return str(Path(text).expanduser()) if text.startswith("~/") else text

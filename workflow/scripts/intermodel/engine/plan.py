"""What the main process found on disk when the run began, frozen so that job processes see the same.

Jobs on a cluster parse the Snakefile again while files come and go. Whatever the rules depend on beside the study
(which layers exist, digests of data folders) is therefore looked up once, written to a file, and read back by them.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError
from intermodel.engine.publish import publish
from intermodel.engine.shards import FOLDER, shard_path, shard_paths

VARIABLE = "INTERMODEL_PLAN"
WEEK = 7 * 24 * 3600


def frozen_plan(
    folder: str | Path, is_main_process: bool, look: Callable[[], dict[str, Any]], name: str = ""
) -> dict[str, Any]:
    """Return the plan of this run: made by `look` in the main process, read back everywhere else.

    Parameters
    ----------
    folder
        Where plans are kept; those older than a week are removed.
    is_main_process
        Whether this process is the one that the user started.
    look
        Finds out the plan; its result must survive JSON.
    name
        Tells this plan from others of the same run, which may hold several studies as modules.
    """
    if not is_main_process and VARIABLE in os.environ:
        path = Path(os.environ[VARIABLE])
        if not path.is_file():
            raise UserError(
                f"{path}, the plan of this run, is gone or cannot be seen from here; jobs need the working folder on a "
                "file system that all machines share."
            )
        os.utime(path)  # a run may last longer than a week
        frozen: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))[name]
        return frozen
    plan = look()
    folder = Path(folder).resolve()
    path = folder / f"plan-{os.getpid()}.json"
    others = json.loads(path.read_text(encoding="utf-8")) if os.environ.get(VARIABLE) == str(path) else {}
    with publish(path) as temporary:
        temporary.write_text(json.dumps(others | {name: plan}, sort_keys=True), encoding="utf-8")
    os.environ[VARIABLE] = str(path)
    for old in folder.glob("plan-*.json"):
        with suppress(FileNotFoundError):  # another run may be tidying up as well
            if time.time() - old.stat().st_mtime > WEEK:
                old.unlink()
    return plan


def split_by_presence(paths: Sequence[str], present: set[str]) -> dict[str, list[str]]:
    """Divide the outputs of one forward pass into those on disk (``have``) and the others (``new``).

    Each part is a job of its own, so that asking for another layer leaves the records of the others as they are.
    Empty parts are left out.
    """
    parts = {
        "have": [path for path in paths if path in present],
        "new": [path for path in paths if path not in present],
    }
    return {kind: part for kind, part in parts.items() if part}


@dataclass(frozen=True)
class ExtractionJob:
    """One forward pass over the images of a shard: ``have`` or ``new`` (see `split_by_presence`), shard, files."""

    kind: str
    number: int
    count: int
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """What tells the job from others of its model and data set."""
        return self.kind if self.count == 1 else f"{self.kind}.{self.number}-of-{self.count}"


def extraction_jobs(
    files: Sequence[str], shards: int, made_of: Mapping[str, int], present: set[str]
) -> list[ExtractionJob]:
    """The forward passes that make the feature files of a model on a data set.

    Parameters
    ----------
    files
        The feature files.
    shards
        Number of shards that the study asks for.
    made_of
        Feature file on disk -> number of shards that it was made of, which it keeps.
    present
        Files that are on disk, those of shards included.
    """
    counts = {file: made_of.get(file, shards) for file in files}
    jobs = []
    for count in sorted(set(counts.values())):
        for number in range(1, count + 1):
            outputs = [shard_path(file, number, count) for file in files if counts[file] == count]
            parts = split_by_presence(outputs, present)
            jobs += [ExtractionJob(kind, number, count, tuple(part)) for kind, part in parts.items()]
    return jobs


def features_on_disk(files: Sequence[str], shards: int, origin: str) -> tuple[list[str], dict[str, int]]:
    """Which feature files of a model on a data set, or shards of them, are on disk; and of how many shards they are.

    Parameters
    ----------
    files
        The feature files.
    shards
        Number of shards that the study asks for.
    origin
        What the study would make them from.

    Returns
    -------
    list of str, dict
        The files that exist. Feature file -> number of shards, for finished files of this origin: they need not be
        made anew when the study asks for another number.
    """
    # Files are opened only where there can be shards.
    ever = shards > 1 or any((Path(file).parent / FOLDER).is_dir() for file in files[:1])
    made_of = {file: found for file in files if (found := shards_on_disk(file, origin))} if ever else {}
    paths = [path for file in files for path in [file, *shard_paths(file, made_of.get(file, shards))]]
    return [path for path in dict.fromkeys(paths) if Path(path).exists()], made_of


def shards_on_disk(path: str, origin: str | None = None) -> int | None:
    """Number of shards that a finished feature file was made of; None where there is none, or of another origin.

    Parameters
    ----------
    path
        The feature file.
    origin
        What the study would make it from now (the attribute `origin`); None: do not compare.
    """
    if not Path(path).is_file():
        return None
    import h5py

    with suppress(OSError), h5py.File(path, "r", locking=False) as file:
        if file.attrs.get("complete", False) and origin in (None, file.attrs.get("origin")):
            return len(json.loads(file.attrs["shards"])) if "shards" in file.attrs else 1
    return None


def module_digest(architecture: str, python_path: str | None) -> str:
    """Digest of the Python files behind an architecture of the user's own; empty for one of timm.

    The module (or package) in the folder `python_path` counts, and the modules beside it, which it may import.
    """
    if ":" not in architecture or python_path is None:
        return ""
    try:
        folder = Path(expand(python_path))
    except UserError:
        return ""
    package = folder / architecture.partition(":")[0].partition(".")[0]
    files = sorted({*folder.glob("*.py"), *package.rglob("*.py")})
    return text_digest(*(text for file in files for text in (str(file.relative_to(folder)), file.read_text("utf-8"))))


def text_digest(*texts: str) -> str:
    """A short text that changes with any of these, and with their order."""
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def file_digest(path: str | Path, memory: str | Path) -> str:
    """SHA-256 of a file's bytes, which are read again only when its size or date differs from what `memory` tells.

    Parameters
    ----------
    path
        The file.
    memory
        A JSON file of what is known already; made where it is missing, and safe to delete.
    """
    path, memory = Path(path), Path(memory)
    status = path.stat()
    name, state = str(path.resolve()), f"{status.st_size} {status.st_mtime_ns}"
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    if known.get(name, {}).get("state") != state:
        with open(path, "rb") as file:
            known[name] = {"state": state, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
        memory.parent.mkdir(parents=True, exist_ok=True)
        with publish(memory) as temporary:
            temporary.write_text(json.dumps(known), encoding="utf-8")
    return str(known[name]["sha256"])

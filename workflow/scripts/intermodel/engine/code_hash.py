"""A digest of the code that a script runs, blind to comments, docstrings and formatting.

The workflow engine compares the modification time of scripts, which a fresh clone or a branch switch changes and an
edit of an imported module does not. Rules carry this digest as a parameter instead.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).resolve().parents[2]
PACKAGE = "intermodel"
# Files of the package that are no code but are read by it.
DATA = {".css", ".csv", ".html", ".j2", ".js", ".json", ".txt"}
# Files that are remembered at most.
LARGEST = 2000


class Facts(NamedTuple):
    """What is known of a file: a digest of its syntax tree, and the full names of all that it imports."""

    tree: str
    imports: list[str]


# Facts by digest of a file's name and bytes; kept on disk once `remember` has named a file.
_known: dict[str, Facts] = {}
_memory: Path | None = None


def remember(file: str | Path) -> None:
    """Keep what is known of every source file in `file`, so that the next process parses only what is new.

    Parsing the package takes a second, reading it some milliseconds. Entries are found by the bytes of the source, so
    the file is never wrong, only incomplete; it may be deleted at any time.
    """
    global _memory
    _memory = Path(file)
    try:
        content = json.loads(_memory.read_text(encoding="utf-8"))
        _known.update({key: Facts(tree, imports) for key, (tree, imports) in content.items()})
    except (OSError, ValueError):
        pass


@cache
def code_of(script: str, scripts: Path = SCRIPTS) -> str:
    """Digest of `script` and of every module of the package that it imports, directly or not.

    Templates, style sheets and tables that lie beside such a module count with all their bytes.

    Returns
    -------
    str
        ``"<script>:<16 hex digits>"``, equal as long as the source that can change behaviour is equal.
    """
    number = len(_known)
    digest = hashlib.sha256()
    files = closure(script, scripts)
    for path in files:
        digest.update(f"{path.relative_to(scripts)}\0{_facts(path, scripts).tree}\0".encode())
    folders = sorted({path.parent for path in files} - {scripts})
    for path in sorted(file for folder in folders for file in folder.iterdir() if file.suffix in DATA):
        digest.update(str(path.relative_to(scripts)).encode() + b"\0" + path.read_bytes())
    if _memory is not None and len(_known) > number:
        _write(_memory)
    return f"{script}:{digest.hexdigest()[:16]}"


def content_of(paths: Iterable[Path]) -> str:
    """Digest of the names and contents of files that are not Python, e.g. templates and captions."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def closure(script: str, scripts: Path = SCRIPTS) -> list[Path]:
    """Files of the package that `script` can execute, itself included, sorted."""
    seen: set[Path] = set()
    todo = [scripts / script]
    while todo:
        path = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _facts(path, scripts).imports:
            parts = name.split(".")
            if parts[0] == PACKAGE:
                # Parent packages are executed too.
                files = (_file(".".join(parts[:length]), scripts) for length in range(1, len(parts) + 1))
                todo += [file for file in files if file is not None]
    return sorted(seen)


def imported_packages(script: str, scripts: Path = SCRIPTS) -> set[str]:
    """Top-level names of everything that `script` and its modules import outside the package, also in functions."""
    files = closure(script, scripts)
    names = {name.partition(".")[0] for path in files for name in _facts(path, scripts).imports}
    return names - {PACKAGE}


@cache
def _file(module: str, scripts: Path) -> Path | None:
    base = scripts.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def _facts(path: Path, scripts: Path) -> Facts:
    content, name = path.read_bytes(), str(path.relative_to(scripts))
    # The dump of a syntax tree is particular to a version of Python.
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(f"{version}\0{name}\0".encode() + content).hexdigest()
    if key not in _known:
        tree = _without_docstrings(ast.parse(content, name))
        dump = hashlib.sha256(ast.dump(tree, include_attributes=False).encode()).hexdigest()
        parts = list(path.relative_to(scripts).with_suffix("").parts)
        package = parts[:-1]  # of a module as of the __init__ of a package
        _known[key] = Facts(dump, sorted(set(_imports(tree, package))))
    return _known[key]


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or ([] if isinstance(node, ast.Module) else [ast.Pass()])
    return tree


def _imports(tree: ast.AST, package: list[str]) -> Iterator[str]:
    """Full names of imported modules, and of imported names, since each of these may be a module."""
    for node in _executed(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package[: len(package) - (node.level - 1)]
                base = ".".join([*parts, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All statements but those below ``if TYPE_CHECKING:``, which no interpreter runs."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for other in child.orelse:
                yield from _executed(other)
        elif not isinstance(child, ast.expr):  # no expression holds an import
            yield from _executed(child)


def _write(file: Path) -> None:
    """Replace the memory as a whole; another process may be reading it."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # What was learned last comes last; the oldest entries are those of code long gone.
        temporary.write_text(json.dumps(dict(list(_known.items())[-LARGEST:])), encoding="utf-8")
        temporary.replace(file)
    except OSError:  # a folder that cannot be written costs time, nothing else
        temporary.unlink(missing_ok=True)

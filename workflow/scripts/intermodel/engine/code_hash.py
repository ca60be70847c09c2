"""A digest of the code that a script runs, blind to comments, docstrings and formatting.

The workflow engine compares the modification time of scripts, which a fresh clone or a branch switch changes and an
edit of an imported module does not. Rules carry this digest as a parameter instead.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[2]
PACKAGE = "intermodel"
# Files of the package that are no code but are read by it.
DATA = {".css", ".csv", ".html", ".j2", ".js", ".json", ".txt"}


@cache
def code_of(script: str, scripts: Path = SCRIPTS) -> str:
    """Digest of `script` and of every module of the package that it imports, directly or not.

    Templates, style sheets and tables that lie beside such a module count with all their bytes.

    Returns
    -------
    str
        ``"<script>:<16 hex digits>"``, equal as long as the source that can change behaviour is equal.
    """
    digest = hashlib.sha256()
    files = closure(script, scripts)
    for path in files:
        digest.update(str(path.relative_to(scripts)).encode() + b"\0" + _dump(path))
    folders = sorted({path.parent for path in files} - {scripts})
    for path in sorted(file for folder in folders for file in folder.iterdir() if file.suffix in DATA):
        digest.update(str(path.relative_to(scripts)).encode() + b"\0" + path.read_bytes())
    return f"{script}:{digest.hexdigest()[:16]}"


def closure(script: str, scripts: Path = SCRIPTS) -> list[Path]:
    """Files of the package that `script` can execute, itself included, sorted."""
    seen: set[Path] = set()
    todo: list[tuple[Path, str, bool]] = [(scripts / script, "__main__", False)]
    while todo:
        path, module, is_package = todo.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _imports(path, module, is_package):
            parts = name.split(".")
            if parts[0] != PACKAGE:
                continue
            # Parent packages are executed too.
            for length in range(1, len(parts) + 1):
                file = _file(".".join(parts[:length]), scripts)
                if file is not None:
                    todo.append((file, ".".join(parts[:length]), file.name == "__init__.py"))
    return sorted(seen)


def imported_packages(script: str, scripts: Path = SCRIPTS) -> set[str]:
    """Top-level names of everything that `script` and its modules import outside the package, also in functions."""
    names: set[str] = set()
    for path in closure(script, scripts):
        module = ".".join(path.relative_to(scripts).with_suffix("").parts)
        names.update(name.split(".")[0] for name in _imports(path, module, path.name == "__init__.py"))
    return names - {PACKAGE}


def _file(module: str, scripts: Path) -> Path | None:
    base = scripts.joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


@cache
def _parse(path: Path) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
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


@cache
def _dump(path: Path) -> bytes:
    return ast.dump(_parse(path), include_attributes=False).encode()


def _imports(path: Path, module: str, is_package: bool) -> Iterator[str]:
    for node in _executed(_parse(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".") if is_package else module.split(".")[:-1]
                parts = parts[: len(parts) - (node.level - 1)]
                base = ".".join(parts + ([node.module] if node.module else []))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below ``if TYPE_CHECKING:``, which no interpreter runs."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            for other in child.orelse:
                yield from _executed(other)
        else:
            yield from _executed(child)


def content_of(paths: Iterable[Path]) -> str:
    """Digest of the names and contents of files that are not Python, e.g. templates and captions."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]

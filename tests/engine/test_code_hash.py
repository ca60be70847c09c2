"""The digest of a script's code: blind to what changes no behaviour, sharp for what does."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intermodel.engine import code_hash
from intermodel.engine.code_hash import closure, code_of, content_of, imported_packages

FILES = {
    "tally.py": "from intermodel.concepts.tally import tally\n\ntally(2)\n",
    "pair.py": "import intermodel.similarity as similarity\n\nsimilarity.compare()\n",
    "intermodel/__init__.py": '"""The package."""\n',
    "intermodel/store.py": "import h5py\n\n\ndef read():\n    return h5py\n",
    "intermodel/concepts/__init__.py": "",
    "intermodel/concepts/tally.py": (
        '"""Tally."""\n\nfrom __future__ import annotations\nfrom typing import TYPE_CHECKING\n\n'
        "from .counts import count\n\nif TYPE_CHECKING:\n    from intermodel.unused import Type\n    import torch\n\n\n"
        "def tally(k: int) -> int:\n    return count(k)\n"
    ),
    "intermodel/concepts/counts.py": "def count(k):\n    from intermodel import store\n\n    return k + 1\n",
    "intermodel/concepts/table.csv": "1,2\n",
    "intermodel/similarity/__init__.py": "from intermodel.similarity.compare import compare\n",
    "intermodel/similarity/compare.py": "import numpy.linalg\n\n\ndef compare():\n    return 1\n",
    "intermodel/unused.py": "Type = int\n",
}


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    forget()
    return tmp_path


def forget() -> None:
    """Digests are remembered for the life of a process; edits happen between processes."""
    for function in (code_hash.code_of, code_hash._facts, code_hash._file):
        function.cache_clear()
    code_hash._known.clear()


def digest(scripts: Path, script: str = "tally.py") -> str:
    forget()
    return code_of(script, scripts)


def edit(scripts: Path, name: str, old: str, new: str) -> None:
    text = (scripts / name).read_text()
    assert old in text
    (scripts / name).write_text(text.replace(old, new, 1))


def test_the_closure_follows_imports_of_every_kind(scripts: Path) -> None:
    """Absolute, relative, inside functions, parents; not those for type checkers alone."""
    assert [str(path.relative_to(scripts)) for path in closure("tally.py", scripts)] == [
        "intermodel/__init__.py",
        "intermodel/concepts/__init__.py",
        "intermodel/concepts/counts.py",
        "intermodel/concepts/tally.py",
        "intermodel/store.py",
        "tally.py",
    ]
    assert imported_packages("tally.py", scripts) == {"__future__", "typing", "h5py"}
    assert imported_packages("pair.py", scripts) == {"numpy"}


def test_the_digest_names_the_script(scripts: Path) -> None:
    name, _, hexadecimal = digest(scripts).partition(":")
    assert name == "tally.py"
    assert len(hexadecimal) == 16
    assert int(hexadecimal, 16) >= 0
    assert digest(scripts) != digest(scripts, "pair.py")


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("tally.py", "tally(2)", "tally(2)  # twice"),
        ("intermodel/concepts/tally.py", '"""Tally."""', '"""Tally, explained anew."""'),
        ("intermodel/concepts/tally.py", "-> int:\n", '-> int:\n    """Now with a docstring."""\n'),
        ("intermodel/concepts/counts.py", "return k + 1", "return (\n        k + 1\n    )"),
        ("intermodel/__init__.py", '"""The package."""', ""),
        ("intermodel/unused.py", "Type = int", "Type = str"),
        ("intermodel/similarity/compare.py", "return 1", "return 2"),
    ],
)
def test_edits_that_change_nothing_are_not_seen(scripts: Path, name: str, old: str, new: str) -> None:
    before = digest(scripts)
    edit(scripts, name, old, new)
    assert digest(scripts) == before


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("tally.py", "tally(2)", "tally(3)"),
        ("intermodel/concepts/tally.py", "count(k)", "count(k) + 1"),
        ("intermodel/concepts/tally.py", "k: int", "k: int = 3"),
        ("intermodel/concepts/counts.py", "k + 1", "k - 1"),
        ("intermodel/store.py", "return h5py", "return None"),
        ("intermodel/concepts/__init__.py", "", "FACTOR = 2\n"),
        ("intermodel/concepts/table.csv", "1,2", "1,3"),
        ("intermodel/concepts/counts.py", "from intermodel import store", "from intermodel import unused"),
    ],
)
def test_edits_of_statements_are_seen(scripts: Path, name: str, old: str, new: str) -> None:
    before, other = digest(scripts), digest(scripts, "pair.py")
    edit(scripts, name, old, new)
    assert digest(scripts) != before
    assert digest(scripts, "pair.py") == other
    edit(scripts, name, new, old)
    assert digest(scripts) == before


def test_a_string_that_is_no_docstring_counts(scripts: Path) -> None:
    edit(scripts, "intermodel/store.py", "return h5py", 'return "a"')
    before = digest(scripts)
    edit(scripts, "intermodel/store.py", '"a"', '"b"')
    assert digest(scripts) != before


def test_files_do_not_depend_on_where_the_project_lies(scripts: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("clone")
    for name, text in FILES.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(text)
    assert digest(scripts) == digest(other)


@settings(deadline=None, max_examples=30)
@given(st.integers(-99, 99), st.integers(-99, 99), st.text(st.characters(categories=["L", "N", "Zs"]), max_size=20))
def test_digests_differ_exactly_when_values_do(
    tmp_path_factory: pytest.TempPathFactory, first: int, second: int, comment: str
) -> None:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "script.py").write_text(f"x = {first}\n")
    before = digest(folder, "script.py")
    (folder / "script.py").write_text(f"\n\nx  =  {second}  # {comment}\n", encoding="utf-8")
    assert (digest(folder, "script.py") == before) == (first == second)


def test_the_memory_changes_nothing_but_the_time(
    scripts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_hash, "_memory", None)
    memory = tmp_path / "state" / "code.json"
    before = digest(scripts)
    edit(scripts, "intermodel/store.py", "return h5py", "return None")
    after = digest(scripts)

    def remembered() -> str:
        forget()
        code_hash.remember(memory)
        return code_of("tally.py", scripts)

    assert remembered() == after
    assert list(memory.parent.iterdir()) == [memory]

    def fail(tree: object) -> None:
        raise AssertionError("parsed what was remembered")

    monkeypatch.setattr(code_hash, "_without_docstrings", fail)
    assert remembered() == after
    monkeypatch.undo()
    edit(scripts, "intermodel/store.py", "return None", "return h5py")
    assert remembered() == before
    memory.write_text("{half a fi")
    assert remembered() == before
    monkeypatch.setattr(code_hash, "_memory", None)


def test_contents_of_other_files(tmp_path: Path) -> None:
    files = [tmp_path / "b.css", tmp_path / "a.rst"]
    for file in files:
        file.write_text(file.name)
    before = content_of(files)
    assert content_of(reversed(files)) == before
    files[0].write_text("changed")
    assert content_of(files) != before

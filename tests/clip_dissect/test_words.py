"""Lists of words."""

from __future__ import annotations

from pathlib import Path

import pytest
from intermodel.clip_dissect.words import read_words
from intermodel.engine.errors import UserError


def test_lines_of_a_file_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("\ufeffsky\n\n polka dots \nsky\r\ntree\n", encoding="utf-8")
    assert read_words(str(file)) == ["sky", "polka dots", "tree"]
    assert read_words(["b", "a", "b"]) == ["b", "a"]


def test_what_is_no_list_of_words(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("sky\n\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"one\.txt holds 1 words, expected at least two"):
        read_words(str(tmp_path / "one.txt"))
    with pytest.raises(UserError, match=r"analyses\.clip_dissect\.words: .*binary\.txt cannot be read"):
        read_words(str(tmp_path / "binary.txt"))
    with pytest.raises(UserError, match=r"none\.txt cannot be read"):
        read_words(str(tmp_path / "none.txt"))

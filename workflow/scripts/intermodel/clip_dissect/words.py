"""The words that units may be named by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError


def read_words(words: str | Sequence[str]) -> list[str]:
    """The words of a list, or of a text file with one in each line; blank lines and repetitions are left out.

    Raises
    ------
    UserError
        If the file cannot be read, or fewer than two words are left.
    """
    where = "analyses.clip_dissect.words"
    if isinstance(words, str):
        path = Path(expand(words))
        try:
            lines: Sequence[str] = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                f"{where}: {path} cannot be read ({error}); expected a text file in UTF-8 with one word in each line."
            ) from error
        where = str(path)
    else:
        lines = words
    found = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if len(found) < 2:
        raise UserError(f"{where} holds {len(found)} words, expected at least two to choose from, one in each line.")
    return found

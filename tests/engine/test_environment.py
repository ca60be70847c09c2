"""Environment variables and the home folder in paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intermodel.engine.device import gpus_wanted
from intermodel.engine.environment import expand
from intermodel.engine.errors import UserError


def test_variables_are_filled_in_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERMODEL_A", "/data")
    monkeypatch.setenv("INTERMODEL_B", "x")
    assert expand("${INTERMODEL_A}/${INTERMODEL_B}.pth") == "/data/x.pth"
    assert expand({"path": ["${INTERMODEL_A}", 3, None, {"deep": "${INTERMODEL_B}"}]}) == {
        "path": ["/data", 3, None, {"deep": "x"}]
    }


def test_the_home_folder_is_filled_in_at_the_start_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert expand("~/weights.pth") == "/home/me/weights.pth"
    assert expand("a~/b") == "a~/b"
    assert expand("~") == "~"


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_a_sentence(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    if value is None:
        monkeypatch.delenv("INTERMODEL_A", raising=False)
    else:
        monkeypatch.setenv("INTERMODEL_A", value)
    with pytest.raises(UserError, match="needs the environment variable INTERMODEL_A, which is not set"):
        expand(["${INTERMODEL_A}/x"])


@given(st.text(st.characters(exclude_characters="$~")))
def test_other_text_is_left_alone(text: str) -> None:
    assert expand(text) == text


def test_gpus_are_asked_for_where_they_can_be_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpus_wanted("cpu") == 0
    assert gpus_wanted("cuda") == 1
    for found, wanted in (([], 0), ([Path("/dev/nvidia0")], 1)):
        monkeypatch.setattr(Path, "glob", lambda folder, pattern, found=found: iter(found))
        assert gpus_wanted("auto") == wanted

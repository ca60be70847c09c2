"""The reference of the keys is the schema's: the page and the JSON schema in config/ are up to date."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from intermodel.study import load_study, schema
from intermodel.study.document import BEGIN, END, json_schema, sections, tables, with_tables

CONFIG = Path(__file__).resolve().parents[2] / "config"
HINT = "run `make document` and commit the result"


def test_the_page_is_up_to_date() -> None:
    page = (CONFIG / "README.md").read_text(encoding="utf-8")
    assert with_tables(page, json_schema()) == page, HINT


def test_the_schema_for_editors_is_up_to_date() -> None:
    assert json.loads((CONFIG / "schema.json").read_text(encoding="utf-8")) == json_schema(), HINT


def test_every_key_is_explained_once() -> None:
    rows = [(section.path, section.source, row) for section in sections(json_schema()) for row in section.rows]
    assert len({(path, source, row[0]) for path, source, row in rows}) == len(rows)
    for path, _, (key, kind, default, meaning) in rows:
        assert kind, (path, key)
        assert default, (path, key)
        assert meaning.endswith((".", "…")), key
    assert len(rows) > 120


def test_a_page_keeps_what_is_written_by_hand() -> None:
    page = with_tables(f"before\n{BEGIN}\nof yesterday\n{END}\nafter\n", json_schema())
    assert page.startswith(f"before\n{BEGIN}\n\n### The study\n")
    assert page.endswith(f"\n\n{END}\nafter\n")
    assert "of yesterday" not in page
    assert tables(json_schema()) in page
    with pytest.raises(ValueError, match="lacks the markers"):
        with_tables("no markers", json_schema())


def test_tables_are_well_formed() -> None:
    for line in tables(json_schema()).splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line


def test_studies_satisfy_the_schema_for_editors() -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    for file in [CONFIG / "study.yaml", *sorted((CONFIG / "examples").glob("*.yaml"))]:
        assert list(validator.iter_errors(yaml.safe_load(file.read_text(encoding="utf-8")))) == [], file
    assert list(validator.iter_errors({"name": "x", "modles": {}})) != []


def test_the_minimal_study_of_the_page_is_right(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (CONFIG / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert found is not None
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    (tmp_path / "photos" / "cat" / "1.jpg").touch()
    study = load_study(yaml.safe_load(found[1]))
    assert study.datasets_for("probe") == ["photos"]
    assert study.controls == ["resnet-untrained"]


def test_descriptions_are_given_for_every_part() -> None:
    for section in sections(json_schema()):
        assert section.about, section.path
    assert schema.StudyKeys.__doc__

"""The reference of a study's keys, written from the schema: ``python -m intermodel.study.document``.

Writes ``config/schema.json``, which editors read, and the tables of ``config/README.md``, between two markers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intermodel.study.schema import StudyKeys

CONFIG = Path(__file__).resolve().parents[4] / "config"
BEGIN = "<!-- The tables below are made by `make document`; not edited by hand. -->"
END = "<!-- End of the tables. -->"

Schema = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """Keys that stand together: where, what they are about, and one row (key, type, default, meaning) for each."""

    path: str
    source: str
    about: str
    rows: tuple[tuple[str, str, str, str], ...]


def json_schema() -> Schema:
    """The schema of a study for editors and other programs (JSON Schema, draft 2020-12)."""
    schema = StudyKeys.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "intermodel study"}


def sections(schema: Schema) -> list[Section]:
    """All keys, part by part, in the order of a study file."""
    return list(_sections(schema, schema, "", ""))


def _sections(part: Schema, schema: Schema, path: str, source: str, leave_out: frozenset[str] = frozenset()) -> Any:
    properties = {key: value for key, value in part["properties"].items() if key not in leave_out}
    required = part.get("required", [])
    rows = tuple(_row(key, value, key in required) for key, value in properties.items())
    yield Section(path, source, part.get("description", ""), rows)
    for key, value in properties.items():
        parts = [_find(reference, schema) for reference in _references(value)]
        below = f"{path}.{key}" if path else key
        if value.get("additionalProperties"):
            below += ".<name>"
        if len(parts) == 1:
            yield from _sections(parts[0], schema, below, "")
        elif parts:
            yield from _choices(parts, schema, below)


def _choices(parts: list[Schema], schema: Schema, path: str) -> Iterator[Section]:
    """Parts of which `source` chooses one; the keys that all of them share come first."""
    first = parts[0]["properties"]
    shared = [key for key, value in first.items() if all(part["properties"].get(key) == value for part in parts)]
    if shared:
        common = {"properties": {key: first[key] for key in shared}, "description": "Keys of every source."}
        yield from _sections(common, schema, path, "")
    for part in parts:
        source = part["properties"]["source"]["const"]
        yield from _sections(part, schema, path, source, frozenset([*shared, "source"]))


def _row(key: str, value: Schema, required: bool) -> tuple[str, str, str, str]:
    if required:
        default = "required"
    elif _references(value):
        default = "see below"
    else:
        default = f"`{_yaml(value.get('default'))}`"
    return f"`{key}`", _type(value), default, value.get("description", "")


def _type(value: Schema) -> str:
    """The type of a value in words, bounds included."""
    if value.get("type") == "null":
        return ""
    for union in ("anyOf", "oneOf"):
        if union in value:
            return " or ".join(dict.fromkeys(text for option in value[union] if (text := _type(option))))
    if "$ref" in value:
        return "keys and values"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{choice}`" for choice in value["enum"])
    if value.get("type") == "array":
        items = _type(value.get("items", {}))
        for singular in ("whole number", "number"):
            if items.startswith(singular):
                items = items.replace(singular, f"{singular}s", 1)
                break
        return f"list of {items}"
    if value.get("type") == "object":
        inner = value.get("additionalProperties")
        if not isinstance(inner, dict):
            return "keys and values"
        return f"names and, for each, {_type(inner)}"
    if "pattern" in value:
        return "64 hexadecimal digits" if value["pattern"] == "^[0-9a-f]{64}$" else f"text like {value['pattern']}"
    name = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
    return name.get(value.get("type", ""), "any value") + _bounds(value)


def _bounds(value: Schema) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {value[key]:g}" for key, sign in signs.items() if key in value]
    if "multipleOf" in value:
        bounds.append(f"a multiple of {value['multipleOf']}")
    return f" {', '.join(bounds)}" if bounds else ""


def _references(value: Schema) -> list[str]:
    """Names of the parts that a value may consist of."""
    if "$ref" in value:
        return [value["$ref"].rpartition("/")[2]]
    inner: list[Schema] = [*value.get("anyOf", []), *value.get("oneOf", [])]
    for key in ("items", "additionalProperties"):
        if isinstance(value.get(key), dict):
            inner.append(value[key])
    return [name for option in inner for name in _references(option)]


def _find(name: str, schema: Schema) -> Schema:
    part: Schema = schema["$defs"][name]
    return part


def _yaml(value: Any) -> str:
    """A default as it would stand in a study file."""
    if isinstance(value, str):
        return value or '""'
    return json.dumps(value)


def tables(schema: Schema) -> str:
    """All keys as Markdown."""
    lines = []
    for section in sections(schema):
        heading = f"`{section.path}`" if section.path else "The study"
        lines += [f"### {heading}{f', source `{section.source}`' if section.source else ''}", "", section.about, ""]
        if section.rows:
            lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
            lines += ["| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in section.rows]
            lines.append("")
    return "\n".join(lines).strip()


def _escaped(cell: str) -> str:
    """A cell of a Markdown table; outside code, < would begin a tag."""
    cell = cell.replace("|", "\\|")
    return cell if cell.startswith("`") else cell.replace("<", "&lt;")


def with_tables(text: str, schema: Schema) -> str:
    """A page with everything between the two markers replaced by the tables."""
    before, _, rest = text.partition(BEGIN)
    _, marker, after = rest.partition(END)
    if not marker:
        raise ValueError(f"the page lacks the markers {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{tables(schema)}\n\n{END}{after}"


def main() -> None:
    """Write both files."""
    schema = json_schema()
    readme = CONFIG / "README.md"
    readme.write_text(with_tables(readme.read_text(encoding="utf-8"), schema), encoding="utf-8")
    text = json.dumps(schema, indent=2, ensure_ascii=False)
    (CONFIG / "schema.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

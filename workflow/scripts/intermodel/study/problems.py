"""Problems of a study, each told in one line: where, what was found, what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from intermodel.engine.errors import UserError

# What pydantic's kinds of error expected, in the user's words.
TYPES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
}
BOUNDS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "multiple_of": ("multiple_of", "a multiple of {}"),
}
PATTERNS = {"^[0-9a-f]{64}$": "64 hexadecimal digits, as sha256sum prints them"}

# Words of other programs for what has another name here; they resemble nothing that is valid, or the wrong thing.
MEANT = {
    "gpu": "cuda",
    "imagefolder": "folder",
    "masks": "segmentation",
    "npz": "arrays",
    "hdf5": "arrays",
    "timm": "pretrained",
    "hub": "pretrained",
    "file": "checkpoint",
    "untrained": "random",
    "adam": "adamw",
}


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: the key's path, and a sentence."""

    path: str
    message: str

    def __str__(self) -> str:
        # Whatever a key holds, its problem stays one line.
        path = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in self.path)
        return f"{path}: {self.message}"


class StudyError(UserError):
    """All problems of a study at once, one line each."""

    def __init__(self, problems: Iterable[Problem], source: str) -> None:
        self.problems = sorted(set(problems))
        count = len(self.problems)
        heading = f"{source}: {count} problem{'s' if count != 1 else ''}"
        super().__init__("\n".join([heading, *(f"  {problem}" for problem in self.problems)]))


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the valid name that `word` resembles, or the list of valid names when it resembles none."""
    names = [str(name) for name in known]
    if MEANT.get(str(word).lower()) in names:
        return f"did you mean {MEANT[str(word).lower()]!r}?"
    close = difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"known are: {shown}" if names else "none is known"


def dotted(location: Sequence[str | int]) -> str:
    """The path of a key as the user would write it: ``models.resnet.layers[0]``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "study"


def from_validation(error: ValidationError, model: type[BaseModel], raw: Any) -> list[Problem]:
    """Translate pydantic's errors; the input is consulted so that paths are those of the user's file."""
    problems: list[Problem] = []
    # A value that may have one of several types fails once for each of them: these failures are one problem.
    groups: dict[tuple[str | int, ...], list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        groups.setdefault(tuple(_without_tags(detail["loc"], raw)), []).append(detail)
    for location, details in groups.items():
        inside = any(other != location and other[: len(location)] == location for other in groups)
        wrong_type = all(detail["type"] in TYPES or detail["type"] == "literal_error" for detail in details)
        if inside and wrong_type:
            continue
        problems.append(_translate(location, details, model))
    return problems


def _translate(location: tuple[str | int, ...], details: list[ErrorDetails], model: type[BaseModel]) -> Problem:
    detail = details[0]
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    path = dotted(location)
    if kind == "extra_forbidden":
        return Problem(path, f"unknown key; {_hint_at_key(str(location[-1]), model, detail['loc'][:-1])}")
    if kind == "missing":
        return Problem(path, "is missing; it must be given")
    if detail["loc"] and detail["loc"][-1] == "[key]":
        remedy = "put it into quotes" if isinstance(found, bool) else "let it begin with a letter"
        path = dotted([*location[:-1], _short(found)])
        return Problem(path, f"found the name {_short(found)}, expected text; {remedy}")
    if kind in ("union_tag_not_found", "union_tag_invalid"):
        tag = str(context.get("discriminator", "source")).strip("'")
        if kind == "union_tag_not_found":
            known = [str(name) for candidate in _models_at(model, detail["loc"]) if (name := _tag(candidate))]
            return Problem(f"{path}.{tag}", f"is missing; it says which other keys apply, one of {', '.join(known)}")
        known = [name.strip(" '") for name in str(context.get("expected_tags", "")).split(",")]
        return Problem(f"{path}.{tag}", f"found {context.get('tag')!r}; {nearest(str(context.get('tag')), known)}")
    # A value of one of the right types says more by its bounds than by the types that it does not have.
    bounded = [other for other in details if other["type"] in BOUNDS] or details
    expected = list(dict.fromkeys(_expected(other) for other in bounded))
    hint = next((text for other in bounded if (text := _hint_at_value(other, alone=len(expected) == 1))), "")
    return Problem(path, f"found {_short(found)}, expected {' or '.join(expected)}{hint}")


def _expected(detail: ErrorDetails) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in TYPES:
        return TYPES[kind]
    if kind in BOUNDS:
        key, text = BOUNDS[kind]
        return text.format(f"{context[key]:g}")
    if kind == "literal_error":
        names = _literals(detail)
        return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    if kind in ("too_short", "too_long"):
        bound = int(context.get("min_length", context.get("max_length", 0)))
        what = f"{bound} {'entry' if bound == 1 else 'entries'}"
        return f"at {'least' if kind == 'too_short' else 'most'} {what}"
    if kind == "string_too_short":
        return "some text"
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return PATTERNS.get(pattern, f"text that matches {pattern}")
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return message[0].lower() + message[1:]


def _hint_at_value(detail: ErrorDetails, alone: bool) -> str:
    kind, found = detail["type"], detail["input"]
    if found is None:
        return "; fill it in, or leave the key out where it has a default"
    if kind == "literal_error" and isinstance(found, str):
        names = _literals(detail)
        hint = nearest(found, names)
        return f"; {hint}" if hint.startswith("did you mean") else ""
    if kind == "list_type" and alone and isinstance(found, str | int | float):
        return f"; write [{found}]"
    if kind in ("float_type", "int_type") and isinstance(found, str):
        try:
            number = float(found)
        except ValueError:
            return ""
        # YAML takes 1e-3 for text, since it has no decimal point.
        return f"; write {number!r}" if "e" in found.lower() else "; remove the quotes"
    return ""


def _literals(detail: ErrorDetails) -> list[str]:
    expected = str(detail.get("ctx", {}).get("expected", ""))
    return [name.strip(" '") for name in expected.replace(" or ", ",").split(",")]


def _without_tags(location: Sequence[str | int], raw: Any) -> list[str | int]:
    """Drop what pydantic adds to a path for unions: parts that are not keys of the user's file."""
    parts: list[str | int] = []
    here = raw
    for position, part in enumerate(location):
        if isinstance(here, dict):
            if part in here:
                here = here[part]
            elif position != len(location) - 1 or part == "[key]":
                continue
            part = str(part)  # a name that YAML takes for a number
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            continue
        parts.append(part)
    return parts


def _hint_at_key(key: str, model: type[BaseModel], location: Sequence[str | int]) -> str:
    """The valid key that an unknown one resembles, or the part that it belongs to, or all valid keys."""
    candidates = _models_at(model, location)
    known = sorted({name for candidate in candidates for name in candidate.model_fields})
    hint = nearest(key, known)
    if hint.startswith("did you mean"):
        return hint
    for candidate in candidates:
        for name, field in candidate.model_fields.items():
            if any(key in part.model_fields for part in _parts(field.annotation)):
                return f"it belongs under {name!r}"
    return hint


def _models_at(annotation: Any, location: Sequence[str | int]) -> list[type[BaseModel]]:
    """The parts of the schema that may stand at a location, seen from the type `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not location:
            return [annotation]
        first, rest = location[0], location[1:]
        if first == _tag(annotation):
            return _models_at(annotation, rest)
        field = annotation.model_fields.get(str(first))
        return [] if field is None else _models_at(field.annotation, rest)
    if get_origin(annotation) in (dict, list):
        # The next part is the name, or the position, of an entry.
        return _models_at(get_args(annotation)[-1], location[1:]) if location else []
    return [part for argument in get_args(annotation) for part in _models_at(argument, location)]


def _tag(candidate: type[BaseModel]) -> str | None:
    """The value of `source` that chooses this part among others."""
    if "source" not in candidate.model_fields:
        return None
    tags = get_args(candidate.model_fields["source"].annotation)
    return str(tags[0]) if tags else None


def _parts(annotation: Any) -> list[type[BaseModel]]:
    """All parts of the schema that an annotation mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [part for argument in get_args(annotation) for part in _parts(argument)]


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"

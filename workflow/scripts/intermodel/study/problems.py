"""Problems of a study, each told in one line: where, what was found, what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from intermodel.engine.errors import UserError

# What pydantic's kinds of error expected, in the user's words.
EXPECTED = {
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


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong: the key's path, and a sentence."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


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
    return [_translate(detail, model, raw) for detail in error.errors(include_url=False)]


def _translate(detail: ErrorDetails, model: type[BaseModel], raw: Any) -> Problem:
    location = _without_tags(detail["loc"], raw)
    kind, found, context = detail["type"], detail["input"], detail.get("ctx", {})
    path = dotted(location)
    if kind == "extra_forbidden":
        known = _fields_at(model, detail["loc"][:-1])
        return Problem(path, f"unknown key; {nearest(str(location[-1]), known)}")
    if kind == "missing":
        return Problem(path, "is missing; it must be given")
    if kind == "union_tag_not_found":
        tag = str(context.get("discriminator", "source")).strip("'")
        return Problem(f"{path}.{tag}", "is missing; it says which of the other keys apply")
    if kind == "union_tag_invalid":
        tag = str(context.get("discriminator", "source")).strip("'")
        known = [name.strip(" '") for name in str(context.get("expected_tags", "")).split(",")]
        return Problem(f"{path}.{tag}", f"found {context.get('tag')!r}; {nearest(str(context.get('tag')), known)}")
    if kind == "literal_error":
        known = [name.strip(" '") for name in str(context.get("expected", "")).replace(" or ", ",").split(",")]
        return Problem(path, f"found {_short(found)}, expected one of {', '.join(known)}; {nearest(str(found), known)}")
    if kind in EXPECTED:
        return Problem(path, f"found {_short(found)}, expected {EXPECTED[kind]}")
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return Problem(path, f"found {_short(found)}, expected at {'least' if kind == 'too_short' else 'most'} {bound}")
    message = detail["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    if kind == "value_error":
        return Problem(path, message)
    return Problem(path, f"found {_short(found)}, {message[0].lower() + message[1:]}")


def _without_tags(location: Sequence[str | int], raw: Any) -> list[str | int]:
    """Drop what pydantic adds to a path for unions: parts that are not keys of the user's file."""
    parts: list[str | int] = []
    here = raw
    for position, part in enumerate(location):
        if isinstance(here, dict):
            if part in here:
                here = here[part]
            elif position != len(location) - 1:
                continue
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            continue
        parts.append(part)
    return parts


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """Names of the keys that are valid at a location of the schema."""
    candidates: list[Any] = [model]
    for part in location:
        following: list[Any] = []
        for candidate in candidates:
            if isinstance(candidate, type) and issubclass(candidate, BaseModel):
                if part in candidate.model_fields:
                    following += _models(candidate.model_fields[str(part)].annotation)
                elif part == _tag(candidate):
                    following.append(candidate)
            else:
                following.append(candidate)
        # A part that no candidate knows is a name in a mapping or a union's tag.
        tagged = [candidate for candidate in candidates if _tag(candidate) == part]
        candidates = tagged or following or candidates
    return sorted(
        {name for c in candidates if isinstance(c, type) and issubclass(c, BaseModel) for name in c.model_fields}
    )


def _tag(candidate: Any) -> str | None:
    if not (isinstance(candidate, type) and issubclass(candidate, BaseModel)) or "source" not in candidate.model_fields:
        return None
    tags = get_args(candidate.model_fields["source"].annotation)
    return str(tags[0]) if tags else None


def _models(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is not None or annotation is Union:
        return [model for argument in get_args(annotation) for model in _models(argument)]
    return []


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"

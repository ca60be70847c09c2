"""What all parts of a study have in common: the base of all keys and the types of their values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(gt=0.0, lt=1.0)]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
BelowOne = Annotated[float, Field(ge=0.0, lt=1.0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Names = Literal["auto"] | list[str]


class Keys(BaseModel):
    """Base of all parts: no unknown keys, no silent conversion of types, no change after validation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, protected_namespaces=())

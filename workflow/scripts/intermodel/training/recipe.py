"""How a model is trained: the settings of one training, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from intermodel.engine.errors import UserError
from intermodel.training.augment import SELF_SUPERVISED, SUPERVISED, Augmentation

OBJECTIVES = ("supervised", "simclr", "barlow_twins", "byol")
LEARNING_RATES = {"adamw": 3e-3, "sgd": 5e-2}
PROJECTIONS = {"simclr": (256, 128), "barlow_twins": (1024, 1024), "byol": (512, 128)}


@dataclass(frozen=True)
class Recipe:
    """Settings of one training.

    Attributes
    ----------
    objective
        One of `OBJECTIVES`.
    steps, batch_size
        Optimiser steps, and images per step.
    optimizer
        "adamw", or "sgd" with Nesterov momentum 0.9.
    learning_rate
        Peak of the learning rate; None: 0.003 with adamw, 0.05 with sgd.
    weight_decay
        Not applied to biases and normalisation.
    warmup
        Share of the steps in which the learning rate rises.
    projection
        Widths of the projection head (hidden, output); None: the objective's own of `PROJECTIONS`.
    temperature
        SimCLR's.
    redundancy_weight
        Barlow Twins' lambda, the weight of the off-diagonal terms.
    momentum
        BYOL's at the first step; it rises to 1.
    label_smoothing
        Supervised: share of the target spread over all classes.
    augmentation
        Random changes of the images.
    dtype
        "float32" or "float16": how matrices and kernels are saved.
    """

    objective: str
    steps: int = 500
    batch_size: int = 64
    optimizer: str = "adamw"
    learning_rate: float | None = None
    weight_decay: float = 1e-4
    warmup: float = 0.1
    projection: tuple[int, int] | None = None
    temperature: float = 0.2
    redundancy_weight: float = 0.005
    momentum: float = 0.99
    label_smoothing: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    dtype: str = "float32"

    def __post_init__(self) -> None:
        def require(holds: bool, name: str, expected: str) -> None:
            if not holds:
                raise UserError(f"{name} of a training is {getattr(self, name)!r}, but {expected} is expected.")

        require(self.objective in OBJECTIVES, "objective", "one of " + ", ".join(OBJECTIVES))
        require(self.optimizer in LEARNING_RATES, "optimizer", "adamw or sgd")
        require(self.dtype in ("float32", "float16"), "dtype", "float32 or float16")
        require(self.steps >= 1, "steps", "a whole number from 1")
        require(self.batch_size >= 2, "batch_size", "a whole number from 2")
        rate = self.learning_rate
        require(rate is None or 0 < rate < math.inf, "learning_rate", "a positive number")
        require(0 <= self.weight_decay < math.inf, "weight_decay", "a number from 0")
        require(0 < self.temperature < math.inf, "temperature", "a positive number")
        require(0 < self.redundancy_weight < math.inf, "redundancy_weight", "a positive number")
        for name in ("warmup", "momentum", "label_smoothing"):
            require(0 <= getattr(self, name) < 1, name, "a number from 0 to below 1")
        if self.projection is not None:
            widths = tuple(self.projection)
            require(len(widths) == 2 and min(widths) >= 1, "projection", "two widths from 1")
            object.__setattr__(self, "projection", widths)

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate after warm-up."""
        return LEARNING_RATES[self.optimizer] if self.learning_rate is None else self.learning_rate

    @property
    def projection_widths(self) -> tuple[int, int]:
        """Hidden and output width of the projection head of a self-supervised objective."""
        return PROJECTIONS[self.objective] if self.projection is None else self.projection


def read_recipe(settings: Mapping[str, Any]) -> Recipe:
    """Make a recipe from plain values, such as those of a study.

    Keys of `augmentation` that are left out take the value that is usual for the objective.

    Parameters
    ----------
    settings
        Keys as in `Recipe`; `augmentation` is a mapping with keys as in `Augmentation`.

    Returns
    -------
    Recipe

    Raises
    ------
    UserError
        If a key is unknown or a value is out of range.
    """
    values = dict(settings)
    changes = dict(values.pop("augmentation", None) or {})
    for name, given, kind in (("a training", values, Recipe), ("augmentation", changes, Augmentation)):
        known = {item.name for item in fields(kind)}
        unknown = sorted(set(given) - known)
        if unknown:
            raise UserError(f"{name} has no key {unknown[0]!r}; its keys are {', '.join(sorted(known))}.")
    if "objective" not in values:
        raise UserError(f"A training needs the key `objective`, one of {', '.join(OBJECTIVES)}.")
    usual = SUPERVISED if values["objective"] == "supervised" else SELF_SUPERVISED
    return Recipe(**values, augmentation=replace(usual, **changes))

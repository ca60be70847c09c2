"""A small study that is right, to be spoilt or changed by the tests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

SMALL = yaml.safe_load(
    """
    name: small
    datasets:
      scenes: {source: scenes, train: 64, test: 32}
      shifted: {source: scenes, train: 8, test: 8, shift: palette}
    models:
      resnet:
        architecture: resnet18
        layers: [layer3, layer4]
      vit:
        architecture: test_vit
        weights: {source: train, objective: simclr, dataset: scenes}
        layers: [blocks.0]
    """
)
REMOVED = "(removed)"


@pytest.fixture
def small() -> Callable[..., dict[str, Any]]:
    """Make the small study, with changes: ``small({"models/resnet/layers": [...]})``; REMOVED takes a key out."""

    def make(changes: dict[str, Any] | None = None) -> dict[str, Any]:
        study = copy.deepcopy(SMALL)
        for path, value in (changes or {}).items():
            *parents, last = path.split("/")
            here = study
            for part in parents:
                here = here.setdefault(part, {})
            if value == REMOVED:
                del here[last]
            else:
                here[last] = value
        return study

    return make

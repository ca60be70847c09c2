"""Choices that do not go together are refused."""

from __future__ import annotations

import pytest
from intermodel.engine.errors import UserError
from intermodel.lce.settings import Settings


def test_further_keys_of_the_study_are_ignored() -> None:
    assert Settings.of({"variant": "share", "performance": None, "probed": []}) == Settings(variant="share")


def test_ward_needs_euclidean_distances() -> None:
    assert Settings.of({"linkage": "ward"}).linkage == "ward"
    with pytest.raises(UserError, match="linkage is ward with the distance jaccard"):
        Settings.of({"linkage": "ward", "distance": "jaccard"})

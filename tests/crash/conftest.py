"""What a run that nobody disturbs ends with."""

from __future__ import annotations

import pytest
from crash.project import Project


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The small study, undisturbed to the end."""
    project = Project(tmp_path_factory.mktemp("quiet"))
    project.finish()
    return project

"""Fixtures of other tests that the tests of the whole workflow use, too."""

from clip_dissect.conftest import small_clip  # noqa: F401

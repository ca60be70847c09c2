"""The study: what the user asks for, validated, and the names of all files that answer it.

This is the one reader of the configuration. Jobs never import it: they receive plain values.
"""

from intermodel.study.load import load_study
from intermodel.study.study import Study

__all__ = ["Study", "load_study"]

"""Check a study file and say in a few lines what it asks for: ``python -m intermodel.study STUDY``."""

from __future__ import annotations

import argparse
import sys

from intermodel.engine.errors import UserError
from intermodel.study.load import read_study
from intermodel.study.schema import Analyses
from intermodel.study.study import Study


def summary(study: Study) -> str:
    """Models, data sets and analyses of a study, one line each."""
    layers = sum(len(study.layers(model)) for model in study.models)
    lines = [f"{study.name}: {_count(len(study.models), 'model')} with {_count(layers, 'layer')}, in {study.results}"]
    for dataset in study.datasets:
        analyses = [name for name in Analyses.model_fields if dataset in study.datasets_for(name)]
        lines.append(f"  {dataset}: {', '.join(analyses) or 'features alone'}")
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m intermodel.study", description="Check a study file.")
    parser.add_argument("study", help="the study file (YAML)")
    options = parser.parse_args()
    try:
        print(summary(read_study(options.study)))
    except UserError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()

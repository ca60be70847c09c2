"""List the layers of a model of a study, or of any architecture: python workflow/scripts/list_layers.py STUDY MODEL."""

import argparse
import json
import sys

from intermodel.engine.errors import UserError
from intermodel.study.load import read_study
from intermodel.study.problems import nearest


def main() -> int:
    parser = argparse.ArgumentParser(description="List the layers of a model of a study, or of an architecture.")
    parser.add_argument("study", help="the study file (YAML)")
    parser.add_argument("model", help="a model of the study, or a name of timm, or module:function")
    options = parser.parse_args()
    try:
        models = read_study(options.study, check_files=False).models
    except UserError as error:
        sys.exit(f"error: {error}")
    model = models.get(options.model)
    arguments = ["--architecture", options.model if model is None else model.architecture]
    if model is not None:
        arguments += ["--kwargs", json.dumps(model.kwargs)]
        if model.python_path is not None:
            arguments += ["--python-path", model.python_path]
        if model.preprocessing is not None:
            size = model.preprocessing.size
            arguments += ["--input-size", *map(str, size if isinstance(size, list) else [size])]

    from intermodel.models.layers import main as list_layers

    code = list_layers(arguments)
    if code and model is None:
        print(
            f"{options.model!r} is no model of {options.study} either; {nearest(options.model, models)}",
            file=sys.stderr,
        )
    return code


if __name__ == "__main__":
    sys.exit(main())

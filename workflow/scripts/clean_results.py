"""List results of what is no longer in a study, and remove them with --remove: clean_results.py STUDY [--remove]."""

import argparse
import sys
from itertools import groupby

from intermodel.engine.errors import UserError
from intermodel.engine.text import in_bytes
from intermodel.study.leftovers import leftovers, remove
from intermodel.study.load import read_study


def main() -> None:
    parser = argparse.ArgumentParser(description="List results of models, data sets and layers no longer in a study.")
    parser.add_argument("study", help="the study file (YAML)")
    parser.add_argument("--remove", action="store_true", help="remove them")
    options = parser.parse_args()
    try:
        study = read_study(options.study, check_files=False)
        results = study.paths.results
    except UserError as error:
        sys.exit(f"error: {error}")
    found = leftovers(study)
    if not found:
        print(f"{results} holds nothing that {options.study} does not ask for.")
        return
    size = 0
    for owner, group in groupby(found, key=lambda leftover: leftover.owner):
        files = [leftover.path for leftover in group]
        bytes_of_group = sum(file.lstat().st_size for file in files)
        size += bytes_of_group
        print(f"{owner}: {len(files)} file{'s' if len(files) > 1 else ''}, {in_bytes(bytes_of_group)}")
        for file in files:
            print(f"  {file}")
    if options.remove:
        remove(found, results)
    done = "were removed" if options.remove else "can be removed (make clean-results REMOVE=1)"
    print(f"{len(found)} file{'s' if len(found) > 1 else ''}, {in_bytes(size)}, {done}.")


if __name__ == "__main__":
    main()

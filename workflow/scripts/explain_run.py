"""Print which jobs of a study would run, and why: python workflow/scripts/explain_run.py STUDY [TARGET ...]."""

import argparse
import subprocess
import sys

from intermodel.engine.reasons import explain, read_dry_run


def main() -> None:
    parser = argparse.ArgumentParser(description="Print which jobs of a study would run, and why.")
    parser.add_argument("study", help="the study file (YAML)")
    parser.add_argument("targets", nargs="*", default=["report"], help="rules or files to make (default: report)")
    options = parser.parse_args()
    result = subprocess.run(
        [
            *(sys.executable, "-m", "snakemake", *options.targets),
            *("--dry-run", "--quiet", "host", "--nocolor", "--configfile", options.study),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    output = result.stdout + result.stderr
    if result.returncode:
        sys.exit(output.strip())
    print(explain(read_dry_run(output)))


if __name__ == "__main__":
    main()

"""Print what the jobs of a study cost and where its report is: python workflow/scripts/show_timings.py STUDY."""

import argparse
import sys
from pathlib import Path

from intermodel.engine.errors import UserError
from intermodel.engine.text import clock
from intermodel.engine.timings import by_rule, format_table, last_run, read_jobs, total, write_jobs
from intermodel.study.load import read_study


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what the jobs of a study cost and where its report is.")
    parser.add_argument("study", help="the study file (YAML)")
    parser.add_argument("--csv", help="also write one line per job to this file")
    options = parser.parse_args()
    try:
        paths = read_study(options.study, check_files=False).paths
    except UserError as error:
        sys.exit(str(error))
    jobs = read_jobs(paths.results)
    if not jobs:
        sys.exit(f"{paths.results} holds no timings yet; run the study first (make run STUDY={options.study}).")
    print(format_table(by_rule(jobs), total(jobs)))
    count, seconds = last_run(jobs)
    print(f"\nThe last run took {clock(seconds)} for {count} job{'s' if count != 1 else ''}.")
    made = Path(paths.report).is_file()
    print(f"Report: {paths.report if made else 'not made yet (make run STUDY=' + options.study + ')'}")
    if options.csv:
        write_jobs(options.csv, jobs)
        print(f"Timings of all jobs: {options.csv}")


if __name__ == "__main__":
    main()

"""The one line at the end of a run."""

from __future__ import annotations

from intermodel.engine.summary import summarise_run


def test_a_run_without_failures() -> None:
    ran = ["tally_concepts"] * 1200 + ["a", "b", "b", "c", "c", "c", "d"]
    assert summarise_run(ran, 3725.0, up_to_date=4) == (
        "intermodel: 1,207 jobs ran in 1:02:05 (1,200 tally_concepts, 3 c, 2 b, 1 a, 1 other), 4 up to date, "
        "none failed."
    )


def test_a_run_with_failures_names_their_logs() -> None:
    line = summarise_run(["a"], 2.0, up_to_date=0, waiting=7, failed=["logs/z.log", "logs/b.log"])
    assert line == (
        "intermodel: 1 job ran in 0:02 (1 a), 0 up to date, 7 not run, 2 failed. See logs/b.log, logs/z.log."
    )


def test_many_failures_stay_one_line() -> None:
    line = summarise_run([], 0.0, failed=[f"logs/{number}.log" for number in range(9)])
    assert line.startswith("intermodel: 0 jobs ran in 0:00, 0 up to date, 9 failed.")
    assert line.endswith("See logs/0.log, logs/1.log, logs/2.log and 6 more.")
    assert "\n" not in line

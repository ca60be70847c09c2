"""Why jobs would run, from the engine's words."""

from __future__ import annotations

from intermodel.engine.reasons import PendingJob, causes_of, explain, read_dry_run

CHANGED = "Params have changed since last execution: Union of exclusive params before and now across all output: "
DRY_RUN = """
[Sun Nov 22 17:57:57 2026]
Job 14: Tallying the concepts of vit norm on scenes
Reason: Missing output files: a.h5; Input files updated by another job: b.h5, c.h5
[Sun Nov 22 17:57:57 2026]
Job 2: Writing the report
Reason: Input files updated by another job: a.h5
[Sun Nov 22 17:57:57 2026]
rule all:
    input: results/report/index.html
    reason: Input files updated by another job: results/report/index.html
"""


def test_jobs_are_read_from_a_dry_run() -> None:
    assert [job.message for job in read_dry_run(DRY_RUN)] == [
        "Tallying the concepts of vit norm on scenes",
        "Writing the report",
    ]
    assert read_dry_run("Nothing to be done (all requested files are present and up to date).") == []


def test_a_changed_setting_is_named_with_both_values() -> None:
    reason = f"""{CHANGED}before: '{{"tail": 0.02, "masks": "a, b; c"}}' now: '{{"masks": "a, b; c", "tail": 0.03}}' """
    assert causes_of(reason) == ["the setting tail has changed from 0.02 to 0.03"]


def test_settings_inside_settings_new_ones_and_those_that_are_gone() -> None:
    old = """'{"weights": {"source": "random", "seed": 0}, "old": 1}'"""
    new = """'{"weights": {"source": "random", "seed": 1}, "new": [1, 2]}'"""
    assert causes_of(f"{CHANGED}before: {old} now: {new} ") == [
        "the setting new is new: [1, 2]",
        "the setting old is gone",
        "the setting weights.seed has changed from 0 to 1",
    ]


def test_changed_code_names_the_script() -> None:
    reason = f"{CHANGED}before: 'probe_model.py:9361da21b8461a02' now: 'probe_model.py:0eff370495ceeedc' "
    assert causes_of(reason) == ["the code of probe_model.py, or a module that it imports, has changed"]


def test_other_parameters_are_shown_as_they_are() -> None:
    assert causes_of(f"{CHANGED}before: 'size=32' now: 'size=64' ") == [
        "a parameter has changed from size=32 to size=64"
    ]
    assert causes_of(f"{CHANGED}before: <nothing exclusive> now: 5 ") == ["a parameter has changed from nothing to 5"]
    unreadable = causes_of(f"{CHANGED}before: <object at 1> now: <object at 2> ")
    assert len(unreadable) == 1
    assert unreadable[0].startswith("parameters have changed: Union of")


def test_the_engines_other_causes() -> None:
    assert causes_of("Updated input files: data/x.h5; Input files updated by another job: y.h5") == [
        "files are newer than the results made from them: data/x.h5"
    ]
    assert causes_of("Set of input files has changed since last execution") == [
        "the inputs are others than last time: a model, layer or data set was added or taken out"
    ]
    # A missing result is reason enough.
    assert causes_of(f"Missing output files: a.h5; {CHANGED}before: 1 now: 2 ") == ["results do not exist yet"]
    assert causes_of("Input files updated by another job: a.h5, b.h5") == []


def test_jobs_of_one_cause_are_told_together() -> None:
    jobs = [PendingJob(f"Tallying {number}", "Missing output files: x.h5") for number in range(5)]
    jobs += [PendingJob("Forced", "Forced execution"), PendingJob("After", "Input files updated by another job: x.h5")]
    assert explain(jobs).splitlines() == [
        "7 jobs would run.",
        "",
        "5 jobs because results do not exist yet:",
        "    Tallying 0",
        "    Tallying 1",
        "    Tallying 2",
        "    ... and 2 more",
        "",
        "1 job because it was forced on the command line:",
        "    Forced",
        "",
        "1 job only because it reads what these make.",
    ]
    assert explain([]).startswith("Nothing would run")

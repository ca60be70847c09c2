"""What the jobs cost, from benchmark files and logs."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from intermodel.engine.progress import progress
from intermodel.engine.timings import by_rule, format_table, last_run, read_jobs, rule_rows, total, write_jobs
from intermodel.engine.usage import parse_passes, parse_usage, usage_sentence

ROOT = Path(__file__).resolve().parents[2]
HEADING = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def job(
    results: Path, name: str, wall: object, memory: object, cpu: object, end: float, log: str | None = None
) -> None:
    file = results / "benchmarks" / f"{name}.tsv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{HEADING}{wall}\t0:00:04\t{memory}\t1\t1\t1\t0\t0\t36\t{cpu}\n")
    os.utime(file, (end, end))
    if log is not None:
        path = results / "logs" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(log)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    sentence = "INFO intermodel.engine.job: used 9.50 CPU seconds and 300 MB of memory\n"
    passes = "INFO progress: a on scenes: 500/1,000 images, 4.0 images/s, 0:02 left\n"
    passes += "INFO progress: a on scenes: 1,000/1,000 images, 250.0 images/s, took 0:04\n"
    job(folder, "extract_features/scenes/a.new", 10.0, 200.0, 1.0, 10_000.0, "INFO start\n" + passes + sentence)
    job(folder, "extract_features/scenes/b.new", 5.0, 100.0, 4.0, 10_004.0, "killed")
    job(folder, "report/all", 2.0, "NA", "NA", 10_020.0)
    job(folder, "tally/old", 1.0, "-", 1.0, 1_000.0)
    (folder / "benchmarks" / "report" / "empty.tsv").write_text(HEADING)
    return folder


def test_jobs_are_read_with_what_they_tell_themselves(results: Path) -> None:
    jobs = {f"{job.rule}:{job.name}": job for job in read_jobs(results)}
    assert set(jobs) == {"extract_features:scenes/a.new", "extract_features:scenes/b.new", "report:all", "tally:old"}
    told, sampled = jobs["extract_features:scenes/a.new"], jobs["extract_features:scenes/b.new"]
    assert (told.cpu, told.wall, told.memory) == (9.5, 10.0, 300.0)
    assert (told.images, told.passing, told.rate) == (1000.0, 4.0, 250.0)
    assert math.isnan(sampled.rate)
    assert (sampled.cpu, sampled.wall, sampled.memory) == (4.0, 5.0, 100.0)
    assert math.isnan(jobs["report:all"].cpu)
    assert read_jobs(results / "nowhere") == []


def test_sums_leave_out_what_was_not_measured(results: Path) -> None:
    jobs = read_jobs(results)
    costs = {cost.rule: cost for cost in by_rule(jobs)}
    assert (costs["extract_features"].jobs, costs["extract_features"].cpu) == (2, 13.5)
    assert costs["extract_features"].memory == 300.0
    assert math.isnan(costs["report"].cpu)
    assert math.isnan(costs["tally"].memory)
    assert (costs["extract_features"].images, costs["extract_features"].rate) == (1000.0, 250.0)
    assert math.isnan(costs["report"].rate)
    everything = total(jobs)
    assert (everything.jobs, everything.cpu, everything.wall, everything.memory) == (4, 14.5, 18.0, 300.0)
    assert next(iter(costs)) == "extract_features"


def test_the_last_run_ends_at_a_long_pause(results: Path) -> None:
    count, seconds = last_run(read_jobs(results))
    assert count == 3
    assert seconds == pytest.approx(10_020.0 - 9_990.0)
    assert last_run([]) == (0, 0.0)


def test_the_table_is_aligned(results: Path) -> None:
    jobs = read_jobs(results)
    lines = format_table(by_rule(jobs), total(jobs)).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split() == ["rule", "jobs", "CPU", "s", "wall", "s", "peak", "MB", "images/s"]
    assert lines[1].split() == ["extract_features", "2", "13.5", "15.0", "300", "250.0"]
    assert lines[-1].split() == ["total", "4", "14.5", "18.0", "300"]
    assert any(line.split() == ["report", "1", "-", "2.0", "-", "-"] for line in lines)


def test_jobs_as_csv(results: Path, tmp_path: Path) -> None:
    write_jobs(tmp_path / "jobs.csv", read_jobs(results))
    lines = (tmp_path / "jobs.csv").read_text().splitlines()
    assert lines[0] == "rule,job,cpu_seconds,wall_seconds,peak_memory_mb,images,images_per_second,ended"
    assert "extract_features,scenes/a.new,9.5,10,300,1000,250,10000" in lines
    assert "report,all,,2,,,,10020" in lines


def test_rules_as_rows(results: Path) -> None:
    rows = rule_rows(by_rule(read_jobs(results)))
    assert rows[0] == {
        "rule": "extract_features",
        "jobs": 2,
        "cpu_seconds": 13.5,
        "wall_seconds": 15.0,
        "peak_memory_mb": 300.0,
        "images": 1000.0,
        "images_per_second": 250.0,
    }


def test_passes_over_images_are_told_by_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """What `progress` writes is what the table reads: images of the longest pass, seconds of all."""
    with caplog.at_level("INFO"):
        for count, label in ((1200, "paint"), (1200, "read")):
            with progress(total=count, label=label) as bar:
                bar.advance(count)
        list(progress(range(5), unit="step"))
    found = parse_passes("\n".join(caplog.messages))
    assert found is not None
    images, seconds = found
    assert images == 1200
    rates = [float(message.split("images, ")[1].split()[0].replace(",", "")) for message in caplog.messages[:2]]
    assert seconds == pytest.approx(sum(1200 / rate for rate in rates))
    assert parse_passes("train a: 10/20 images, 5.0 images/s, 0:02 left") is None
    assert parse_passes("") is None


def test_the_sentence_can_be_read_back() -> None:
    used = parse_usage(f"started\n{usage_sentence()}\nused 1.50 CPU seconds and 20 MB of memory")
    assert used == (1.5, 20.0)
    assert parse_usage(usage_sentence()) is not None
    assert parse_usage("nothing") is None


def test_the_command(results: Path, tmp_path: Path) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(
        f"name: s\nresults: {results}\ndatasets: {{d: {{source: scenes}}}}\n"
        "models: {m: {architecture: resnet18, layers: [layer4]}}\n"
    )

    def show(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, ROOT / "workflow" / "scripts" / "show_timings.py", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    result = show(study, "--csv", tmp_path / "jobs.csv")
    assert result.returncode == 0
    assert "The last run took 0:30 for 3 jobs." in result.stdout
    assert "Report: not made yet" in result.stdout
    assert (tmp_path / "jobs.csv").is_file()
    missing = show(tmp_path / "nothing.yaml")
    assert missing.returncode == 1
    assert missing.stderr.startswith(f"{tmp_path}/nothing.yaml does not exist")

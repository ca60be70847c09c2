"""From the results of a study to its page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py

from intermodel.csv_tables import write_table
from intermodel.engine.timings import by_rule, read_jobs, rule_rows
from intermodel.report.compose import write_page
from intermodel.report.content import Page, Section, Table
from intermodel.report.methods import methods_paragraphs
from intermodel.report.sections import read_sections
from intermodel.store import open_file, plain_attributes

VERSION = "0.1.0"


def write_study_page(
    output: str | Path,
    results: str | Path,
    captions: str | Path,
    manifests: Mapping[str, str],
    feature_files: Sequence[str],
    study: Mapping[str, Any],
) -> None:
    """Write the page of a study and the tables that it links to.

    Parameters
    ----------
    output
        The HTML file; tables go into the folder `tables` beside it.
    results, captions
        Folders of the study's results and of the figures' captions.
    manifests
        Manifest of every data set.
    feature_files
        Feature files, whose attributes tell versions and devices.
    study
        ``name``, ``seed``, ``report`` (title, authors, introduction), ``models``, ``datasets`` (as `Study.describe`
        gives them), ``analyses`` (settings by name) and ``used`` (data sets by analysis).
    """
    titles = {dataset["name"]: dataset["title"] for dataset in study["datasets"]}
    models = {model["name"]: model["title"] for model in study["models"]}
    sections = read_sections(results, captions, study["used"], titles, models)
    sections.append(_methods(Path(output).parent, feature_files, study))
    images = {name: _images(path) for name, path in manifests.items()}
    facts = [
        ("Models", str(len(models))),
        ("Layers", str(sum(len(model["layers"]) for model in study["models"]))),
        *((titles[name], f"{count:,} images") for name, count in images.items()),
        ("Seed", str(study["seed"])),
    ]
    report = study["report"]
    authors = f" · {report['authors']}" if report.get("authors") else ""
    write_page(
        Page(
            title=report["title"],
            subtitle=f"intermodel · {study['name']}{authors}",
            introduction=report.get("introduction") or "",
            facts=tuple(facts),
            sections=tuple(sections),
            costs=_costs(Path(output).parent, results),
        ),
        output,
    )


def _methods(folder: Path, feature_files: Sequence[str], study: Mapping[str, Any]) -> Section:
    versions, devices = {"intermodel": VERSION}, set()
    rows = []
    for path in feature_files:
        with open_file(path) as file:
            attributes = plain_attributes(file)
        versions |= json.loads(attributes.get("versions", "{}"))
        devices.add(str(attributes.get("device", "unknown")))
        rows.append(
            {
                "dataset": attributes.get("dataset", ""),
                "model": attributes.get("model", ""),
                "layer": attributes.get("layer", ""),
                "model_fingerprint": str(attributes.get("model_fingerprint", ""))[:16],
                "dataset_fingerprint": str(attributes.get("dataset_fingerprint", ""))[:16],
                "signed": bool(attributes.get("signed", False)),
                "device": attributes.get("device", ""),
            }
        )
    used = {name: settings for name, settings in study["analyses"].items() if study["used"].get(name)}
    paragraphs, references = methods_paragraphs(used, study["models"], study["seed"], versions)
    made = folder / "methods"
    write_table(made / "features.csv", rows)
    tables = [Table(made / "features.csv", "Feature files and their fingerprints")]
    return Section(
        key="methods",
        title="Methods",
        question="With which settings, versions and seeds, on which device, and from whose ideas?",
        paragraphs=(*paragraphs, f"Device: {', '.join(sorted(devices)) or 'unknown'}.", *references),
        tables=tuple(tables),
    )


def _costs(folder: Path, results: str | Path) -> Table | None:
    """What the jobs have cost by rule, those of earlier runs included; None where no job was measured."""
    rows = rule_rows(by_rule(read_jobs(results)))
    if not rows:
        return None
    path = folder / "methods" / "timings.csv"
    write_table(path, rows)
    return Table(path, "Seconds, memory and images per second by rule")


def _images(manifest: str) -> int:
    with open_file(manifest) as file:
        ids = file["id"]
        assert isinstance(ids, h5py.Dataset)
        return int(ids.shape[0])

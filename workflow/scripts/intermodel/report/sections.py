"""The page's sections, put together from the tables, figures and sentences of every capability."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from intermodel.csv_tables import read_table
from intermodel.engine.errors import UserError
from intermodel.report.content import Figure, Section, Table

# Sentences of a capability and what it warns of; shown as text rather than as tables.
SENTENCES = ("findings", "warnings")


@dataclass(frozen=True)
class Part:
    """What a section takes from one capability."""

    capability: str
    figures: tuple[str, ...]
    titles: Mapping[str, str] = field(default_factory=dict)
    galleries: str = ""
    gallery_title: str = "Units of {}"
    # Names of the tables to show; every other CSV file of the folder when empty.
    tables: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    sentences: str = "findings"


@dataclass(frozen=True)
class Question:
    """A section before it is filled."""

    key: str
    title: str
    question: str
    parts: tuple[Part, ...]


QUESTIONS = (
    Question(
        "map",
        "The map",
        "Which models have learned alike, judged by the concepts that their units detect?",
        (
            Part(
                "lce",
                ("map", "distances", "enrichment", "categories", "complementarity", "agreement", "performance"),
                {
                    "map": "Models as points",
                    "distances": "Distances between models",
                    "enrichment": "What sets each group apart",
                    "categories": "Concepts per category",
                    "complementarity": "What one model knows and another does not",
                    "agreement": "Ways of comparing models, compared",
                    "performance": "Concepts and results",
                },
            ),
        ),
    ),
    Question(
        "concepts",
        "What each model knows",
        "Which labelled concepts do its units detect, how many, and which of them by more than chance?",
        (
            Part(
                "concepts",
                ("overview", "concepts", "sets"),
                {
                    "overview": "Units and concepts per model",
                    "concepts": "Concepts by model",
                    "sets": "Shared and private concepts",
                },
                galleries="gallery-",
            ),
            Part(
                "clip_dissect",
                ("words", "models", "clarity"),
                {
                    "words": "Units named by CLIP",
                    "models": "Similarity of what units mean to CLIP",
                    "clarity": "How alike a unit's strongest images are",
                },
                galleries="gallery-",
                gallery_title="Units of {} through CLIP",
            ),
        ),
    ),
    Question(
        "similarity",
        "What they share",
        "How much of one representation can be found in another, beyond what chance alone would give?",
        (
            Part(
                "similarity",
                ("models", "layers", "pairs"),
                {
                    "models": "Similarity of the last layers",
                    "layers": "Similarity of all layers",
                    "pairs": "Pairs of models with their intervals",
                },
            ),
            Part(
                "unit_matching",
                ("models", "shared", "gallery"),
                {
                    "models": "Similarity of single units",
                    "shared": "How many units have a match",
                    "gallery": "What shared units look at",
                },
            ),
        ),
    ),
    Question(
        "quality",
        "How good each representation is",
        "How well can the classes be read off, and does any score tell without labels which images will go wrong?",
        (
            Part("probe", ("accuracy",), {"accuracy": "Accuracy of the probes"}, tables=("accuracy", "differences")),
            Part(
                "quality",
                ("scores", "activation_rates", "calibration", "models"),
                {
                    "scores": "Which scores tell right from wrong",
                    "activation_rates": "How often units are highly active",
                    "calibration": "Accuracy by score",
                    "models": "Scores of whole models",
                },
            ),
        ),
    ),
    Question(
        "disagreement",
        "Where equally good models disagree",
        "Models of equal accuracy need not give equal answers: how often do their probes name different classes?",
        (
            Part(
                "probe",
                ("disagreement",),
                {"disagreement": "Disagreement of equally accurate probes"},
                tables=("disagreement",),
                sentences="disagreement_findings",
            ),
        ),
    ),
)


def read_sections(
    results: str | Path,
    captions: str | Path,
    datasets: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
    models: Mapping[str, str],
) -> list[Section]:
    """Fill all sections but the one on methods.

    Parameters
    ----------
    results
        Folder of the study's results.
    captions
        Folder of the captions, ``<capability>_<figure>.rst``.
    datasets
        Data sets that each capability was run on.
    titles
        Titles of the data sets.
    models
        Titles of the models, for the galleries.
    """
    return [_fill(question, Path(results), Path(captions), datasets, titles, models) for question in QUESTIONS]


def _fill(
    question: Question,
    results: Path,
    captions: Path,
    datasets: Mapping[str, Sequence[str]],
    titles: Mapping[str, str],
    models: Mapping[str, str],
) -> Section:
    findings: list[str] = []
    warnings: list[str] = []
    figures: list[Figure] = []
    galleries: list[Figure] = []
    tables: list[Table] = []
    for part in question.parts:
        chosen = datasets.get(part.capability, ())
        several = len(chosen) > 1
        for dataset in chosen:
            folder = results / part.capability / dataset
            if not folder.is_dir():
                raise UserError(f"{folder} does not exist, which the report shows; run the workflow to make it.")
            place = f" on {titles[dataset]}" if several else ""
            prefix = f"{titles[dataset]}: " if several else ""
            findings += [prefix + sentence for sentence in _sentences(folder / f"{part.sentences}.csv")]
            if part.sentences == "findings":
                warnings += [prefix + sentence for sentence in _sentences(folder / "warnings.csv")]
            for name in part.figures:
                path = folder / "figures" / f"{name}.svg"
                # Photographs as vector graphics would make the page ten times as large.
                raster = path.with_suffix(".webp")
                path = raster if raster.exists() else path
                if path.exists():
                    caption = read_caption(captions / f"{part.capability}_{name}.rst", dataset=titles[dataset])
                    figures.append(_figure(path, part.titles.get(name, name) + place, caption))
            if part.galleries:
                for name, title in models.items():
                    path = folder / "figures" / f"{part.galleries}{name}.webp"
                    if path.exists():
                        file = captions / f"{part.capability}_{part.galleries.rstrip('-')}.rst"
                        caption = read_caption(file, dataset=titles[dataset])
                        galleries.append(_figure(path, part.gallery_title.format(title) + place, caption))
            tables += [Table(path, _table_title(path) + place) for path in _tables(part, folder)]
    absent = "" if figures or tables else "This study leaves it out."
    return Section(
        key=question.key,
        title=question.title,
        question=question.question,
        findings=tuple(findings),
        figures=tuple(figures),
        galleries=tuple(galleries),
        tables=tuple(tables),
        warnings=tuple(warnings),
        absent=absent,
    )


def _tables(part: Part, folder: Path) -> list[Path]:
    if part.tables:
        return [folder / f"{name}.csv" for name in part.tables if (folder / f"{name}.csv").exists()]
    found = sorted(folder.glob("*.csv"))
    return [path for path in found if path.stem not in (*SENTENCES, *part.leave_out)]


def _table_title(path: Path) -> str:
    words = path.stem.replace("_", " ")
    return words[:1].upper() + words[1:]


def _sentences(path: Path) -> list[str]:
    """The first column of a table of sentences; the second names the table that a sentence rests on."""
    if not path.exists():
        return []
    columns = [column for column in read_table(path).values() if column.dtype.kind == "U"]
    return [str(sentence) for sentence in columns[0]] if columns else []


def _figure(path: Path, title: str, caption: str) -> Figure:
    first = re.split(r"(?<=[.])\s", caption, maxsplit=1)[0]
    return Figure(path, title, caption, f"{title}. {first}")


def read_caption(path: Path, **values: Any) -> str:
    """The text of a caption file; what the workflow engine's own report fills in is filled in here.

    Raises
    ------
    UserError
        If the file is missing.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; every figure needs a caption there.")
    text = " ".join(path.read_text(encoding="utf-8").split())
    for name, value in values.items():
        text = text.replace("{{ snakemake.wildcards." + name + " }}", str(value))
    return re.sub(r"\s*\{\{.*?\}\}", "", text).replace("``", "`")

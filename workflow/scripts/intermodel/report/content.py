"""What a page consists of: sections of findings, figures, tables and warnings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from intermodel.csv_tables import read_table


@dataclass(frozen=True)
class Figure:
    """A picture with the words that make it readable.

    Parameters
    ----------
    path
        SVG or PNG file.
    title
        What it shows, in a few words.
    caption
        How to read it: axes, colours, intervals, nulls.
    alt
        What a reader who cannot see it should know.
    """

    path: Path
    title: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Table:
    """A CSV file, shown sortable; `columns` chooses and orders what the page shows (all when empty)."""

    path: Path
    title: str
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """File name on the page's `tables` folder, unique across capabilities and data sets."""
        capability, dataset = self.path.parts[-3:-1] if len(self.path.parts) >= 3 else ("", "")
        return "-".join(part for part in (capability, dataset, self.path.name) if part)

    def rows(self) -> tuple[list[str], list[list[object]]]:
        """Heading and rows; numbers as floats, NaN where a cell is empty."""
        columns = read_table(self.path)
        names = [name for name in self.columns if name in columns] or list(columns)
        return names, [list(row) for row in zip(*(columns[name].tolist() for name in names), strict=True)]


@dataclass(frozen=True)
class Section:
    """One question of the page and its answer."""

    key: str
    title: str
    question: str
    findings: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    galleries: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    warnings: tuple[str, ...] = ()
    # Shown when there is nothing to show, e.g. an analysis that the study leaves out.
    absent: str = ""
    paragraphs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """The whole report."""

    title: str
    subtitle: str
    introduction: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...] = field(default_factory=tuple)
    # What the jobs have cost, shown at the end of the last section but kept in a file of its own: seconds are never
    # the same twice, and the same results shall give the same page.
    costs: Table | None = None

    @property
    def warnings(self) -> list[tuple[Section, str]]:
        """All warnings with the section that they come from."""
        return [(section, warning) for section in self.sections for warning in section.warnings]

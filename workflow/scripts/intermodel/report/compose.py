"""Render a page as one HTML file without any network request."""

from __future__ import annotations

import base64
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from intermodel.engine.errors import UserError
from intermodel.engine.publish import publish
from intermodel.report.content import Page

HERE = Path(__file__).parent
MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}
# Rows of a table that stand on the page; the CSV file holds all.
SHOWN_ROWS = 200
# Sentences of a section that stand before its first figure; a click shows the others.
SHOWN_FINDINGS = 5


def write_page(page: Page, path: str | Path) -> None:
    """Write the page, and beside it the folder `tables` with a copy of every table that it shows, and `timings.js`.

    Figures are embedded, so that the file can be sent and opened anywhere; without the folder `tables` only the
    links to the CSV files are dead, and without `timings.js` only the costs of the jobs are missing.

    Raises
    ------
    UserError
        If a figure or table is missing.
    """
    path = Path(path)
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["embed"] = embed
    environment.filters["cell"] = format_cell
    environment.filters["emphasise"] = emphasise
    costs = [] if page.costs is None else [page.costs]
    for table in [*(table for section in page.sections for table in section.tables), *costs]:
        target = path.parent / "tables" / table.name
        if not table.path.exists():
            raise UserError(f"{table.path} does not exist, which the report shows; run the workflow to make it.")
        with publish(target) as temporary:
            shutil.copyfile(table.path, temporary)
    for table in costs:
        content = environment.get_template("table.html.j2").render(table=table, shown_rows=SHOWN_ROWS)
        with publish(path.parent / "timings.js") as temporary:
            script = f'document.getElementById("costs").innerHTML = {json.dumps(content)};\n'
            temporary.write_text(script, encoding="utf-8")
    html = environment.get_template("page.html.j2").render(
        page=page,
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
        shown_rows=SHOWN_ROWS,
        shown_findings=SHOWN_FINDINGS,
    )
    with publish(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def embed(path: Path) -> str:
    """The content of an image file as a data URI."""
    if not path.exists():
        raise UserError(f"{path} does not exist, which the report shows; run the workflow to make it.")
    return f"data:{MEDIA[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def format_cell(value: Any) -> str:
    """A table cell for reading: three significant decimals, an en dash for nothing."""
    if isinstance(value, float):
        if math.isnan(value):
            return "–"
        if value == int(value) and abs(value) < 1e9:
            return f"{int(value):,}"
        return f"{value:.3f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.2e}"
    return str(value)


def emphasise(text: str) -> Markup:
    """Escape a sentence, then show `code` and **strong** as such."""
    html = str(escape(text))
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", html)
    return Markup(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", html))

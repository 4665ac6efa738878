"""The report: one HTML file that needs nothing else.

No script, no request to any host; light and dark, narrow and wide, screen and paper.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from thalweg.lab.findings import cells
from thalweg.lab.records import Record
from thalweg.lab.study import Study
from thalweg.lab.summary import Summary, summarize
from thalweg.report import sections
from thalweg.report.curves import learning_curves
from thalweg.report.markup import Markup, el, joined
from thalweg.report.style import styles

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""What a browser lets this page do: show itself. There is no script, so none is allowed."""


def write(
    study: Study, records: Iterable[Record], timing: Mapping[str, Any] | None, path: str | os.PathLike[str]
) -> Summary:
    """Write the page of a study to `path` in one step, and return what it says.

    Arguments as in `thalweg.lab.summary.summarize`. Raises OSError if the file cannot be written.
    """
    kept = list(records)
    summary = summarize(study, kept, timing)
    text = html(summary, study, kept)
    temporary = Path(f"{os.fspath(path)}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)
    return summary


def html(summary: Summary, study: Study, records: Iterable[Record]) -> str:
    """The whole page as text. The same records give the same text."""
    found = summary.findings
    looks = styles(rule.rule for rule in found.rules)
    together, alone = learning_curves(found, cells(study, records), looks)
    parts = [
        sections.masthead(summary),
        sections.verdict(summary, looks),
        sections.protocol(found, looks),
        sections.curves(found, looks, together, alone),
        sections.sensitivity(found, looks),
        sections.targets(found, looks),
        sections.pairs(found),
        sections.cost(found, looks),
        sections.failures(found, looks),
        sections.house(summary),
        sections.reading(found),
    ]
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=POLICY),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("meta", name="referrer", content="no-referrer"),
        el("link", rel="icon", href="data:,"),
        el("title", f"thalweg compare: {found.problem}"),
        el("style", Markup(files("thalweg.report").joinpath("page.css").read_text("utf-8"))),
    )
    body = el("body", el("main", parts))
    return joined(Markup("<!doctype html>\n"), el("html", head, body, lang="en"), "\n")

"""The comparison in a terminal of 80 columns: the table, the verdict, the warnings."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from thalweg.lab import formats
from thalweg.lab.results import Findings, RuleResult, median_epoch
from thalweg.lab.summary import Summary

_WIDTH = 80


@dataclass(frozen=True, slots=True)
class _Cells:
    headings: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def widths(self) -> list[int]:
        lines = [*zip(*self.headings, strict=True), *self.rows]
        return [max(len(line[column]) for line in lines) for column in range(len(self.headings))]

    @property
    def gap(self) -> int:
        """Spaces between columns: two, or one where that is what it takes to fit."""
        return 2 if sum(self.widths) + 2 * (len(self.headings) - 1) <= _WIDTH else 1


def render(summary: Summary) -> RenderableType:
    """The table, the verdict and the warnings for rich. Fits 80 columns for names of up to 12 letters."""
    cells = _cells(summary.findings)
    table = Table(box=None, padding=(0, cells.gap, 0, 0), pad_edge=False, header_style="bold")
    for i, heading in enumerate(cells.headings):
        table.add_column(Text("\n".join(heading)), justify="right" if i else "left")
    for i, row in enumerate(cells.rows):
        table.add_row(*map(Text, row), style=None if i else "bold")
    notes = Table.grid(padding=(0, 1, 0, 0))
    for warning in summary.warnings:
        notes.add_row(Text("!", style="yellow"), Text(warning))
    return Group(table, Text(), Text(summary.verdict.headline, style="bold"), notes)


def plain(summary: Summary) -> str:
    """The same without colours or control characters, for files and pipes; it ends with a line break."""
    cells = _cells(summary.findings)
    (first, *others), gap = cells.widths, " " * cells.gap
    lines = [
        gap.join([line[0].ljust(first), *map(str.rjust, line[1:], others)]).rstrip()
        for line in (*zip(*cells.headings, strict=True), *cells.rows)
    ]
    notes = [summary.verdict.headline, *(f"! {warning}" for warning in summary.warnings)]
    return "\n".join([*lines, "", *(textwrap.fill(note, _WIDTH, subsequent_indent="  ") for note in notes), ""])


def _cells(findings: Findings) -> _Cells:
    measure = findings.measure
    seeds = len(findings.seeds)
    headings = (
        ("", "rule"),
        ("best", "rate"),
        (
            measure.part("test"),
            f"(range of {seeds} seeds)" if seeds > 1 else "(one seed)",
        ),
        ("epochs", f"to {measure.target_text(measure.target)}"),
        ("runs", "diverged"),
        ("time", "a step"),
    )
    return _Cells(headings, tuple(_row(rule, findings) for rule in findings.rules))


def _row(rule: RuleResult, findings: Findings) -> tuple[str, ...]:
    reached = rule.epochs(findings.target)
    return (
        rule.name,
        formats.number(rule.best.lr) if rule.best else "-",
        findings.measure.spread_text(rule.test) if rule.test else "no run finished",
        formats.epochs(reached, median_epoch(reached)) if rule.best else "-",
        formats.of(rule.diverged, rule.declared - rule.missing),
        formats.duration(rule.step.centre) if rule.step else "-",
    )

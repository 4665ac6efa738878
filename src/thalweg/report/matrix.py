"""The preview of a comparison in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from thalweg.lab import formats
from thalweg.lab.matrix import Matrix
from thalweg.report.progress import clock


def render(matrix: Matrix) -> RenderableType:
    """The matrix as a table, with what it will take."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    table.add_column("rule", no_wrap=True)
    table.add_column("learning rates")
    table.add_column("runs", justify="right")
    table.add_column("recorded", justify="right")
    for row in matrix.rows:
        table.add_row(row.title, " ".join(map(formats.number, row.lrs)), str(row.runs), str(row.recorded))
    rates, seeds = len(matrix.rows[0].lrs), len(matrix.seeds)
    head = (
        f"{matrix.title}: {formats.plural(len(matrix.rows), 'rule')} × {formats.plural(rates, 'rate')} × "
        f"{formats.plural(seeds, 'seed')} = {formats.plural(matrix.runs, 'run')} of "
        f"{formats.plural(matrix.epochs, 'epoch')} ({formats.plural(matrix.steps_per_epoch, 'step')} each)"
    )
    return Group(Text(head), Text(), table, Text(), Text(_foot(matrix)))


def _foot(matrix: Matrix) -> str:
    if matrix.seconds is None:
        return "Everything is recorded; nothing is left to run."
    left, workers = formats.plural(matrix.left, "run"), formats.plural(matrix.workers, "worker")
    return f"{left} to do: about {clock(matrix.seconds)} on {workers}, judged {matrix.measured}."

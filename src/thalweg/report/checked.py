"""What was found out about somebody's optimizers, in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from thalweg.testing import Identity
from thalweg.testing.command import headline, rows_of


def render(identities: Iterable[Identity]) -> RenderableType:
    """Return each answer, green or red, with its evidence indented below."""
    blocks: list[RenderableType] = []
    for identity in identities:
        style = "green" if identity else "red"
        title = Text.assemble((identity.subject, "bold"), ": ", (headline(identity), style))
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for label, text in rows_of(identity):
            grid.add_row(Text(label), Text(text, style="yellow" if label == "note" else ""))
        blocks += [Text(), title, Padding(grid, (0, 0, 0, 2))]
    return Group(*blocks[1:])

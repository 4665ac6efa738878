"""The list of rules, one rule, and its conventions, for a terminal of any width, or as plain text."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from thalweg.lab.formats import plural

# Imported for their names alone: the list has no need of what the others are made with.
if TYPE_CHECKING:
    from thalweg.elsewhere import Row
    from thalweg.report.catalogue import Entry
    from thalweg.report.forms import Change, Form, Forms
    from thalweg.report.sheet import Sheet

WIDE = 110
"""From so many columns on, conventions have a column of their own in the list."""
PLAIN_WIDTH = 100
_LEGEND = (
    "state: numbers kept for a parameter of n × m, in brackets those kept once for all; h is history_size. "
    "bits: the same on every machine, up to 4 ulp apart, or of its BLAS. *: the default convention. "
    "`thalweg show NAME` shows one, `--conventions` what its forms differ in."
)
_RELATIONS = {
    "default": ("the default", "bold"),
    "same text": ("the same text", "green"),
    "same numbers": ("other lines, the same steps from the same numbers", "green"),
    "same numbers at a constant rate": ("other lines, the same steps as long as lr stays as it is", "yellow"),
    "same numbers from the same start": ("another start, and the same numbers otherwise", "yellow"),
    "other numbers": ("other numbers", "yellow"),
}


def plain(drawn: RenderableType, width: int = 10_000) -> str:
    """Return what is drawn without colours, and without spaces at the ends of lines; no line is longer than width."""
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(drawn)
    assert isinstance(console.file, io.StringIO)
    return "\n".join(line.rstrip() for line in console.file.getvalue().rstrip().splitlines())


# The list -------------------------------------------------------------------------------------------------------------


def listed(entries: Sequence[Entry], width: int | None = None) -> RenderableType:
    """Return the list for a terminal of that width; without a width one line for each rule, however long."""
    is_wide = width is None or width >= WIDE
    table = _columns("name", "year", "source", "state", "bits", *(["conventions"] if is_wide else []))
    table.columns[2].no_wrap = is_wide
    room = 0 if width is None else width - sum(_widths(entries)) - 2 * 4
    for entry in entries:
        source = entry.source if is_wide or len(entry.source) <= room else entry.source.replace("arXiv:", "")
        forms = _marked(entry.conventions, entry.default)
        cells = [Text(entry.name, style="bold"), Text(str(entry.year), style="dim"), Text(source)]
        if not is_wide:
            cells[2] = Text.assemble(source, "\n", forms)
        cells += [Text(entry.state), Text(entry.bits), *([forms] if is_wide else [])]
        table.add_row(*cells)
    return table if width is None else Group(table, Text(), Text(_LEGEND, style="dim"))


def _widths(entries: Iterable[Entry]) -> Iterator[int]:
    rows = [(entry.name, str(entry.year), entry.state, entry.bits) for entry in entries]
    return (max(map(len, column)) for column in zip(*rows, ("name", "year", "state", "bits"), strict=True))


def _marked(conventions: Sequence[str], default: str) -> Text:
    words = [(f"{name}*", "bold") if name == default else (name, "dim") for name in conventions]
    return Text(" ").join(Text(word, style=style) for word, style in words)


# One rule -------------------------------------------------------------------------------------------------------------


def shown(sheet: Sheet, width: int) -> RenderableType:
    """Return all about a rule."""
    head = Text.assemble((sheet.name, "bold"), f"  [{sheet.convention}]  ", (str(sheet.year), "dim"))
    blocks: list[RenderableType] = [head, Text(sheet.source)]
    blocks += [Text(), _code(sheet.text, width)] if sheet.text else []
    if sheet.text_for_vectors:
        what = "A parameter of fewer than two axes goes by:"
        blocks += [Text(), Text(what), Text(), _code(sheet.text_for_vectors, width)]
    blocks += [Text(), Padding(Text(sheet.note, style="italic"), (0, 0, 0, 2))] if sheet.note else []
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    sections: list[tuple[str, RenderableType]] = [
        ("numbers", _grid((x.name, x.default, x.range) for x in sheet.numbers)),
        ("state", _grid((x.name, x.shape, _from(x.start), x.range) for x in sheet.slots)),
        ("facts", Group(*map(Text, sheet.facts))),
        ("conventions", _marked(sheet.conventions, sheet.default)),
    ]
    for label, inside in sections:
        if not isinstance(inside, Table) or inside.rows:
            grid.add_row(Text(label), inside)
            grid.add_row()
    return Group(*blocks, Text(), grid)


def _from(start: str) -> str:
    return f"from {start}" if start and not start.startswith(("a copy", "given")) else start


def _grid(rows: Iterable[tuple[str, ...]]) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        grid.add_row(Text(row[0], style="bold"), *map(Text, row[1:]))
    return grid


def _code(text: str, width: int) -> RenderableType:
    """Return lines of Python, indented, and broken where they are too long."""
    lines = [part for line in text.removesuffix("  # fmt: skip").splitlines() for part in _broken(line, width - 2)]
    return Padding(Text("\n".join(lines), style="cyan"), (0, 0, 0, 2))


def _broken(line: str, width: int, more: str = "        ") -> list[str]:
    line = line.replace("  # fmt: skip", "")
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(line, width, subsequent_indent=indent + more, break_on_hyphens=False) or [""]


# Its conventions ------------------------------------------------------------------------------------------------------


def compared(forms: Forms, width: int) -> RenderableType:
    """Return what the conventions of a rule differ in, and what it is called elsewhere."""
    count = plural(len(forms.forms), "convention")
    blocks: list[RenderableType] = [Text.assemble((forms.name, "bold"), f" has {count}.")]
    for form in forms.forms:
        blocks += [Text(), *_form(form, forms, width)]
    if forms.elsewhere:
        blocks += [Text(), Text("In other libraries", style="bold"), Text(), *_elsewhere(forms.elsewhere, width)]
    return Group(*blocks)


def _form(form: Form, forms: Forms, width: int) -> Iterator[RenderableType]:
    words, style = _RELATIONS[form.relation]
    yield Text.assemble((form.name, "bold"), "  ", (words, style))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True, min_width=8)
    grid.add_column()
    for label, text in _rows(form, forms):
        grid.add_row(Text(label), Text(text))
    for label, changes in (("lines", form.changes), ("vectors", form.for_vectors)):
        if changes and form.relation != "same text":
            grid.add_row(Text(label), _changed(changes, width - 14))
    if form is forms.forms[0] and len(forms.forms) > 1:
        lines = [part for line in forms.lines for part in _broken(line, width - 12)]
        grid.add_row(Text("lines"), Text("\n".join(lines)))
    yield Padding(grid, (0, 0, 0, 2))


def _rows(form: Form, forms: Forms) -> Iterator[tuple[str, str]]:
    """Yield what is said of a convention in words, of all but the default one only where it differs."""
    default = forms.forms[0]
    yield "source", form.source
    if form.note and (form is default or form.note != default.note):
        yield "note", form.note
    if form is default and forms.numbers:
        yield "numbers", ", ".join(forms.numbers)
    if form.defaults:
        yield "numbers", "; ".join(_default(d.name, d.value, d.instead_of, forms.default) for d in form.defaults)
    for label in ("eps", "starts", "decay"):
        mine = getattr(form, label)
        if mine and (form is default or mine != getattr(default, label)):
            yield label, "\n".join(text.removeprefix("eps ") for text in mine)


def _default(name: str, value: str, instead_of: str, default: str) -> str:
    if not value:
        return f"no {name} ({default}: {instead_of})"
    return f"{name} {value} ({default}: {instead_of or 'none'})"


def _changed(changes: Sequence[Change], width: int) -> Text:
    found = Text()
    for change in changes:
        for mark, style, lines in (("−", "red", change.old), ("+", "green", change.new)):
            for line in lines:
                for k, part in enumerate(_broken(line, width, more="    ")):
                    found.append(f"{mark if k == 0 else ' '} {part}\n", style=style)
    found.rstrip()
    return found


def _elsewhere(rows: Sequence[Row], width: int) -> Iterator[RenderableType]:
    for row in rows:
        yield Text("\n".join(_broken(row.theirs, width)))
        yield Padding(Text("\n".join(_broken(row.ours, width - 4)), style="cyan"), (0, 0, 0, 4))
        if row.note:
            yield Padding(Text(row.note, style="dim"), (0, 0, 0, 4))


def _columns(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("name", "year", "state", "bits"))
    return table

"""One row of the table: an optimizer of another library, and how to have it here."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Row:
    """An optimizer that is here as well.

    library: what it is called in the table. theirs: the call that makes it there, with the arguments that matter; what
    is not given has the library's default. ours: an expression with `import thalweg as tw` that makes the same. note:
    what is different from others, or what to look out for.
    """

    library: str
    theirs: str
    ours: str
    note: str = ""

    @property
    def name(self) -> str:
        """What it is called there, without arguments: `torch.optim.SGD`."""
        return self.theirs.partition("(")[0]

    @property
    def rule(self) -> str:
        """The rule of `ours`, or of the chain that it is: `adam`."""
        return self._parts[0]

    @property
    def convention(self) -> str:
        """The convention of `ours`; "" for the one that has no convention, `LBFGS`."""
        return self._parts[1]

    @cached_property
    def _parts(self) -> tuple[str, str]:
        for node in ast.walk(ast.parse(self.ours, mode="eval")):
            match node:
                case ast.Call(func=ast.Attribute(attr=title), keywords=keywords) if title[0].isupper():
                    given = {k.arg: k.value for k in keywords}.get("convention", ast.Constant(""))
                    assert isinstance(given, ast.Constant)
                    return title.lower(), str(given.value)
        raise AssertionError(f"{self.ours} makes no optimizer")


@dataclass(frozen=True)
class Missing:
    """An optimizer that is not here, with the reason, and with what comes nearest where something does."""

    library: str
    name: str
    why: str


@dataclass(frozen=True)
class Library:
    """A library's rows. title: as it calls itself. version: that was read. where: the module or file."""

    key: str
    title: str
    version: str
    where: str
    rows: tuple[Row, ...]
    missing: tuple[Missing, ...]


def library(
    key: str,
    title: str,
    version: str,
    where: str,
    rows: Iterable[tuple[str, str] | tuple[str, str, str]],
    missing: Iterable[tuple[str, str]] = (),
) -> Library:
    """Return a library whose names are written without `where`, the module that they are in."""
    return Library(
        key,
        title,
        version,
        where,
        tuple(Row(title, f"{where}.{theirs}", *ours) for theirs, *ours in rows),
        tuple(Missing(title, f"{where}.{name}", why) for name, why in missing),
    )

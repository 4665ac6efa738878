"""The source of a class: its lines, its syntax tree, and the numbers that are written in it."""

from __future__ import annotations

import ast
import copy
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from types import FunctionType
from typing import Any

from thalweg.testing.numbers import is_number

Edit = Callable[[ast.Module], None]
"""Puts something right in the tree of a class."""


@dataclass(frozen=True)
class ClassSource:
    """A class as it is written. tree: a module that holds the class alone, its lines counted as in the file."""

    cls: type
    tree: ast.Module
    filename: str
    lines: tuple[str, ...]
    first_line: int

    @classmethod
    def of(cls, found: type) -> ClassSource | None:
        """Return the source of a class, or None where Python keeps none."""
        try:
            raw, first = inspect.getsourcelines(found)
            filename = inspect.getsourcefile(found) or ""
            tree = ast.parse(textwrap.dedent("".join(raw)))
        except (OSError, TypeError, SyntaxError):
            return None
        if not tree.body or not isinstance(tree.body[0], ast.ClassDef) or found.__module__.startswith("thalweg."):
            return None
        ast.increment_lineno(tree, max(first, 1) - 1)
        return cls(found, tree, filename, tuple(line.rstrip("\n") for line in raw), max(first, 1))

    def text_at(self, line: int) -> str:
        """Return a line of the file, without its indentation; nothing for one that is not of the class."""
        at = line - self.first_line
        return self.lines[at].strip() if 0 <= at < len(self.lines) else ""

    @property
    def body(self) -> ast.ClassDef:
        """The class in the tree."""
        return next(node for node in self.tree.body if isinstance(node, ast.ClassDef))

    def functions(self) -> dict[str, ast.FunctionDef]:
        """Return the methods by name."""
        return {f.name: f for f in self.body.body if isinstance(f, ast.FunctionDef)}

    def at(self, line: int) -> Iterator[ast.AST]:
        """Yield every node of the tree that begins on a line."""
        yield from (node for node in ast.walk(self.tree) if getattr(node, "lineno", None) == line)

    def literals(self) -> list[float]:
        """Return the numbers that the class is written with, those of constants of its module included."""
        found: list[Any] = [node.value for node in ast.walk(self.tree) if isinstance(node, ast.Constant)]
        module = vars(sys.modules.get(self.cls.__module__, object))
        found += [module[x.id] for x in ast.walk(self.tree) if isinstance(x, ast.Name) and x.id in module]
        return list(dict.fromkeys(float(x) for x in found if is_number(x)))

    def repaired(self, edit: Edit) -> ClassSource | None:
        """Return the class with an edit made, defined anew beside the old one; None where that does not work."""
        tree = copy.deepcopy(self.tree)
        edit(tree)
        ast.fix_missing_locations(tree)
        function = next((f for f in vars(self.cls).values() if isinstance(f, FunctionType)), None)
        names = dict(function.__globals__) if function else dict(vars(sys.modules.get(self.cls.__module__, object)))
        try:
            exec(compile(tree, self.filename, "exec"), names)  # noqa: S102  (the caller's own class)
        except Exception:  # noqa: BLE001 - then it cannot be repaired so
            return None
        made = names.get(self.cls.__name__)
        return replace(self, cls=made, tree=tree) if isinstance(made, type) else None


def frames_of(error: BaseException, filename: str | None) -> list[tuple[str, int, Any]]:
    """Return (file, line, frame) of an error from the outermost to the innermost; of one file where it is given."""
    found = []
    traceback = error.__traceback__
    while traceback is not None:
        frame = traceback.tb_frame
        if filename is None or frame.f_code.co_filename == filename:
            found.append((frame.f_code.co_filename, traceback.tb_lineno, frame))
        traceback = traceback.tb_next
    return found

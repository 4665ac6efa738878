"""Where the text of a rule comes from: a function that Python keeps the source of, or a string."""

from __future__ import annotations

import ast
import builtins
import inspect
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from types import CodeType, FunctionType
from typing import Any

from thalweg.language.errors import RuleError
from thalweg.language.vocabulary import SCOPE

Located = ast.stmt | ast.expr | ast.arg
"""Nodes of Python's syntax tree that have a line."""

MISSING = object()
"""What `Source.lookup` returns for a name that refers to nothing."""


@dataclass(frozen=True)
class Source:
    """The syntax tree of one function, the names that it can see, and where it stands.

    lines: the text, from the decorator on. first_line: the number of its first line, in the file or in the string.
    filename: None for a string. module: where it was defined. scope: what names refer to, as long as the text is read;
    in a string the words come first and need no import.
    """

    tree: ast.FunctionDef
    lines: tuple[str, ...]
    first_line: int
    filename: str | None
    module: str
    scope: Mapping[str, Any]

    def line(self, node: Located) -> int:
        """Return the line of a node, as the reader counts."""
        return node.lineno + self.first_line - 1

    @property
    def def_line(self) -> int:
        """The line of the `def`, as the reader counts."""
        return self.line(self.tree)

    def text_at(self, line: int) -> str:
        """Return the text of a line, without its indentation."""
        return self.lines[line - self.first_line].strip()

    def message(self, line: int, problem: str) -> str:
        """Return the message about a line: the function, the line, the problem with its cure, and the line's text."""
        where = "its text" if self.filename is None else PurePath(self.filename).name
        return f"{self.tree.name}, line {line} of {where}: {problem}\n    {self.text_at(line)}"

    def error(self, line: int, problem: str) -> RuleError:
        """Return the error for a line that is not in the language."""
        return RuleError(self.message(line, problem))

    def read_through(self) -> Source:
        """Return the same without its scope, so that a rule keeps nothing alive that its text only could have named."""
        return replace(self, scope={})

    def lookup(self, name: str) -> Any:
        """Return the object that a name refers to, or `MISSING`."""
        if self.filename is None and name in SCOPE:
            return SCOPE[name]
        return self.scope[name] if name in self.scope else getattr(builtins, name, MISSING)


def read(function: Callable[..., Any] | str, scope: Mapping[str, Any]) -> Source:
    """Return the Source of a function or of a text that holds one function.

    scope: the names that a string can see; a function brings its own.
    Raises RuleError where Python keeps no source (the prompt before 3.13, `-c`, `exec`).
    """
    if isinstance(function, str):
        lines = function.splitlines()
        while lines and not lines[0].strip():
            del lines[0]
        source = _parse(lines, 1, None, scope)
        if source.tree.decorator_list:
            problem = "a text has no decorators: what `@rule(...)` is given, `tw.rule(text, ...)` takes beside the text"
            raise source.error(1, problem)
        return source
    if not isinstance(function, FunctionType) or function.__name__ == "<lambda>":
        given = "a lambda" if isinstance(function, FunctionType) else repr(function)
        raise RuleError(f"a rule is a function written with `def`, or the text of one; this is {given}")
    if hasattr(function, "__wrapped__"):
        raise RuleError(
            f"{function.__name__}: another decorator stands below; a rule is the plain text of a function, and what "
            f"the other decorator does to it would be lost. Take it away"
        )
    return _read_function(function)


def scope_of_caller() -> Mapping[str, Any]:
    """Return the names that are seen where the function was called from which this one is called."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame.f_back if frame is not None else None
    return {} if frame is None else {**frame.f_globals, **frame.f_locals}


def _read_function(function: FunctionType) -> Source:
    name, code = function.__name__, function.__code__
    instead = f"Give the rule as a text: {name} = tw.rule('''def {name}(w, g, ...): ...''')"
    try:
        raw, first = inspect.getsourcelines(function)
    except (OSError, TypeError) as error:
        raise RuleError(
            f"{name}: Python keeps no source for this function (it was typed at a prompt, or came through -c or exec). "
            f"{instead}"
        ) from error
    closure = {}
    for variable, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            closure[variable] = cell.cell_contents
        except ValueError:  # bound later, or never
            continue
    source = _parse(
        [line.rstrip("\n") for line in raw], first, code.co_filename, ChainMap(closure, function.__globals__)
    )
    if not _is_text_of(source.tree, code):
        raise RuleError(
            f"{name}: what Python finds as the source of this function is the text of another one, so the file has "
            f"changed since it was imported, or the function came through exec. Import it anew. {instead}"
        )
    return source


def _is_text_of(tree: ast.FunctionDef, code: CodeType) -> bool:
    """Tell whether a function was compiled from a tree, by the names in both."""
    module = compile(ast.Module([tree], []), "<check>", "exec", dont_inherit=True)
    found = next((c for c in module.co_consts if isinstance(c, CodeType) and c.co_name == tree.name), code)

    def names(c: CodeType) -> tuple[str, tuple[str, ...], set[str]]:
        return c.co_name, c.co_varnames, {*c.co_names, *c.co_freevars}

    return names(found) == names(code)


def _parse(lines: list[str], first_line: int, filename: str | None, scope: Mapping[str, Any]) -> Source:
    # An indented function is parsed inside of a block: taking the indentation away would fail at a comment or a string
    # that stands further left.
    block = bool(lines) and lines[0][:1].isspace()
    try:
        module = ast.parse("\n".join(["if True:", *lines] if block else lines))
    except SyntaxError as error:
        line = (error.lineno or 1) - block + first_line - 1
        raise RuleError(
            f"the text of the rule is not Python: {error.msg}, line {line}\n    {(error.text or '').strip()}"
        ) from error
    if block:
        assert isinstance(module.body[0], ast.If)
        module.body = module.body[0].body
        ast.increment_lineno(module, -1)
    if len(module.body) != 1 or not isinstance(module.body[0], ast.FunctionDef):
        found = ", ".join(f"`{ast.unparse(node).splitlines()[0]}`" for node in module.body) or "nothing"
        raise RuleError(f"the text of a rule is one `def` and nothing beside it; this holds {found}")
    return Source(module.body[0], tuple(lines), first_line, filename, str(scope.get("__name__")), scope)

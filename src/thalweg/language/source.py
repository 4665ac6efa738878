"""Where the text of a rule comes from: a function that Python keeps the source of, or a string."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from thalweg import words
from thalweg.language.errors import RuleError
from thalweg.language.vocabulary import SPELLINGS

_MISSING = object()


@dataclass(frozen=True)
class Source:
    """The syntax tree of one function, the names that it can see, and where it stands."""

    tree: ast.FunctionDef
    lines: tuple[str, ...]
    first_line: int  # of `lines`, as the reader counts: within the file, or within the string
    filename: str
    scope: Mapping[str, Any]
    bare_words: bool  # a string may use the words without importing them

    def line(self, node: ast.AST) -> int:
        """Return the line of a node, as the reader counts."""
        return int(getattr(node, "lineno", 1)) + self.first_line - 1

    def text_at(self, line: int) -> str:
        """Return the text of a line, without its indentation."""
        index = line - self.first_line
        return self.lines[index].strip() if 0 <= index < len(self.lines) else ""

    def error(self, line: int, problem: str) -> RuleError:
        """Return the error for a line: rule, line, its text and the problem with its cure."""
        return RuleError(f"{self.tree.name}, line {line}: {problem}\n    {self.text_at(line)}")

    def lookup(self, name: str) -> Any:
        """Return the object that a name refers to, or the sentinel `MISSING`."""
        if name in self.scope:
            return self.scope[name]
        if self.bare_words and name in SPELLINGS:
            return getattr(words, name)
        return getattr(builtins, name, _MISSING)


MISSING = _MISSING


def read(function: Callable[..., Any] | str, scope: Mapping[str, Any] | None = None) -> Source:
    """Return the Source of a function or of a text that holds one function.

    Raises RuleError where Python keeps no source (the prompt before 3.13, `-c`, `exec`).
    """
    if isinstance(function, str):
        lines = textwrap.dedent(function).strip("\n").splitlines()
        return _parse("\n".join(lines), 1, "<text of a rule>", scope or {}, bare_words=True)
    if not inspect.isfunction(function):
        msg = f"a rule is a function or the text of one; this is {function!r}"
        raise RuleError(msg)
    try:
        raw, first = inspect.getsourcelines(function)
    except (OSError, TypeError) as error:
        msg = (
            f"{function.__name__}: Python keeps no source for this function (it was typed at a prompt, or came through -c or exec). "
            f"Give the rule as a text: {function.__name__} = tw.rule('''def {function.__name__}(w, g, *, t, lr): ...''')"
        )
        raise RuleError(msg) from error
    closure = inspect.getclosurevars(function).nonlocals
    return _parse(
        textwrap.dedent("".join(raw)),
        first,
        function.__code__.co_filename,
        {**function.__globals__, **closure},
        bare_words=False,
    )


def _parse(text: str, first_line: int, filename: str, scope: Mapping[str, Any], *, bare_words: bool) -> Source:
    try:
        module = ast.parse(text)
    except SyntaxError as error:
        msg = f"the text of the rule is not Python: {error.msg}, line {(error.lineno or 1) + first_line - 1}\n    {(error.text or '').strip()}"
        raise RuleError(msg) from error
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    if len(functions) != 1 or len(module.body) != 1:
        found = ", ".join(type(node).__name__ for node in module.body) or "nothing"
        msg = f"the text of a rule is one `def` and nothing beside it; this holds {found}"
        raise RuleError(msg)
    return Source(functions[0], tuple(text.splitlines()), first_line, filename, scope, bare_words)


def canonical(tree: ast.FunctionDef) -> str:
    """Return the text without decorators, annotations, docstring, comments and layout: what a digest is taken of."""
    copy = ast.parse(ast.unparse(tree)).body[0]
    assert isinstance(copy, ast.FunctionDef)
    copy.decorator_list = []
    copy.returns = None
    for argument in [*copy.args.args, *copy.args.kwonlyargs]:
        argument.annotation = None
    if ast.get_docstring(copy) is not None:
        copy.body = copy.body[1:]
    return ast.unparse(copy)

"""Terms: lines that many rules share, and their inlining."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from thalweg.language import nodes as n
from thalweg.language.source import Source, canonical

if TYPE_CHECKING:
    from thalweg.language.parse import Text


class Term:
    """A function of rules, such as `ema(avg, x, beta)`; in a rule's text a call of it stands for its lines.

    Called from Python it computes the same on arrays and floats.
    """

    def __init__(self, text: Text, function: Callable[..., Any] | None) -> None:
        self.text = text
        self.name = text.source.tree.name
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Return the term's value for arrays and floats."""
        if self._function is None:
            namespace: dict[str, Any] = {}
            scope = {name: self.text.source.lookup(name) for name in _free_names(self.text)}
            exec(canonical(self.text.source.tree), scope, namespace)  # noqa: S102  (the caller's own text)
            self._function = namespace[self.name]
        return self._function(*args)

    def __repr__(self) -> str:
        return f"<term {self.name}({', '.join(self.text.signature.arrays)})>"

    @property
    def canonical(self) -> str:
        """The text without layout and comments, with the texts of the terms that it uses; part of a rule's digest."""
        inner = sorted({t.canonical for t in terms_of(self.text)})
        return "\n".join([*inner, canonical(self.text.source.tree)])


def _free_names(text: Text) -> set[str]:
    import ast

    return {node.id for node in ast.walk(text.source.tree) if isinstance(node, ast.Name)} - set(text.signature.arrays)


def terms_of(text: Text) -> list[Term]:
    """Return the terms that a text calls, each once."""
    found: dict[str, Term] = {}

    def visit(statements: tuple[n.Stmt, ...]) -> None:
        for s in statements:
            if isinstance(s, n.Assign):
                expressions = s.values
            else:
                expressions = (s.cond,)
                visit(s.body)
                visit(s.orelse)
            for e in expressions:
                for node in n.walk(e):
                    if isinstance(node, n.TermCall):
                        found[node.name] = node.term

    visit(text.body)
    for value in text.returns:
        for node in n.walk(value):
            if isinstance(node, n.TermCall):
                found[node.name] = node.term
    return list(found.values())


def inline(text: Text) -> tuple[n.Stmt, ...]:
    """Return the statements of a text with every call of a term replaced by the term's lines."""
    return _Inliner(text.source).block(text.body)


class _Inliner:
    """Replaces calls of terms; every name inside a term gets the prefix `term__k__`, k counting the calls in the text."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.calls = 0

    def block(self, statements: tuple[n.Stmt, ...]) -> tuple[n.Stmt, ...]:
        out: list[n.Stmt] = []
        for s in statements:
            if isinstance(s, n.If):
                cond = self.expr(s.cond, out, s.line, lazy=False)
                out.append(n.If(cond, self.block(s.body), self.block(s.orelse), s.line))
                continue
            if len(s.values) == 1 and isinstance(s.values[0], n.TermCall):
                values = self.call(s.values[0], out, s.line, lazy=False)
            else:
                values = tuple(self.expr(v, out, s.line, lazy=False) for v in s.values)
            out.append(n.Assign(s.targets, values, s.line))
        return tuple(out)

    def expr(self, x: n.Expr, out: list[n.Stmt], line: int, *, lazy: bool) -> n.Expr:
        if isinstance(x, n.TermCall):
            values = self.call(x, out, line, lazy=lazy)
            if len(values) != 1:
                raise self.source.error(
                    line, f"`{x.name}` gives {len(values)} values; assign them to names on a line of their own"
                )
            return values[0]
        if isinstance(x, n.IfElse):
            return n.IfElse(
                self.expr(x.cond, out, line, lazy=lazy),
                self.expr(x.then, out, line, lazy=True),
                self.expr(x.other, out, line, lazy=True),
            )
        if isinstance(x, n.Logic):
            return n.Logic(x.op, tuple(self.expr(i, out, line, lazy=True) for i in x.items))
        return n.rebuild(x, lambda c: self.expr(c, out, line, lazy=lazy))

    def call(self, x: n.TermCall, out: list[n.Stmt], line: int, *, lazy: bool) -> tuple[n.Expr, ...]:
        self.calls += 1
        prefix = f"{x.name}__{self.calls}__"
        text = x.term.text
        if lazy and text.body:
            raise self.source.error(
                line, f"`{x.name}` has several lines and cannot stand in a branch of `a if c else b`; use `if`/`else`"
            )
        changed = n.assigned(text.body)
        bound: dict[str, n.Expr] = {}  # arguments that may stand for themselves; the others get a name of their own
        for name, argument in zip(text.signature.arrays, x.args, strict=True):
            value = self.expr(argument, out, line, lazy=lazy)
            if name in changed or not (lazy or isinstance(value, n.Name | n.Num)):
                out.append(n.Assign((prefix + name,), (value,), line))
            else:
                bound[name] = value
        inner = list(self.block(text.body))
        returns = tuple(self.expr(r, inner, line, lazy=lazy) for r in text.returns)
        out.extend(_rename(s, prefix, bound, line) for s in inner)
        return tuple(_substitute(r, prefix, bound) for r in returns)


def _rename(s: n.Stmt, prefix: str, bound: dict[str, n.Expr], line: int) -> n.Stmt:
    if isinstance(s, n.If):
        body, orelse = (tuple(_rename(i, prefix, bound, line) for i in arm) for arm in (s.body, s.orelse))
        return n.If(_substitute(s.cond, prefix, bound), body, orelse, line)
    values = tuple(_substitute(v, prefix, bound) for v in s.values)
    return n.Assign(tuple(prefix + t for t in s.targets), values, line)


def _substitute(x: n.Expr, prefix: str, bound: dict[str, n.Expr]) -> n.Expr:
    if isinstance(x, n.Name):
        return bound.get(x.id, n.Name(prefix + x.id))
    return n.rebuild(x, lambda c: _substitute(c, prefix, bound))

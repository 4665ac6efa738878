"""Terms: lines that many rules share, and their inlining."""

from __future__ import annotations

from typing import Any

import numpy as np

from thalweg.language import nodes as n
from thalweg.language.source import Source
from thalweg.language.vocabulary import SCOPE, WORDS


class Term:
    """A function of rules, such as `ema(avg, x, beta)`; in a rule's text a call of it stands for its lines.

    Called from Python it computes the same: arrays give arrays, numbers give floats.
    """

    def __init__(self, text: n.Text) -> None:
        self.text = text
        self.name = text.source.tree.name
        if self.name in WORDS:
            problem = f"`{self.name}` is a word of the language; call the term something else"
            raise text.source.error(text.source.def_line, problem)
        body, returns = inline(text)
        code = [
            f"def {self.name}({', '.join(text.signature.arrays)}):",
            *n.lines(tuple(n.map_expressions(s, _spell_powers) for s in body)),
            f"    return {', '.join(n.text(_spell_powers(x)) for x in returns)}",
        ]
        namespace = dict(SCOPE)
        exec("\n".join(code), namespace)  # noqa: S102  (the lines above, from a text in the language)
        self._function = namespace[self.name]

    def __call__(self, *args: Any) -> Any:
        """Return the term's value, or a tuple where it has several."""
        with np.errstate(all="ignore"):
            return self._function(*(a if isinstance(a, np.ndarray) else float(a) for a in args))

    def __repr__(self) -> str:
        return f"<term {self.name}({', '.join(self.text.signature.arrays)})>"


def _spell_powers(x: n.Expr) -> n.Expr:
    if isinstance(x, n.Bin) and x.op == "**":
        x = n.Call("power", (x.left, x.right))
    return n.rebuild(x, _spell_powers)


def canonical(text: n.Text) -> str:
    """Return what a text computes, written in one way: without layout, comments, defaults and the function's own name.

    Words have their own names, whatever they were imported as, and every call of a term holds what the term computes.
    """

    def spell(x: n.Expr) -> n.Expr:
        if isinstance(x, n.TermCall):
            x = n.Call(f"[{canonical(x.text)}]", x.args)
        return n.rebuild(x, spell)

    head = f"({', '.join(text.signature.arrays)}; {', '.join(text.signature.numbers)})"
    body = n.lines(tuple(n.map_expressions(s, spell) for s in text.body))
    return "\n".join([head, *body, ", ".join(n.text(spell(x)) for x in text.returns)])


def inline(text: n.Text) -> tuple[tuple[n.Stmt, ...], tuple[n.Expr, ...]]:
    """Return the statements of a text, and what it returns, with every call of a term replaced by the term's lines."""
    inliner = _Inliner(text.source)
    out = list(inliner.block(text.body))
    returns = tuple(inliner.expr(x, out, text.return_line, lazy=False) for x in text.returns)
    return tuple(out), returns


class _Inliner:
    """Replaces calls of terms; every name inside a term gets the prefix `term__k__`, k counting the calls in the text.

    Names with two underscores cannot be written in a text, so that no name of a term can meet one of the rule's.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.calls = 0

    def block(self, statements: tuple[n.Stmt, ...]) -> tuple[n.Stmt, ...]:
        out: list[n.Stmt] = []
        for s in statements:
            if isinstance(s, n.If):
                cond = self.expr(s.cond, out, s.line, lazy=False)
                out.append(n.If(cond, self.block(s.body), self.block(s.orelse), s.line))
            elif len(s.values) == 1 and isinstance(s.values[0], n.TermCall):
                out.append(n.Assign(s.targets, self.call(s.values[0], out, s.line, lazy=False), s.line))
            else:
                out.append(n.Assign(s.targets, tuple(self.expr(v, out, s.line, lazy=False) for v in s.values), s.line))
        return tuple(out)

    def expr(self, x: n.Expr, out: list[n.Stmt], line: int, *, lazy: bool) -> n.Expr:
        """Return x without calls of terms; their lines are appended to `out`. lazy: x may be left unevaluated."""
        match x:
            case n.TermCall():
                values = self.call(x, out, line, lazy=lazy)
                if len(values) != 1:
                    problem = f"`{x.name}` gives {len(values)} values; assign them to names on a line of their own"
                    raise self.source.error(line, problem)
                return values[0]
            case n.IfElse(cond, then, other):
                test = self.expr(cond, out, line, lazy=lazy)
                return n.IfElse(test, self.expr(then, out, line, lazy=True), self.expr(other, out, line, lazy=True))
            case n.Logic(op, items):
                return n.Logic(op, tuple(self.expr(i, out, line, lazy=lazy or k > 0) for k, i in enumerate(items)))
        return n.rebuild(x, lambda c: self.expr(c, out, line, lazy=lazy))

    def call(self, x: n.TermCall, out: list[n.Stmt], line: int, *, lazy: bool) -> tuple[n.Expr, ...]:
        self.calls += 1
        prefix = f"{x.name}__{self.calls}__"
        text = x.text
        if lazy and text.body:
            problem = (
                f"`{x.name}` has several lines and would be left half evaluated here; call it on a line of its own,"
            )
            raise self.source.error(line, f"{problem} inside `if`/`else` where only one case is computed")
        # What stands for an argument: the expression itself where it is a name or a number, or may be left unevaluated;
        # otherwise a name of its own, so that it is computed once.
        bound: dict[str, n.Expr] = {}
        changed = n.assigned(text.body)
        for name, argument in zip(text.signature.arrays, x.args, strict=True):
            value = self.expr(argument, out, line, lazy=lazy)
            if name in changed or not (lazy or isinstance(value, n.Name | n.Num)):
                out.append(n.Assign((prefix + name,), (value,), line))
            else:
                bound[name] = value

        def rename(e: n.Expr) -> n.Expr:
            if isinstance(e, n.Name):
                return bound.get(e.id, n.Name(prefix + e.id))
            return n.rebuild(e, rename)

        inner = list(self.block(text.body))
        returns = tuple(self.expr(r, inner, line, lazy=lazy) for r in text.returns)
        out.extend(_moved(n.map_expressions(s, rename), prefix, line) for s in inner)
        return tuple(rename(r) for r in returns)


def _moved(s: n.Stmt, prefix: str, line: int) -> n.Stmt:
    """Return a statement of a term as one of the rule: its targets renamed, on the line of the call."""
    if isinstance(s, n.Assign):
        return n.Assign(tuple(prefix + name for name in s.targets), s.values, line)
    body, orelse = (tuple(_moved(i, prefix, line) for i in arm) for arm in (s.body, s.orelse))
    return n.If(s.cond, body, orelse, line)

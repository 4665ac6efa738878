"""The shape of a rule's text after parsing: expressions, statements, and nothing of Python's grammar.

Nodes are immutable and compare by value, so that a pass over a text is a function from nodes to nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from thalweg.language.terms import Term


@dataclass(frozen=True)
class Num:
    """A literal number."""

    value: float


@dataclass(frozen=True)
class Name:
    """A name: the parameter, its gradient, a slot, a hyper-parameter or something assigned before."""

    id: str


@dataclass(frozen=True)
class Bin:
    """`left op right` for + - * / ** @, and // % on numbers."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Neg:
    """`-x`."""

    x: Expr


@dataclass(frozen=True)
class Compare:
    """`left op right` for < <= > >= == !=: a truth value, or a mask of them."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Logic:
    """`a and b and ...` or `a or b or ...`, on truth values that are numbers."""

    op: str
    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Not:
    """`not x`, on a truth value that is a number."""

    x: Expr


@dataclass(frozen=True)
class Call:
    """A word of the vocabulary; `axis` is -1, -2 or None and belongs to reductions."""

    word: str
    args: tuple[Expr, ...]
    axis: int | None = None


@dataclass(frozen=True)
class IfElse:
    """`then if cond else other`; only the branch taken is evaluated."""

    cond: Expr
    then: Expr
    other: Expr


@dataclass(frozen=True)
class TermCall:
    """A line shared between rules, before it is inlined; compared by the term's name and arguments."""

    term: Term = field(compare=False)
    name: str
    args: tuple[Expr, ...]


Expr = Union[Num, Name, Bin, Neg, Compare, Logic, Not, Call, IfElse, TermCall]  # noqa: UP007  (evaluated at run time, forward names)


@dataclass(frozen=True)
class Assign:
    """`targets = values`, value by value; one value for several targets is a word that returns a tuple."""

    targets: tuple[str, ...]
    values: tuple[Expr, ...]
    line: int


@dataclass(frozen=True)
class If:
    """`if cond: body else: orelse`; both assign the same names. `elif` is an If alone in `orelse`."""

    cond: Expr
    body: tuple[Stmt, ...]
    orelse: tuple[Stmt, ...]
    line: int


Stmt = Assign | If


def children(x: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside x, in the order in which they are evaluated."""
    match x:
        case Bin(_, left, right) | Compare(_, left, right):
            return (left, right)
        case Neg(inner) | Not(inner):
            return (inner,)
        case Logic(_, items):
            return items
        case Call(_, args) | TermCall(_, _, args):
            return args
        case IfElse(cond, then, other):
            return (cond, then, other)
        case _:
            return ()


def rebuild(x: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return x with `change` applied to each of its direct children."""
    match x:
        case Bin(op, left, right):
            return Bin(op, change(left), change(right))
        case Compare(op, left, right):
            return Compare(op, change(left), change(right))
        case Neg(inner):
            return Neg(change(inner))
        case Not(inner):
            return Not(change(inner))
        case Logic(op, items):
            return Logic(op, tuple(change(i) for i in items))
        case Call(word, args, axis):
            return Call(word, tuple(change(a) for a in args), axis)
        case TermCall(term, name, args):
            return TermCall(term, name, tuple(change(a) for a in args))
        case IfElse(cond, then, other):
            return IfElse(change(cond), change(then), change(other))
        case _:
            return x


def walk(x: Expr) -> Iterator[Expr]:
    """Yield x and every expression inside it."""
    yield x
    for child in children(x):
        yield from walk(child)


def assigned(statements: tuple[Stmt, ...]) -> set[str]:
    """Return the names that statements assign; both branches of an `if` assign the same."""
    found: set[str] = set()
    for s in statements:
        found |= set(s.targets) if isinstance(s, Assign) else assigned(s.body)
    return found


def names(x: Expr) -> list[str]:
    """Return the names that x reads, each once, in order of appearance."""
    return list(dict.fromkeys(n.id for n in walk(x) if isinstance(n, Name)))


_PRECEDENCE = {
    "or": 1,
    "and": 2,
    "not": 3,
    "cmp": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
    "@": 6,
    "neg": 7,
    "**": 8,
}


def text(x: Expr, outer: int = 0) -> str:
    """Return x as it would be written in Python, with the fewest brackets; used in messages and generated code."""

    def wrap(s: str, level: int) -> str:
        return f"({s})" if level < outer else s

    match x:
        case Num(value):
            return wrap(repr(value), 7 if value < 0 else 10)
        case Name(id):
            return id
        case Bin("**", left, right):
            return wrap(f"{text(left, 9)}**{text(right, 8)}", 8)
        case Bin(op, left, right):
            level = _PRECEDENCE[op]
            return wrap(f"{text(left, level)} {op} {text(right, level + 1)}", level)
        case Neg(inner):
            return wrap(f"-{text(inner, 7)}", 7)
        case Compare(op, left, right):
            return wrap(f"{text(left, 5)} {op} {text(right, 5)}", 4)
        case Logic(op, items):
            level = _PRECEDENCE[op]
            return wrap(f" {op} ".join(text(i, level + 1) for i in items), level)
        case Not(inner):
            return wrap(f"not {text(inner, 3)}", 3)
        case IfElse(cond, then, other):
            return (
                wrap(f"{text(then, 1)} if {text(cond, 1)} else {text(other, 0)}", 0) if outer == 0 else f"({text(x)})"
            )
        case Call("transpose", (arg,)):
            return f"{text(arg, 9)}.T"
        case Call(word, args, axis):
            inside = ", ".join(text(a) for a in args)
            return f"{word}({inside}, axis={axis})" if axis is not None else f"{word}({inside})"
        case TermCall(_, name, args):
            return f"{name}({', '.join(text(a) for a in args)})"

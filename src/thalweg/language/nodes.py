"""The shape of a rule's text after parsing: expressions, statements, and nothing of Python's grammar.

Nodes are immutable, so that a pass over a text is a function from nodes to nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from thalweg.language.source import Source


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
    """A line shared between rules, before it is inlined."""

    name: str
    text: Text
    args: tuple[Expr, ...]


Expr = Num | Name | Bin | Neg | Compare | Logic | Not | Call | IfElse | TermCall


@dataclass(frozen=True)
class Assign:
    """`targets = values`, value by value; one value for several targets is a word or term with several results."""

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


@dataclass(frozen=True)
class Signature:
    """What the arguments say: arrays by position, numbers by keyword with their defaults (None: none given)."""

    arrays: tuple[str, ...]
    numbers: dict[str, float | None]


@dataclass(frozen=True)
class Text:
    """A parsed function: its signature, statements, and the expressions that it returns."""

    source: Source
    signature: Signature
    body: tuple[Stmt, ...]
    returns: tuple[Expr, ...]
    return_line: int


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
        case TermCall(name, text, args):
            return TermCall(name, text, tuple(change(a) for a in args))
        case IfElse(cond, then, other):
            return IfElse(change(cond), change(then), change(other))
        case _:
            return x


def walk(x: Expr) -> Iterator[Expr]:
    """Yield x and every expression inside it."""
    yield x
    for child in children(x):
        yield from walk(child)


def names(x: Expr) -> list[str]:
    """Return the names that x reads, each once, in order of appearance."""
    return list(dict.fromkeys(n.id for n in walk(x) if isinstance(n, Name)))


def assigned(statements: tuple[Stmt, ...]) -> set[str]:
    """Return the names that statements assign in any case: of an `if`, those that both branches assign."""
    found: set[str] = set()
    for s in statements:
        found |= set(s.targets) if isinstance(s, Assign) else assigned(s.body) & assigned(s.orelse)
    return found


def map_expressions(s: Stmt, change: Callable[[Expr], Expr]) -> Stmt:
    """Return a statement with `change` applied to each expression that stands in it."""
    if isinstance(s, Assign):
        return Assign(s.targets, tuple(change(v) for v in s.values), s.line)
    body, orelse = (tuple(map_expressions(i, change) for i in arm) for arm in (s.body, s.orelse))
    return If(change(s.cond), body, orelse, s.line)


# Back to text ---------------------------------------------------------------------------------------------------------

_PRECEDENCE = {"or": 1, "and": 2, "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "@": 6}
_NOT, _COMPARE, _SIGN, _POWER, _ATOM = 3, 4, 7, 8, 9


def text(x: Expr, outer: int = 0) -> str:
    """Return x as it is written in Python, with the fewest brackets; every number is a float.

    outer: how tightly what stands around x binds; brackets are set where x binds less tightly.
    """
    level, written = _written(x)
    return written if level >= outer else f"({written})"


def _written(x: Expr) -> tuple[int, str]:
    """Return how tightly x binds, and its text without brackets around it."""
    match x:
        case Num(value):
            written = repr(float(value))
            return (_SIGN if written.startswith("-") else _ATOM), written
        case Name(id):
            return _ATOM, id
        case Bin("**", left, right):
            return _POWER, f"{text(left, _ATOM)}**{text(right, _POWER)}"
        case Bin(op, left, right):
            level = _PRECEDENCE[op]
            return level, f"{text(left, level)} {op} {text(right, level + 1)}"
        case Neg(inner):
            return _SIGN, f"-{text(inner, _SIGN)}"
        case Compare(op, left, right):
            return _COMPARE, f"{text(left, _COMPARE + 1)} {op} {text(right, _COMPARE + 1)}"
        case Logic(op, items):
            level = _PRECEDENCE[op]
            return level, f" {op} ".join(text(i, level + 1) for i in items)
        case Not(inner):
            return _NOT, f"not {text(inner, _NOT)}"
        case IfElse(cond, then, other):
            return 0, f"{text(then, 1)} if {text(cond, 1)} else {text(other)}"
        case Call(word, args, axis):
            inside = [text(a) for a in args] + ([] if axis is None else [f"axis={axis}"])
            return _ATOM, f"{word}({', '.join(inside)})"
        case TermCall(name, _, args):
            return _ATOM, f"{name}({', '.join(text(a) for a in args)})"


def lines(statements: tuple[Stmt, ...], depth: int = 1) -> list[str]:
    """Return statements as lines of Python."""
    indent = "    " * depth
    out = []
    for s in statements:
        if isinstance(s, Assign):
            out.append(f"{indent}{', '.join(s.targets)} = {', '.join(text(v) for v in s.values)}")
        else:
            out += [f"{indent}if {text(s.cond)}:", *lines(s.body, depth + 1)]
            out += [f"{indent}else:", *lines(s.orelse, depth + 1)]
    return out


_WHOLE = re.compile(r"(?<![\w.])(\d+)\.0(?![\w.])")
_NAME = re.compile(r"[A-Za-z_]\w*")
_MADE = re.compile(r"(?:.*__\d+__)?(?P<base>.*?)(?:__s?\d+)?")


def written_name(name: str) -> str:
    """Return the name in the rule's text that a generated name belongs to: `ema__1__x__4` is `x`."""
    match = _MADE.fullmatch(name)
    assert match is not None
    return match["base"]


def shown(x: Expr) -> str:
    """Return x for messages: with the names of the rule's text, and whole numbers without `.0`."""
    return _NAME.sub(lambda m: written_name(m[0]), _WHOLE.sub(r"\1", text(_as_attribute(x))))


def _as_attribute(x: Expr) -> Expr:
    """Return x with `.T` where generated code calls the word, since NumPy's own attribute reverses all axes."""
    match x:
        case Call("transpose", (arg,)):
            return Name(f"{text(_as_attribute(arg), _ATOM)}.T")
    return rebuild(x, _as_attribute)

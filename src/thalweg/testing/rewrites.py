"""What a slip does to one expression: another operator, a term left out, another name, a root in another place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from thalweg.language import nodes as n
from thalweg.rule import Rule

# What the slots of well-known rules are called in words.
_CALLED = {
    ("momentum", "v"): "the velocity",
    ("momentum", "b"): "the buffer",
    ("nesterov", "v"): "the velocity",
    ("nesterov", "b"): "the buffer",
    ("adagrad", "h"): "the sum of squares",
    ("rmsprop", "h"): "the average of squares",
    ("rmsprop", "v"): "the average of squares",
    ("adam", "m"): "the average of gradients",
    ("adam", "v"): "the average of squares",
}


@dataclass(frozen=True)
class Slip:
    """A kind of slip at one place, in words that complete "equal to it ...". rank: the smaller, the more common."""

    kind: str
    words: str
    rank: int


Local = Callable[[n.Expr], Iterator[tuple[n.Expr, Slip]]]


def called(rule: Rule, name: str) -> str:
    """Return what a name of a rule's text is called in words, or the name itself in quotes."""
    w, g = rule.text.signature.arrays[:2]
    known = {w: "the parameter", g: "the gradient"}
    return known.get(name) or _CALLED.get((rule.name, name)) or f"`{n.written_name(name)}`"


def rewritten(x: n.Expr, local: Local) -> Iterator[tuple[n.Expr, Slip]]:
    """Yield x with each of its parts, itself included, changed in each way that `local` knows for it."""
    yield from local(x)
    parts = n.children(x)
    for i, part in enumerate(parts):
        for new, slip in rewritten(part, local):
            yield _with_part(x, i, new), slip


def _with_part(x: n.Expr, i: int, new: n.Expr) -> n.Expr:
    parts = iter([new if k == i else part for k, part in enumerate(n.children(x))])
    return n.rebuild(x, lambda _: next(parts))


def local_slips(rule: Rule) -> Local:
    """Return what can go wrong with one node of a rule's text."""
    fractions = [name for name in rule.defaults if 0.5 in rule.ranges[name] and 1.0 not in rule.ranges[name]]
    numbers = [name for name, slot in rule.slots.items() if slot.is_number]
    arrays = [name for name in (rule.text.signature.arrays[1], *rule.slots) if name not in numbers]

    def local(x: n.Expr) -> Iterator[tuple[n.Expr, Slip]]:
        match x:
            case n.Bin(op, left, right):
                yield from _roots(x)
                yield from _steps(rule, x)
                if op in _BINARY:
                    yield from _BINARY[op](rule, left, right)
            case n.Call("power", (left, right)):
                yield from _power(rule, left, right)
            case n.Call() | n.Neg() | n.IfElse():
                yield from _unwrapped(x)
            case n.Name(name) if name in fractions:
                opposite = n.Bin("-", n.Num(1.0), x)
                yield opposite, Slip("opposite", f"with `1 - {name}` for `{name}`", 5)
                for other in fractions:
                    if other != name:
                        yield n.Name(other), Slip("other name", f"with `{other}` for `{name}`", 4)
            case n.Name(name) if name in arrays or name in numbers:
                for other in arrays if name in arrays else numbers:
                    if other != name:
                        yield n.Name(other), Slip("other name", f"with `{other}` for `{name}`", 6)

    return local


def _unwrapped(x: n.Call | n.Neg | n.IfElse) -> Iterator[tuple[n.Expr, Slip]]:
    """What stands around something left out; one of two for the larger of both; one case for both."""
    match x:
        case n.Call("sqrt" | "cbrt", (inner,)):
            yield inner, Slip("no root", f"without the root of `{n.shown(inner)}`", 2)
        case n.Call("square", (inner,)):
            yield inner, Slip("no square", f"with `{n.shown(inner)}` that is not squared", 2)
        case n.Call("abs" | "sign" | "clip" as word, (inner, *_)):
            yield inner, Slip("left out", f"without `{word}` around `{n.shown(inner)}`", 3)
        case n.Neg(inner):
            yield inner, Slip("operator", f"without the `-` in front of `{n.shown(inner)}`", 3)
        case n.Call("maximum" | "minimum" as word, (left, right)):
            other = {"maximum": "minimum", "minimum": "maximum"}[word]
            yield n.Call(other, (left, right)), Slip("exchanged", f"with `{other}` for `{n.shown(x)}`", 3)
            for part in (left, right):
                yield part, Slip("left out", f"with `{n.shown(part)}` for `{n.shown(x)}`", 4)
        case n.IfElse(cond, then, otherwise) | n.Call("where", (cond, then, otherwise)):
            for part in (then, otherwise):
                yield part, Slip("one case", f"with `{n.shown(part)}` whether `{n.shown(cond)}` or not", 5)


def _beside(rule: Rule, op: str, new: str, right: n.Expr) -> str:
    """Return where an operator was exchanged, in words."""
    behind = called(rule, right.id) if isinstance(right, n.Name) else f"`{n.shown(right)}`"
    return f"with `{new}` for `{op}` in front of {behind}"


def _product(rule: Rule, a: n.Expr, b: n.Expr) -> Iterator[tuple[n.Expr, Slip]]:
    yield n.Bin("+", a, b), Slip("operator", _beside(rule, "*", "+", b), 1)
    yield n.Bin("-", a, b), Slip("operator", _beside(rule, "*", "-", b), 3)
    yield b, Slip("left out", f"without the factor `{n.shown(a)}`", 2)
    yield a, Slip("left out", f"without the factor `{n.shown(b)}`", 2)
    yield n.Bin("/", a, b), Slip("operator", _beside(rule, "*", "/", b), 4)
    if a == b:
        yield n.Num(0.0), Slip("left out", f"without `{n.shown(a)} * {n.shown(b)}`", 8)


def _quotient(rule: Rule, a: n.Expr, b: n.Expr) -> Iterator[tuple[n.Expr, Slip]]:
    yield n.Bin("*", a, b), Slip("operator", _beside(rule, "/", "*", b), 2)
    yield a, Slip("left out", f"without the divisor `{n.shown(b)}`", 2)
    if isinstance(b, n.Bin) and b.op in ("+", "-"):
        lost = n.Bin(b.op, n.Bin("/", a, b.left), b.right)
        yield lost, Slip("brackets", f"without the brackets around `{n.shown(b)}`", 1)
    yield n.Bin("/", b, a), Slip("exchanged", f"with `{n.shown(b)}` divided by `{n.shown(a)}`", 6)


def _sum(rule: Rule, a: n.Expr, b: n.Expr) -> Iterator[tuple[n.Expr, Slip]]:
    yield n.Bin("-", a, b), Slip("operator", _beside(rule, "+", "-", b), 2)
    yield a, Slip("left out", f"without `+ {n.shown(b)}`", 2)
    yield b, Slip("left out", f"without `{n.shown(a)} +`", 2)
    yield n.Bin("*", a, b), Slip("operator", _beside(rule, "+", "*", b), 4)
    yield n.Bin("-", b, a), Slip("operator", f"with `{n.shown(b)} - {n.shown(a)}` for `{n.shown(a)} + {n.shown(b)}`", 5)


def _difference(rule: Rule, a: n.Expr, b: n.Expr) -> Iterator[tuple[n.Expr, Slip]]:
    yield n.Bin("+", a, b), Slip("operator", _beside(rule, "-", "+", b), 1)
    yield a, Slip("left out", f"without `- {n.shown(b)}`", 3)
    if isinstance(a, n.Num):
        yield b, Slip("opposite", f"with `{n.shown(b)}` for `{n.shown(a)} - {n.shown(b)}`", 2)
    else:
        yield n.Neg(b), Slip("left out", f"without `{n.shown(a)}` in front of `- {n.shown(b)}`", 3)
    yield (
        n.Bin("-", b, a),
        Slip("exchanged", f"with `{n.shown(b)} - {n.shown(a)}` for `{n.shown(a)} - {n.shown(b)}`", 4),
    )
    both = n.Bin("-", n.Neg(a), b)
    yield both, Slip("operator", f"with `{n.shown(both)}` for `{n.shown(a)} - {n.shown(b)}`", 6)


def _power(rule: Rule, a: n.Expr, b: n.Expr) -> Iterator[tuple[n.Expr, Slip]]:
    del rule
    what = f"`{n.shown(a)}**{n.shown(b)}`"
    if b == n.Num(2.0):
        yield a, Slip("no square", f"with `{n.shown(a)}` for {what}", 1)
        yield n.Call("abs", (a,)), Slip("no square", f"with `abs({n.shown(a)})` for {what}", 3)
        yield n.Bin("*", n.Num(2.0), a), Slip("operator", f"with `2 * {n.shown(a)}` for {what}", 2)
    else:
        yield a, Slip("left out", f"with `{n.shown(a)}` for {what}", 2)
        yield n.Bin("*", a, b), Slip("operator", f"with `{n.shown(a)} * {n.shown(b)}` for {what}", 2)


_BINARY: dict[str, Callable[[Rule, n.Expr, n.Expr], Iterator[tuple[n.Expr, Slip]]]] = {
    "*": _product, "/": _quotient, "+": _sum, "-": _difference, "**": _power,
}  # fmt: skip


def _steps(rule: Rule, x: n.Bin) -> Iterator[tuple[n.Expr, Slip]]:
    """What is added to the parameter, times the learning rate once more."""
    w = rule.text.signature.arrays[0]
    match x:
        case n.Bin("+" | "-" as op, n.Name(name), step) if name == w and "lr" in rule.defaults:
            twice = n.Bin(op, x.left, n.Bin("*", n.Name("lr"), step))
            yield twice, Slip("twice", "with the step multiplied by `lr` once more", 3)


def _roots(x: n.Bin) -> Iterator[tuple[n.Expr, Slip]]:
    """A root and what is added to it, in other places."""
    match x:
        case n.Bin("+", n.Call("sqrt", (inner,)), n.Name(eps)) | n.Bin("+", n.Name(eps), n.Call("sqrt", (inner,))):
            inside = n.Call("sqrt", (n.Bin("+", inner, n.Name(eps)),))
            written = f"`{n.shown(inside)}` for `{n.shown(x)}`"
            yield inside, Slip("inside the root", f"with `{eps}` inside the root, {written}", 0)
            squared = n.Call("sqrt", (n.Bin("+", inner, n.Bin("**", n.Name(eps), n.Num(2.0))),))
            yield squared, Slip("inside the root", f"with the square of `{eps}` inside the root", 3)
            larger = n.Call("maximum", (n.Call("sqrt", (inner,)), n.Name(eps)))
            yield larger, Slip("larger of both", f"with `{n.shown(larger)}` for `{n.shown(x)}`", 3)
        case n.Bin("+", n.Bin("/", n.Call("sqrt", (inner,)), divisor), n.Name(eps)):
            above = n.Bin("/", n.Call("sqrt", (n.Bin("+", inner, n.Name(eps)),)), divisor)
            written = f"`{n.shown(above)}` for `{n.shown(x)}`"
            yield above, Slip("inside the root", f"with `{eps}` inside the root, {written}", 0)
            match divisor:
                case n.Call("sqrt", (bottom,)):
                    both = n.Call("sqrt", (n.Bin("+", n.Bin("/", inner, bottom), n.Name(eps)),))
                    written = f"`{n.shown(both)}` for `{n.shown(x)}`"
                    yield both, Slip("inside the root", f"with `{eps}` inside the root, {written}", 0)

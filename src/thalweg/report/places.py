"""Where a text has its eps and its weight decay: what conventions differ in most often, read off the text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from thalweg.language import nodes as n
from thalweg.language.terms import inline
from thalweg.report.sheet import written
from thalweg.rule import Rule

_EPS = re.compile(r"eps\d?(_1d|_root)?")
_KINDS = {"sqrt": "root", "cbrt": "root", "power": "root", "norm": "norm", "rms": "norm"}


def eps_of(rule: Rule) -> tuple[str, ...]:
    """Return each eps with its default and its places: `eps 1e-8 added to the corrected root`.

    A root is corrected if it depends on t. eps_root is left out where it is inside of the root.
    """
    found = []
    for name, default in rule.defaults.items():
        if _EPS.fullmatch(name) and default is not None:
            starts = [f"where {slot} starts" for slot, of in rule.slots.items() if of.start == name]
            places = dict.fromkeys([*_places(rule, name), *starts])
            if name == "eps_root" and all(place.startswith("inside") for place in places):
                continue
            found.append(f"{name} {written(default)} {' and '.join(places)}")
    return tuple(found)


def decay_of(rule: Rule) -> tuple[str, ...]:
    """Return the lines in which its weight decay acts, with what they are; nothing for a rule without one."""
    w, g = rule.text.signature.arrays[:2]
    found = []
    statements = list(_assignments(rule.text.body))
    last = max((k for k, s in enumerate(statements) if w in s.targets), default=-1)
    for k, s in enumerate(statements):
        for target, value in zip(s.targets, s.values, strict=False):
            if "weight_decay" in n.names(value):
                is_gradient = isinstance(value, n.Bin) and value.left == n.Name(g)
                kind = "in the step: " if k == last else "before the step: " if target == w else ""
                found.append(f"{'in the gradient: ' if is_gradient else kind}{target} = {n.shown(value)}")
    return tuple(found)


def _assignments(statements: tuple[n.Stmt, ...]) -> Iterator[n.Assign]:
    for s in statements:
        if isinstance(s, n.Assign):
            yield s
        else:
            yield from _assignments((*s.body, *s.orelse))


# What is known of a value ---------------------------------------------------------------------------------------------

Facts = frozenset[str]
"""Of a value: "root" or "norm" if there is one in it, "t" if it depends on the step count."""


def _facts_of(x: n.Expr, known: Mapping[str, Facts]) -> Facts:
    found: set[str] = set()
    for part in n.walk(x):
        if isinstance(part, n.Name):
            found |= known.get(part.id, frozenset())
        elif isinstance(part, n.Call) and part.word in _KINDS:
            found.add(_KINDS[part.word])
    return frozenset(found)


def _places(rule: Rule, eps: str) -> Iterator[str]:
    body, _ = inline(rule.text)
    known = {"t": frozenset({"t"})}
    corrects = any(_is_correction(x, known) for s in _assignments(body) for value in s.values for x in n.walk(value))
    for s in _assignments(body):
        for target, value in zip(s.targets, s.values, strict=False):
            for place in _around(value, eps, known):
                if target in rule.slots and _is_summand(eps, value):
                    yield f"added into {target} in every step"
                else:
                    yield place if corrects else re.sub("(un)?corrected ", "", place)
            is_number = target in rule.slots and rule.slots[target].is_number
            known[target] = frozenset() if is_number else _facts_of(value, known)


def _is_correction(x: n.Expr, known: Mapping[str, Facts]) -> bool:
    """Tell whether x is `1 - beta**t` or its like: what an average that starts at zero is divided by."""
    match x:
        case n.Bin("-", n.Num(1.0), n.Bin("**", _, exponent)):
            return "t" in _facts_of(exponent, known)
    return False


def _around(x: n.Expr, eps: str, known: Mapping[str, Facts]) -> Iterator[str]:
    """Yield the place of each eps in x, in words."""
    match x:
        case n.Call(word, args) if word in _KINDS and any(_is_summand(eps, a) for a in args):
            yield f"inside {_named(n.Call(word, args), known)}"
        case n.Call("maximum", (one, other)) if _is_scaled(other, eps) or _is_scaled(one, eps):
            yield f"as the least value of {_named(one if _is_scaled(other, eps) else other, known)}"
        case n.Bin("+", one, other) if _is_scaled(other, eps) or _is_scaled(one, eps):
            yield f"added to {_named(one if _is_scaled(other, eps) else other, known)}"
        case _:
            for child in n.children(x):
                yield from _around(child, eps, known)


def _is_summand(eps: str, x: n.Expr) -> bool:
    match x:
        case n.Bin("+", one, other):
            return any(_is_scaled(part, eps) or _is_summand(eps, part) for part in (one, other))
    return False


def _is_scaled(x: n.Expr, eps: str) -> bool:
    """Tell whether x is eps, or eps times something, or a power of it."""
    match x:
        case n.Name(id):
            return id == eps
        case n.Bin("*" | "**" | "/", one, other):
            return _is_scaled(one, eps) or _is_scaled(other, eps)
    return False


def _named(x: n.Expr, known: Mapping[str, Facts]) -> str:
    found = _facts_of(x, known)
    if not found & {"root", "norm"}:
        return n.shown(x)
    return f"the {'corrected' if 't' in found else 'uncorrected'} root" if "root" in found else "the norm"

"""How the conventions of a rule differ: defaults, lines, and what differs most often: eps, starts and decay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

import numpy as np

from thalweg.elsewhere import Row, rows_of
from thalweg.hyperparams import defaults_of
from thalweg.language import nodes as n
from thalweg.report.places import decay_of, eps_of
from thalweg.report.sheet import note_of, written
from thalweg.rule import Rule

STEPS = 24
SAME = 1e-9  # of the largest step: some roundings of 1e-16 each, and no difference that anybody has meant


Relation = Literal[
    "default",
    "same text",
    "same numbers",
    "same numbers at a constant rate",
    "same numbers from the same start",
    "other numbers",
]
"""Of a convention to the default one. Numbers are the same where both texts, tried with the same hyper-parameters, gave
the same steps up to rounding; what only one of them has was at its default."""


@dataclass(frozen=True)
class Default:
    """A hyper-parameter whose default differs: here, and in the default convention; "" where there is none."""

    name: str
    value: str
    instead_of: str


@dataclass(frozen=True)
class Change:
    """Lines of the default convention, and those that stand in their place."""

    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True)
class Form:
    """One convention beside the default one.

    name, source, note: as in `Sheet`. defaults: those that differ, of the rule for vectors too. changes: of the lines.
    for_vectors: the same of the rule for parameters of fewer than two axes. relation: to the default convention, see
    `Relation`. eps: the value and places of each eps. starts: slots that do not start at zero. decay: where the weight
    decay acts.
    """

    name: str
    source: str
    note: str
    relation: Relation
    defaults: tuple[Default, ...]
    changes: tuple[Change, ...]
    for_vectors: tuple[Change, ...]
    eps: tuple[str, ...]
    starts: tuple[str, ...]
    decay: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values, under the names of its attributes."""
        changes = {
            name: [{"old": list(c.old), "new": list(c.new)} for c in getattr(self, name)]
            for name in ("changes", "for_vectors")
        }
        lists = {name: list(getattr(self, name)) for name in ("eps", "starts", "decay")}
        return {**vars(self), **changes, **lists, "defaults": [vars(d) for d in self.defaults]}


@dataclass(frozen=True)
class Forms:
    """All conventions of a rule, the default one first, with numbers and lines of that one; and the table's rows."""

    name: str
    default: str
    numbers: tuple[str, ...]
    lines: tuple[str, ...]
    forms: tuple[Form, ...]
    elsewhere: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        rows = [
            {"library": r.library, "theirs": r.theirs, "ours": r.ours, "convention": r.convention, "note": r.note}
            for r in self.elsewhere
        ]
        forms = [form.to_json() for form in self.forms]
        lists = {"numbers": list(self.numbers), "lines": list(self.lines), "conventions": forms, "elsewhere": rows}
        return {"name": self.name, "default": self.default, **lists}


def forms_of(rule: Rule) -> Forms:
    """Return the conventions of a rule, and what differs between each and the default one."""
    default = rule.family.get(None)
    others = [form for form in rule.conventions.values() if form is not default]
    forms = tuple(_form(form, default) for form in (default, *others))
    numbers = tuple(f"{name} {written(x)}" for name, x in defaults_of(default).items() if x is not None)
    lines = tuple(lines_of(default))
    return Forms(default.title, default.convention_name, numbers, lines, forms, rows_of(rule.name))


def forms_of_lbfgs() -> Forms:
    """Return the one form of L-BFGS, which has no text to compare."""
    one = Form("torch", "torch.optim.LBFGS", "", "default", (), (), (), (), (), ())
    return Forms("LBFGS", "torch", (), (), (one,), rows_of("lbfgs"))


def _form(rule: Rule, default: Rule) -> Form:
    vectors = changes(default.vectors, rule.vectors) if default.vectors and rule.vectors else ()
    return Form(
        rule.convention_name, rule.source, note_of(rule), _relation(rule, default), tuple(_defaults(rule, default)),
        changes(default, rule), vectors, eps_of(rule), starts_of(rule), decay_of(rule),
    )  # fmt: skip


def _relation(rule: Rule, default: Rule) -> Relation:
    if rule is default:
        return "default"
    if rule.digest == default.digest:
        return "same text"
    if agree(rule, default):
        return "same numbers"
    if agree(rule, default, rate_changes=False):
        return "same numbers at a constant rate"
    return "same numbers from the same start" if agree(rule, default, initial_accumulator=0.0) else "other numbers"


def _defaults(rule: Rule, default: Rule) -> Iterator[Default]:
    for name in dict.fromkeys([*defaults_of(rule), *defaults_of(default)]):
        value, instead_of = (_default_of(one, name) for one in (rule, default))
        if value != instead_of:
            yield Default(name, value, instead_of)


def _default_of(rule: Rule, name: str) -> str:
    found = defaults_of(rule)
    value = found.get(name)
    return "" if name not in found else "none" if value is None else written(value)


# Lines ----------------------------------------------------------------------------------------------------------------


def lines_of(rule: Rule) -> list[str]:
    """Return the statements of a text, each written in one way."""
    return list(_lines(rule.text.body))


def _lines(statements: tuple[n.Stmt, ...], indent: str = "") -> Iterator[str]:
    for s in statements:
        if isinstance(s, n.Assign):
            yield f"{indent}{', '.join(s.targets)} = {', '.join(map(n.shown, s.values))}"
        else:
            yield f"{indent}if {n.shown(s.cond)}:"
            yield from _lines(s.body, f"{indent}    ")
            yield f"{indent}else:"
            yield from _lines(s.orelse, f"{indent}    ")


def changes(old: Rule, new: Rule) -> tuple[Change, ...]:
    """Return where the lines of two texts differ, each line beside the one that assigns the same name."""
    a, b = lines_of(old), lines_of(new)
    found: list[Change] = []
    for tag, i, j, k, m in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag != "equal":
            found += _paired(a[i:j], b[k:m])
    return tuple(found)


def _paired(old: list[str], new: list[str]) -> list[Change]:
    """Return a run of other lines as changes, split where both sides assign the same name, in the same order."""
    a, b = ([line.partition(" = ")[0] for line in side] for side in (old, new))
    found, i, k = [], 0, 0
    for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks():
        if i < block.a or k < block.b:
            found.append(Change(tuple(old[i : block.a]), tuple(new[k : block.b])))
        found += [Change((old[block.a + step],), (new[block.b + step],)) for step in range(block.size)]
        i, k = block.a + block.size, block.b + block.size
    return [c for c in found if c.old != c.new]


# Numbers --------------------------------------------------------------------------------------------------------------


def agree(rule: Rule, other: Rule, *, rate_changes: bool = True, **given: float) -> bool:
    """Tell whether two texts give the same steps up to rounding, given the same hyper-parameters and gradients.

    It is tried: with the defaults of either and with other numbers, eps and weight decay far from zero, on gradients
    that depend on the parameters, elements that are zero and gradients that are zero at first, and a rate that changes
    on the way. What only one of them has is at its default, or is given. Their rules for vectors have to agree too, and
    to be for the same parameters.
    """
    if rule.only_matrices != other.only_matrices:
        return False
    pairs = [(rule, other)] + ([(rule.vectors, other.vectors)] if rule.vectors and other.vectors else [])
    return all(
        _same(one, two, numbers | given, later)
        for one, two in pairs
        for numbers in _tried(one, two)
        for later in ([0.4] if rate_changes and "lr" in numbers else [1.0])
    )


def _same(rule: Rule, other: Rule, numbers: Mapping[str, float], later: float) -> bool:
    one, two = (_path(form, numbers, later) for form in (rule, other))
    scale = max(np.abs(np.diff(path, axis=0)).max() for path in (one, two))
    return bool(np.abs(one - two).max() <= SAME * scale)


def _tried(rule: Rule, other: Rule) -> list[dict[str, float]]:
    """Return the numbers to try two texts with, in whichever order they are given."""
    found = [choose(*pair) for choose in (_numbers, _moved) for pair in ((rule, other), (other, rule))]
    return [numbers for k, numbers in enumerate(found) if numbers not in found[:k]]


def _numbers(rule: Rule, other: Rule) -> dict[str, float]:
    """Return numbers for what both take: those of the first, but for what is zero or too small to be seen."""
    both = {name: x for name, x in rule.defaults.items() if name in other.defaults and x is not None}
    seen = {name: 0.01 for name in both if re.match("eps|weight_decay|lr_decay", name)}
    return both | {name: x for name, x in seen.items() if rule.ranges[name].holds_low or both[name] > 0}


def _moved(rule: Rule, other: Rule) -> dict[str, float]:
    """Return other numbers for what both take, where both take them."""
    found = _numbers(rule, other)
    for name, x in found.items():
        legal = (rule.ranges[name], other.ranges[name])
        tried = () if legal[0].whole else (0.9 * x + 0.05, 3.0 * x + 2.0, 1.7 * x)
        found[name] = next((y for y in tried if all(y in interval for interval in legal)), x)
    return found


def _path(rule: Rule, numbers: Mapping[str, float], later: float) -> np.ndarray[Any, Any]:
    """Return the parameter at every step. later: what lr is multiplied by halfway."""
    rng = np.random.default_rng(0)
    given = {name: x for name, x in numbers.items() if name in rule.defaults}
    w = rng.standard_normal((4, 3))
    w[:, -1] = 0.0
    goal = rng.standard_normal(w.shape)
    state = [_start(rule, name, w, {**rule.defaults, **given}) for name in rule.slots]
    more: dict[str, float] = {name: 1.0 for name in ("value", "fresh") if name in rule.text.signature.numbers}
    path = [w]
    with np.errstate(all="ignore"):
        for t in range(1, STEPS + 1):
            g = w - goal + 0.1 * rng.standard_normal(w.shape)
            g[0] *= t > 3
            if t == STEPS // 2 and later != 1.0:
                given["lr"] *= later
            if "t" in rule.text.signature.numbers:
                more["t"] = float(t)
            w, *state = rule.function(w, g, *state, **given, **more)
            path.append(w)
    return np.array(path)


def _start(rule: Rule, name: str, w: np.ndarray[Any, Any], numbers: Mapping[str, Any]) -> Any:
    """Return a slot before the first step, for a parameter of two axes."""
    slot = rule.slots[name]
    start = numbers[slot.start] if isinstance(slot.start, str) else slot.start
    shape = slot.shape_for(w.shape, numbers)
    if shape is None:
        return start
    if slot.copies:
        return w.copy()
    if slot.is_square:
        return np.broadcast_to(start * np.eye(shape[-1]), shape).copy()
    return np.ones(shape) if slot.given else np.full(shape, start)


def starts_of(rule: Rule) -> tuple[str, ...]:
    """Return what its slots start at, of those that do not start at zero."""
    found = []
    for name, slot in rule.slots.items():
        if slot.copies:
            found.append(f"{name} is a copy of w")
        elif isinstance(slot.start, str) and (default := rule.defaults[slot.start]) is not None:
            found.append(f"{name} = {slot.start} ({written(default)})")
        elif slot.start:
            found.append(f"{name} = {written(float(slot.start))}")
    return tuple(found)

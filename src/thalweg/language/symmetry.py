"""Symmetries of a rule that can be read off its text: what happens to the step when its arguments are changed.

Each is an interpretation of the straight line over something smaller than numbers:

    scale   the gradient times c > 0: every value is times c**degree
    parity  parameter and gradient with the other sign: every value keeps its sign, or changes it
    shift   the parameter plus c: every value stays, or is plus c as well

A value that follows none of these is None, and so is all that is computed from it. Zero has every degree and every
parity, so that what is known to be zero (eps, weight decay) does not disturb the rest. Each symmetry names the numbers
that have to be zero for it, and no others: only such as may be zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat
from thalweg.language.ranges import Range
from thalweg.language.state import Slot
from thalweg.language.zeros import without

ANY = "any"
"""What zero is: it has every degree and parity."""


_DISTURBING = re.compile(r"eps\w*|weight_decay\w*|initial_accumulator|lambd")


@dataclass(frozen=True)
class Symmetries:
    """What happens to the step when the arguments of a rule are changed, and which numbers have to be zero for that.

    shifted: a parameter that starts at c more stays at c more, up to rounding. odd: parameter and gradient with the
    other sign give the new parameter with the other sign, bit for bit; a rule of matrices promises no bits. degree:
    gradients times c > 0 give steps times c**degree (0: the scale of the loss does not matter); None where there is no
    such number. shifted_at, odd_at, degree_at: the hyper-parameters that have to be zero for each.
    """

    shifted: bool
    odd: bool
    degree: float | None
    shifted_at: tuple[str, ...] = ()
    odd_at: tuple[str, ...] = ()
    degree_at: tuple[str, ...] = ()

    def and_of(self, other: Symmetries) -> Symmetries:
        """Return what holds for two rules at once: one for matrices, and one for vectors."""
        degree = self.degree if self.degree == other.degree else None
        return Symmetries(
            shifted := self.shifted and other.shifted,
            odd := self.odd and other.odd,
            degree,
            _both(self.shifted_at, other.shifted_at) if shifted else (),
            _both(self.odd_at, other.odd_at) if odd else (),
            _both(self.degree_at, other.degree_at) if degree is not None else (),
        )


def symmetries_of(text: n.Text, flat: Flat, slots: Mapping[str, Slot], ranges: Mapping[str, Range]) -> Symmetries:
    """Return the symmetries of a rule."""
    new = flat.outputs[text.signature.arrays[0]]
    zeros = tuple(x for x in ranges if x not in slots and _DISTURBING.fullmatch(x) and 0.0 in ranges[x])

    def found(law: type[_Law], zeros: tuple[str, ...]) -> Any:
        known = _fixed_point(law(zeros), text, flat, slots)
        return None if known is None or known[new] == ANY else known[new]

    def fewest(law: type[_Law], needed: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the numbers that have to be zero for a law, `needed` among them: each is tried without."""
        wanted, kept = found(law, zeros), zeros
        for name in zeros:
            others = tuple(x for x in kept if x != name)
            if name not in needed and found(law, others) == wanted:
                kept = others
        return kept

    shifted = found(_Shift, zeros) == 1.0
    odd = not flat.has_matrix_words and found(_Parity, zeros) == -1.0
    degree = None
    # Where the step does not read the parameter, it is what is left of a parameter that is zero.
    if shifted and not any(slot.copies for slot in slots.values()):
        degree = found(_Scale, zeros)
    shifted_at = fewest(_Shift) if shifted else ()
    odd_at = fewest(_Parity) if odd else ()
    return Symmetries(
        shifted, odd, degree, shifted_at, odd_at, fewest(_Scale, shifted_at) if degree is not None else ()
    )


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one + other))


def _fixed_point(law: _Law, text: n.Text, flat: Flat, slots: Mapping[str, Slot]) -> dict[str, Any] | None:
    """Return what each name is under a law, with slots that are what they become; None if there is no such thing."""
    w, g = text.signature.arrays[:2]
    own = {w: law.parameter, g: law.gradient}
    for name in text.signature.numbers:
        own[name] = ANY if name in law.zeros else law.number
        if name == "value":
            own[name] = law.loss
    for name, slot in slots.items():
        starts_at_zero = slot.start == 0.0 or slot.start in law.zeros
        own[name] = law.parameter if slot.copies else ANY if starts_at_zero else law.start
        if not slot.is_kept:
            own[name] = law.given if slot.given else None
    for _ in range(2 + 2 * len(slots)):
        known = dict(own)
        for step in flat.steps:
            value = law.value(without(step.expr, law.zeros), known)
            known |= dict.fromkeys(step.names, value)
        after = {name: known[flat.outputs[name]] for name in slots if name in flat.outputs}
        joined = {name: _joined(own[name], new) for name, new in after.items()}
        if all(joined[name] == own[name] for name in joined):
            return known
        own |= joined
    return None


def _joined(old: Any, new: Any) -> Any:
    return new if old == ANY else old if new in (ANY, old) else None


class _Law:
    """How one change of the arguments goes through operations; None is a value that follows no law."""

    parameter: Any = 0.0
    gradient: Any = 0.0
    number: Any = 0.0
    start: Any = 0.0
    loss: Any = 0.0
    given: Any = 0.0

    def __init__(self, zeros: Collection[str]) -> None:
        self.zeros = zeros

    def value(self, x: n.Expr, known: Mapping[str, Any]) -> Any:
        """Return what an expression is; None where it follows no law."""
        match x:
            case n.Num(number):
                return ANY if number == 0 else self.number
            case n.Name(id):
                return known[id]
            case n.IfElse(cond, then, other):
                test = self.value(cond, known)
                arms = self.value(then, known), self.value(other, known)
                return None if test is None else self.same(*arms)
            case n.Logic(_, items):
                return self.all_fixed([self.value(i, known) for i in items])
            case n.Not(inner):
                return self.value(inner, known)
            case n.Compare(_, left, right):
                return self.compare(self.value(left, known), self.value(right, known))
            case n.Neg(inner):
                return self.negated(self.value(inner, known))
            case n.Bin(op, left, right):
                return self.operation(op, self.value(left, known), self.value(right, known))
            case n.Call(word, args, _):
                values = [self.value(a, known) for a in args]
                if word == "clip" and (args[2] == n.Neg(args[1]) or args[1] == n.Neg(args[2]) or _are_opposite(args)):
                    return self.clipped(values)
                return self.call(word, values)
        return None

    def same(self, a: Any, b: Any) -> Any:
        """Return what two values are that have to be alike."""
        if a is None or b is None:
            return None
        return b if a == ANY else a if b in (ANY, a) else None

    def all_fixed(self, values: list[Any]) -> Any:
        return self.number if all(v in (self.number, ANY) for v in values) else None

    def negated(self, a: Any) -> Any:
        return a

    def clipped(self, values: list[Any]) -> Any:
        return self.call("clip", values)

    compare: Callable[[Any, Any], Any]
    operation: Callable[[str, Any, Any], Any]
    call: Callable[[str, list[Any]], Any]


def _are_opposite(args: tuple[n.Expr, ...]) -> bool:
    match args[1:]:
        case (n.Num(a), n.Num(b)):
            return a == -b
    return False


class _Scale(_Law):
    """Degrees in the gradient."""

    parameter = ANY
    gradient = 1.0
    loss = None
    given = None

    def compare(self, a: Any, b: Any) -> Any:
        return None if self.same(a, b) is None else 0.0

    def operation(self, op: str, a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        match op:
            case "+" | "-":
                return self.same(a, b)
            case "*" | "@":
                return ANY if ANY in (a, b) else a + b
            case "/":
                return ANY if ANY in (a, b) else a - b
        return self.all_fixed([a, b])

    def call(self, word: str, values: list[Any]) -> Any:
        if any(v is None for v in values):
            return None
        a = values[0]
        match word:
            case "sqrt":
                return a if a == ANY else a / 2
            case "square":
                return a if a == ANY else 2 * a
            case "cbrt":
                return a if a == ANY else a / 3
            case "abs" | "sum" | "mean" | "norm" | "rms" | "amax" | "total" | "transpose":
                return a
            case "sign":
                return ANY if a == ANY else 0.0
            case "maximum" | "minimum":
                return self.same(*values)
            case "clip":
                return self.same(self.same(values[0], values[1]), values[2])
            case "where":
                return self.same(values[1], values[2])
            case "atan2":
                return None if self.same(*values) is None else 0.0
        return self.all_fixed(values)


class _Parity(_Law):
    """1 for what keeps its sign and -1 for what changes it, where parameter and gradient change theirs."""

    parameter = -1.0
    gradient = -1.0
    number = 1.0
    start = 1.0
    loss = 1.0
    given = 1.0

    def compare(self, a: Any, b: Any) -> Any:
        return 1.0 if a in (1.0, ANY) and b in (1.0, ANY) else None

    def operation(self, op: str, a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        match op:
            case "+" | "-":
                return self.same(a, b)
            case "*" | "/" | "@":
                return ANY if ANY in (a, b) else a * b
        return self.all_fixed([a, b])

    def clipped(self, values: list[Any]) -> Any:
        return values[0] if values[1] in (1.0, ANY) and values[2] in (1.0, ANY) else None

    def call(self, word: str, values: list[Any]) -> Any:
        if any(v is None for v in values):
            return None
        a = values[0]
        match word:
            case "square" | "abs" | "norm" | "rms":
                return 1.0
            case "sign" | "cbrt" | "tanh" | "sum" | "mean" | "total" | "transpose":
                return a
            case "where":
                return self.same(values[1], values[2])
            case "atan2":
                return a if values[1] in (1.0, ANY) else None
        return self.all_fixed(values)


class _Shift(_Law):
    """1 for what is moved along with the parameter, 0 for what stays; zero may be a value that stays."""

    parameter = 1.0

    def compare(self, a: Any, b: Any) -> Any:
        return self.all_fixed([a, b])

    def operation(self, op: str, a: Any, b: Any) -> Any:
        if a is None or b is None:
            return None
        if op in "+-":
            left, right = (0.0 if x == ANY else x for x in (a, b))
            moved = left + right if op == "+" else left - right
            return (ANY if a == b == ANY else moved) if moved in (0.0, 1.0) else None
        if op == "*" and ANY in (a, b):
            return ANY
        return self.all_fixed([a, b])

    def negated(self, a: Any) -> Any:
        return a if a in (0.0, ANY) else None

    def call(self, word: str, values: list[Any]) -> Any:
        if word == "where":
            return self.same(values[1], values[2]) if values[0] in (0.0, ANY) else None
        return self.all_fixed(values)

"""From nested statements to a straight line: each name is assigned once, each value has a kind, reductions stand alone.

This is where kinds are inferred and checked. `if` becomes a guard on each of its lines and a choice behind it, so that every
backend sees one list of steps. The list is what the rule means: `thalweg.language.meaning` writes it out as NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from thalweg.language import nodes as n
from thalweg.language.kinds import ARRAY, MODEL, STEP, TENSOR, Kind, kind_of_slot
from thalweg.language.parse import Text
from thalweg.language.state import Slot
from thalweg.language.terms import inline
from thalweg.language.vocabulary import WORDS

_OF_NUMBERS = {"sqrt", "square", "abs", "sign", "maximum", "minimum", "clip"}


@dataclass(frozen=True)
class Step:
    """`names = expr`, evaluated only where every guard (name, wanted truth) holds.

    A reduction or `total` stands alone on the right side: `expr` is then a Call of that word.
    """

    names: tuple[str, ...]
    expr: n.Expr
    kind: Kind
    guard: tuple[tuple[str, bool], ...]
    line: int

    @property
    def word(self) -> str | None:
        """The reduction, `total` or matrix word that stands alone on the right side, or None for an elementwise step."""
        return self.expr.word if isinstance(self.expr, n.Call) and WORDS[self.expr.word].kind != "elementwise" else None


@dataclass(frozen=True)
class Flat:
    """A rule as a straight line: steps, the kind of every name, and which name holds the new value of w and of each slot."""

    steps: tuple[Step, ...]
    kinds: Mapping[str, Kind]
    outputs: Mapping[str, str]
    exact: bool
    has_matrix_words: bool


def flatten(text: Text, slots: Mapping[str, Slot]) -> Flat:
    """Return the straight line of a parsed rule; raises RuleError where kinds do not fit."""
    return _Flattener(text, slots).run()


class _Flattener:
    def __init__(self, text: Text, slots: Mapping[str, Slot]) -> None:
        self.text = text
        self.slots = slots
        self.steps: list[Step] = []
        self.kinds: dict[str, Kind] = dict.fromkeys(text.signature.numbers, STEP)
        w, g = text.signature.arrays[:2]
        self.kinds |= {w: ARRAY, g: ARRAY} | {name: kind_of_slot(s) for name, s in slots.items()}
        self.env: dict[str, str] = {name: name for name in self.kinds}
        self.guard: tuple[tuple[str, bool], ...] = ()
        self.line = 0
        self.fresh = 0
        self.exact = True
        self.matrix = False

    def fail(self, problem: str) -> NoReturn:
        raise self.text.source.error(self.line, problem)

    def run(self) -> Flat:
        self.block(inline(self.text))
        outputs = self.outputs()
        return Flat(tuple(self.steps), self.kinds, outputs, self.exact and not self.matrix, self.matrix)

    def outputs(self) -> dict[str, str]:
        self.line = self.text.return_line
        arrays = self.text.signature.arrays
        wanted = [arrays[0], *arrays[2:]]
        given = [v.id if isinstance(v, n.Name) else None for v in self.text.returns]
        if given != wanted:
            self.fail(
                f"return the new parameter and the new state by name, in the order of the arguments: `return {', '.join(wanted)}`"
            )
        out = {name: self.env[name] for name in wanted}
        for name, new in out.items():
            slot = self.slots.get(name)
            if new == name and not (slot and slot.copies):
                what = f"the slot `{name}`" if slot else f"the parameter `{name}`"
                self.fail(f"{what} is never written; assign its new value, or take it out")
            self.check_output(name, slot, self.kinds[new])
            if (
                slot and slot.is_number and self.kinds[new] == STEP
            ):  # kept by every tensor, although known before the step
                out[name] = self.emit(name, n.Name(new), kind_of_slot(slot))
        return out

    def check_output(self, name: str, slot: Slot | None, kind: Kind) -> None:
        want = kind_of_slot(slot) if slot else ARRAY
        fits = kind.level <= want.level if want.is_number else kind == want
        if not fits or kind.truth:
            what = f"the slot `{name}` ({slot.shape})" if slot and slot.shape != "array" else f"`{name}`"
            self.fail(f"the new value of {what} is {kind}; it has to be {want}")

    # Statements -------------------------------------------------------------------------------------------------------

    def new_name(self, base: str) -> str:
        self.fresh += 1
        return f"{base}__{self.fresh}"

    def emit(self, base: str, expr: n.Expr, kind: Kind, guard: tuple[tuple[str, bool], ...] | None = None) -> str:
        name = self.new_name(base)
        self.kinds[name] = kind
        self.steps.append(Step((name,), expr, kind, self.guard if guard is None else guard, self.line))
        return name

    def block(self, statements: tuple[n.Stmt, ...]) -> None:
        for s in statements:
            self.line = s.line
            if isinstance(s, n.If):
                self.branch(s)
            else:
                self.assign(s)

    def assign(self, s: n.Assign) -> None:
        if len(s.values) == 1 and isinstance(s.values[0], n.Call) and WORDS[s.values[0].word].results > 1:
            self.decompose(s.targets, s.values[0])
            return
        converted = [self.expr(v, lazy=False) for v in s.values]
        new = [self.emit(target, expr, kind) for target, (expr, kind) in zip(s.targets, converted, strict=True)]
        self.env.update(zip(s.targets, new, strict=True))

    def decompose(self, targets: tuple[str, ...], call: n.Call) -> None:
        args = tuple(self.array(a) for a in call.args)
        self.matrix = True
        new = tuple(self.new_name(t) for t in targets)
        self.kinds |= dict.fromkeys(new, ARRAY)
        self.steps.append(Step(new, n.Call(call.word, args), ARRAY, self.guard, self.line))
        self.env.update(zip(targets, new, strict=True))

    def array(self, x: n.Expr) -> n.Expr:
        expr, kind = self.expr(x, lazy=False)
        if kind.is_number:
            self.fail(f"`{n.text(x)}` is {kind}; a matrix word takes an array")
        return expr

    def branch(self, s: n.If) -> None:
        cond, kind = self.truth(s.cond, lazy=False)
        name = cond.id if isinstance(cond, n.Name) else self.emit("if", cond, kind)
        before, outer = dict(self.env), self.guard
        arms = []
        for wanted, body in ((True, s.body), (False, s.orelse)):
            self.env, self.guard = dict(before), (*outer, (name, wanted))
            self.block(body)
            arms.append(self.env)
        self.env, self.guard, self.line = before, outer, s.line
        for target in sorted(n.assigned(s.body)):
            then, other = arms[0][target], arms[1][target]
            kinds = self.kinds[then], self.kinds[other]
            if kinds[0].truth != kinds[1].truth:
                self.fail(f"`{target}` is {kinds[0]} in one branch and {kinds[1]} in the other")
            joined = kinds[0].join(kinds[1]).join(kind.as_truth(truth=False))
            self.env[target] = self.emit(target, n.IfElse(n.Name(name), n.Name(then), n.Name(other)), joined)

    # Expressions ------------------------------------------------------------------------------------------------------

    def expr(self, x: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        """Return x over once-assigned names, with its kind; `lazy` inside a branch of `a if c else b`."""
        match x:
            case n.Num():
                return x, STEP
            case n.Name(id):
                if id not in self.env:
                    self.fail(f"`{id}` is used before it is assigned")
                name = self.env[id]
                return n.Name(name), self.kinds[name]
            case n.Neg(inner):
                e, k = self.value(inner, lazy=lazy)
                return n.Neg(e), k
            case n.Bin(op, left, right):
                return self.operation(op, left, right, lazy=lazy)
            case n.Compare(op, left, right):
                (a, ka), (b, kb) = self.value(left, lazy=lazy), self.value(right, lazy=lazy)
                return n.Compare(op, a, b), ka.join(kb).as_truth()
            case n.Not(inner):
                e, k = self.truth(inner, lazy=lazy)
                return n.Not(e), k
            case n.Logic(op, items):
                return self.logic(op, items, lazy=lazy)
            case n.IfElse(cond, then, other):
                return self.choice(x, cond, then, other, lazy=lazy)
            case n.Call():
                return self.call(x, lazy=lazy)
            case _:
                raise AssertionError(x)

    def logic(self, op: str, items: tuple[n.Expr, ...], *, lazy: bool) -> tuple[n.Expr, Kind]:
        parts, kind, outer = [], STEP, self.guard
        for k, item in enumerate(items):
            if k and _reduces(item):
                self.guard = (
                    *outer,
                    (self.emit("if", n.Logic(op, tuple(parts)) if k > 1 else parts[0], kind), op == "and"),
                )
            e, one = self.truth(item, lazy=lazy or k > 0)
            parts.append(e)
            kind = kind.join(one)
        self.guard = outer
        return n.Logic(op, tuple(parts)), kind

    def choice(self, x: n.Expr, cond: n.Expr, then: n.Expr, other: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        c, kc = self.truth(cond, lazy=lazy)
        outer = self.guard
        if _reduces(then) or _reduces(other):
            c = n.Name(self.emit("if", c, kc))
        arms = []
        for wanted, arm in ((True, then), (False, other)):
            self.guard = (*outer, (c.id, wanted)) if isinstance(c, n.Name) else outer
            arms.append(self.expr(arm, lazy=True))
        self.guard = outer
        (a, ka), (b, kb) = arms
        if ka.truth != kb.truth:
            self.fail(f"`{n.text(x)}`: one branch is {ka}, the other {kb}")
        return n.IfElse(c, a, b), ka.join(kb).join(kc.as_truth(truth=False))

    def value(self, x: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        """Convert x, which has to be a number or an array and no truth value."""
        e, k = self.expr(x, lazy=lazy)
        if k.truth:
            self.fail(
                f"`{n.text(x)}` is {k}; to compute with it write `{'1.0 if c else 0.0' if k.is_number else 'where(mask, a, b)'}`"
            )
        return e, k

    def truth(self, x: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        """Convert a condition: a number, true where it is not zero."""
        e, k = self.expr(x, lazy=lazy)
        if not k.is_number:
            self.fail(
                f"the condition `{n.text(x)}` is {k}; a condition is a number. For elements write `where(mask, a, b)`"
            )
        return (e, k) if k.truth else (n.Compare("!=", e, n.Num(0.0)), k.as_truth())

    def operation(self, op: str, left: n.Expr, right: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        (a, ka), (b, kb) = self.value(left, lazy=lazy), self.value(right, lazy=lazy)
        kind = ka.join(kb)
        shown = n.text(n.Bin(op, left, right))
        if op == "@":
            if ka.is_number or kb.is_number:
                self.fail(f"`{shown}`: `@` multiplies two arrays as matrices")
            self.matrix = True
            return n.Bin(op, a, b), ARRAY
        if op in ("//", "%") and kind != STEP:
            self.fail(f"`{shown}`: `{op}` works on numbers that are known before the step, such as t")
        if op == "**" and kind != STEP:
            return self.power(a, b, kind, shown)
        return n.Bin(op, a, b), kind

    def power(self, base: n.Expr, exponent: n.Expr, kind: Kind, shown: str) -> tuple[n.Expr, Kind]:
        match exponent:
            case n.Num(2):
                return n.Call("square", (base,)), kind
            case n.Num(0.5):
                return n.Call("sqrt", (base,)), kind
            case n.Num(-1):
                return n.Bin("/", n.Num(1.0), base), kind
        if kind.is_number:
            self.fail(
                f"`{shown}`: numbers after a reduction know + - * / sqrt, comparisons, `x**2`, `x**0.5` and `x**-1`; the exponent is written out"
            )
        self.exact = False
        return n.Call("power", (base, exponent)), kind

    def call(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        word = WORDS[x.word]
        if word.results > 1:
            self.fail(f"`{x.word}` gives {word.results} values; write `a, b = {n.text(x)}` on a line of its own")
        if word.kind == "reduction":
            return self.reduction(x, lazy=lazy)
        if x.word == "total":
            return self.total(x, lazy=lazy)
        if word.kind == "matrix":
            self.matrix = True
            return n.Call(x.word, (self.array(x.args[0]),)), ARRAY
        if x.word == "where":
            return self.where(x, lazy=lazy)
        parts = [self.value(a, lazy=lazy) for a in x.args]
        kind = STEP
        for _, k in parts:
            kind = kind.join(k)
        if kind.is_number and kind.level > STEP.level and x.word not in _OF_NUMBERS:
            self.fail(f"`{n.text(x)}`: numbers after a reduction know + - * / sqrt and comparisons only")
        self.exact = self.exact and (word.exact or kind == STEP)
        return n.Call(x.word, tuple(e for e, _ in parts)), kind

    def where(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        mask, km = self.expr(x.args[0], lazy=lazy)
        (a, ka), (b, kb) = self.value(x.args[1], lazy=lazy), self.value(x.args[2], lazy=lazy)
        if km.is_number or not km.truth:
            self.fail(
                f"`{n.text(x)}`: the first argument is a mask such as `g > 0`; for a condition that is a number write `a if c else b`"
            )
        if ka.is_number and kb.is_number:
            self.fail(
                f"`{n.text(x)}`: one branch has to be an array (of two numbers NumPy makes float64); "
                f"write `where(mask, {n.text(x.args[1])}, {n.text(x.args[2])} + 0 * x)`, or multiply the array inside"
            )
        return n.Call("where", (mask, a, b)), km.as_truth(truth=False).join(ka).join(kb)

    def reduction(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        arg, kind = self.value(x.args[0], lazy=lazy)
        if kind.is_number:
            self.fail(f"`{n.text(x)}`: `{n.text(x.args[0])}` is {kind} already; a reduction takes an array")
        if x.axis is None:
            result = TENSOR
        else:
            varies = kind.columns if x.axis == -1 else kind.rows
            if not varies:
                self.fail(
                    f"`{n.text(x)}`: `{n.text(x.args[0])}` is {kind} and has length 1 along axis {x.axis} already"
                )
            result = Kind(ARRAY.level, rows=kind.rows and x.axis != -2, columns=kind.columns and x.axis != -1)
        return n.Name(self.emit(x.word, n.Call(x.word, (arg,), x.axis), result)), result

    def total(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        if lazy or self.guard:
            self.fail(
                f"`{n.text(x)}` stands inside a branch: every tensor takes part in a total; compute it in a line of its own before the `if`"
            )
        arg, kind = self.value(x.args[0], lazy=False)
        if not kind.is_number:
            self.fail(
                f"`{n.text(x)}` adds numbers of the tensors; `{n.text(x.args[0])}` is {kind}: write `total(sum(...))`"
            )
        return n.Name(self.emit("total", n.Call("total", (arg,)), MODEL)), MODEL


def _reduces(x: n.Expr) -> bool:
    """Tell whether x holds a reduction, which is drawn in front of the line and then needs the guard of its branch."""
    return any(isinstance(i, n.Call) and WORDS[i.word].kind == "reduction" for i in n.walk(x))

"""From nested statements to a straight line: each name is assigned once, each value has a kind, reductions stand alone.

This is where kinds are inferred and checked. `if` becomes a guard on each of its lines and a choice behind it, so that
every backend sees one list of steps. The list is what the rule means: `thalweg.language.meaning` writes it as NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thalweg.language import nodes as n
from thalweg.language.errors import RuleError
from thalweg.language.kinds import ARRAY, MODEL, STEP, TENSOR, Kind, kind_of_slot
from thalweg.language.state import Slot
from thalweg.language.terms import inline
from thalweg.language.vocabulary import WORDS

Guard = tuple[tuple[str, bool], ...]
"""Conditions, from the outermost `if` to the innermost: the name of a truth value, and what it has to be."""


@dataclass(frozen=True)
class Step:
    """`names = expr`, evaluated only where every condition of the guard holds.

    A reduction, `total`, `qr` or `eigh` stands alone on the right side: `expr` is then a Call of that word.
    """

    names: tuple[str, ...]
    expr: n.Expr
    kind: Kind
    guard: Guard
    line: int

    @property
    def word(self) -> str | None:
        """The word that stands alone on the right side, or None for a step of elements or numbers."""
        return self.expr.word if isinstance(self.expr, n.Call) and WORDS[self.expr.word].kind != "elementwise" else None


@dataclass(frozen=True)
class Flat:
    """A rule as a straight line.

    kinds: of every name. outputs: parameter and slots -> the name that holds the new value. exact: arrays meet exact
    words only. has_matrix_words: it has words for matrices, or keeps square ones, and runs as NumPy.
    """

    steps: tuple[Step, ...]
    kinds: Mapping[str, Kind]
    outputs: Mapping[str, str]
    exact: bool
    has_matrix_words: bool


def flatten(text: n.Text, slots: Mapping[str, Slot]) -> Flat:
    """Return the straight line of a parsed rule; raises RuleError where kinds do not fit."""
    return _Flattener(text, slots).run()


_INSTEAD = {
    "array": "one number a tensor, row or column is declared by `state=`: `number()`, `rows()` or `columns()`",
    "number": "`sum`, `mean`, `norm`, `rms` and `amax` make a number of an array",
    "shared": "`total(...)` makes a number of the model of a number of each tensor",
    "rows": "`mean(x, axis=-1)` and its like give one number a row",
    "columns": "`mean(x, axis=-2)` and its like give one number a column",
    "left": "`g @ g.T` is a square matrix of this side",
    "right": "`g.T @ g` is a square matrix of this side",
}


_OF_NUMBERS = " ".join(name for name, word in WORDS.items() if word.of_numbers)


class _Flattener:
    def __init__(self, text: n.Text, slots: Mapping[str, Slot]) -> None:
        self.text = text
        self.slots = slots
        self.steps: list[Step] = []
        self.kinds: dict[str, Kind] = dict.fromkeys(text.signature.numbers, STEP)
        w, g = text.signature.arrays[:2]
        self.kinds |= {w: ARRAY, g: ARRAY} | {name: kind_of_slot(s) for name, s in slots.items()}
        self.env: dict[str, str] = {name: name for name in self.kinds}  # name in the text -> the name that holds it now
        self.guard: Guard = ()
        self.line = 0
        self.fresh = 0
        self.exact = True
        # Kernels know no square matrices, whether or not a word for matrices meets them.
        self.has_matrix_words = any(slot.is_square for slot in slots.values())

    def error(self, problem: str) -> RuleError:
        return self.text.source.error(self.line, problem)

    def run(self) -> Flat:
        statements, _ = inline(self.text)
        self.block(statements)
        outputs = self.outputs()
        exact = self.exact and not self.has_matrix_words
        return Flat(tuple(self.steps), self.kinds, outputs, exact, self.has_matrix_words)

    def outputs(self) -> dict[str, str]:
        self.line = self.text.return_line
        arrays = self.text.signature.arrays
        wanted = [arrays[0], *arrays[2:]]
        if [x.id if isinstance(x, n.Name) else None for x in self.text.returns] != wanted:
            order = f"`return {', '.join(wanted)}`"
            raise self.error(
                f"return the new parameter and the new state by name, in the order of the arguments: {order}"
            )
        out = {name: self.env[name] for name in wanted}
        for name, new in out.items():
            slot, self.line = self.slots.get(name), self.text.return_line
            self.line = max((step.line for step in self.steps if new in step.names), default=self.line)
            self.check_output(name, slot, self.kinds[new])
            if slot and slot.is_number and self.kinds[new] == STEP:
                # Known before the step, and still kept: a number of the tensor like those that kernels compute.
                out[name] = self.emit(name, n.Name(new), kind_of_slot(slot))
        return out

    def check_output(self, name: str, slot: Slot | None, kind: Kind) -> None:
        want = kind_of_slot(slot) if slot else ARRAY
        fits = kind.level <= want.level if want.is_number else kind == want
        if not fits or kind.truth:
            advice = "" if kind.truth or not slot else f"; {_INSTEAD[slot.shape]}"
            raise self.error(f"the new value of `{name}` is {kind}, and has to be {want}{advice}")

    # Statements -------------------------------------------------------------------------------------------------------

    def new_name(self, base: str) -> str:
        self.fresh += 1
        return f"{base}__{self.fresh}"

    def emit(self, base: str, expr: n.Expr, kind: Kind) -> str:
        """Append a step under the guard of this place, and return the name that holds its value."""
        name = self.new_name(base)
        self.kinds[name] = kind
        self.steps.append(Step((name,), expr, kind, self.guard, self.line))
        return name

    def block(self, statements: tuple[n.Stmt, ...]) -> None:
        for s in statements:
            self.line = s.line
            if isinstance(s, n.If):
                self.branch(s)
            else:
                self.assign(s)

    def assign(self, s: n.Assign) -> None:
        if len(s.targets) > len(s.values) and isinstance(s.values[0], n.Call):
            new = self.decompose(s.targets, s.values[0])
        else:
            converted = [self.expr(v, lazy=False) for v in s.values]
            new = [self.emit(target, expr, kind) for target, (expr, kind) in zip(s.targets, converted, strict=True)]
        self.env.update(zip(s.targets, new, strict=True))

    def decompose(self, targets: tuple[str, ...], call: n.Call) -> list[str]:
        """Append `a, b = word(x)`, and return the names that hold a and b."""
        args = tuple(self.array(call, a, lazy=False) for a in call.args)
        self.has_matrix_words = True
        new = [self.new_name(t) for t in targets]
        self.kinds |= dict.fromkeys(new, ARRAY)
        self.steps.append(Step(tuple(new), n.Call(call.word, args), ARRAY, self.guard, self.line))
        return new

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
        # Names inside of terms are assigned in one branch only, and nothing behind it reads them.
        for target in sorted(n.assigned(s.body) & n.assigned(s.orelse)):
            then, other = arms[0][target], arms[1][target]
            joined = self.either(f"`{n.written_name(target)}`", kind, self.kinds[then], self.kinds[other])
            self.env[target] = self.emit(target, n.IfElse(n.Name(name), n.Name(then), n.Name(other)), joined)

    def either(self, what: str, cond: Kind, then: Kind, other: Kind) -> Kind:
        """Return the kind of one of two values, chosen by a condition."""
        if then.truth != other.truth or (then.truth and then.is_number != other.is_number):
            raise self.error(f"{what} is {then} in one branch and {other} in the other; make both the same")
        return cond.as_truth(truth=False).join(then, other)

    # Expressions ------------------------------------------------------------------------------------------------------

    def expr(self, x: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        """Return x over once-assigned names, with its kind; `lazy` where it may be left unevaluated."""
        match x:
            case n.Num():
                return x, STEP
            case n.Name(id):
                return n.Name(self.env[id]), self.kinds[self.env[id]]
            case n.Neg(inner):
                e, kind = self.value(inner, lazy=lazy)
                return n.Neg(e), kind
            case n.Bin():
                return self.operation(x, lazy=lazy)
            case n.Compare(op, left, right):
                (a, ka), (b, kb) = self.value(left, lazy=lazy), self.value(right, lazy=lazy)
                return n.Compare(op, a, b), ka.join(kb).as_truth()
            case n.Not(inner):
                e, kind = self.truth(inner, lazy=lazy)
                return n.Not(e), kind
            case n.Logic():
                return self.logic(x, lazy=lazy)
            case n.IfElse():
                return self.choice(x, lazy=lazy)
            case n.Call():
                return self.call(x, lazy=lazy)
        raise AssertionError(x)

    def value(self, x: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        """Convert x, which has to be a number or an array and no truth value."""
        e, kind = self.expr(x, lazy=lazy)
        if kind.truth:
            instead = "1.0 if c else 0.0" if kind.is_number else "where(mask, a, b)"
            raise self.error(f"`{n.shown(x)}` is {kind}; to compute with it write `{instead}`")
        return e, kind

    def truth(self, x: n.Expr, *, lazy: bool) -> tuple[n.Expr, Kind]:
        """Convert a condition: a number, true where it is not zero."""
        e, kind = self.expr(x, lazy=lazy)
        if not kind.is_number:
            raise self.error(
                f"the condition `{n.shown(x)}` is {kind}, and a condition is a number; "
                f"to choose element by element write `where(mask, a, b)`"
            )
        return (e, kind) if kind.truth else (n.Compare("!=", e, n.Num(0.0)), kind.as_truth())

    def logic(self, x: n.Logic, *, lazy: bool) -> tuple[n.Expr, Kind]:
        parts: list[n.Expr] = []
        kind, outer = STEP, self.guard
        for k, item in enumerate(x.items):
            if k and _reduces(item):
                before = self.emit("if", n.Logic(x.op, tuple(parts)) if k > 1 else parts[0], kind)
                self.guard = (*outer, (before, x.op == "and"))
            part, one = self.truth(item, lazy=lazy or k > 0)
            self.guard = outer
            parts.append(part)
            kind = kind.join(one)
        return n.Logic(x.op, tuple(parts)), kind

    def choice(self, x: n.IfElse, *, lazy: bool) -> tuple[n.Expr, Kind]:
        cond, kind = self.truth(x.cond, lazy=lazy)
        outer = self.guard
        if _reduces(x.then) or _reduces(x.other):
            cond = n.Name(self.emit("if", cond, kind))
        arms = []
        for wanted, arm in ((True, x.then), (False, x.other)):
            self.guard = (*outer, (cond.id, wanted)) if isinstance(cond, n.Name) else outer
            arms.append(self.expr(arm, lazy=True))
        self.guard = outer
        (then, k_then), (other, k_other) = arms
        return n.IfElse(cond, then, other), self.either(f"`{n.shown(x)}`", kind, k_then, k_other)

    def operation(self, x: n.Bin, *, lazy: bool) -> tuple[n.Expr, Kind]:
        if x.op == "@":
            self.has_matrix_words = True
            return n.Bin(x.op, self.array(x, x.left, lazy=lazy), self.array(x, x.right, lazy=lazy)), ARRAY
        (a, ka), (b, kb) = self.value(x.left, lazy=lazy), self.value(x.right, lazy=lazy)
        kind = ka.join(kb)
        if x.op in ("//", "%") and kind != STEP:
            raise self.error(f"`{n.shown(x)}`: `{x.op}` works on numbers that are known before the step, such as t")
        return self.power(x, a, b, kind) if x.op == "**" else (n.Bin(x.op, a, b), kind)

    def power(self, x: n.Bin, base: n.Expr, exponent: n.Expr, kind: Kind) -> tuple[n.Expr, Kind]:
        if kind != STEP:
            match exponent:
                case n.Num(2.0):
                    return n.Call("square", (base,)), kind
                case n.Num(0.5):
                    return n.Call("sqrt", (base,)), kind
                case n.Num(-1.0):
                    return n.Bin("/", n.Num(1.0), base), kind
            if kind.is_number:
                raise self.error(
                    f"`{n.shown(x)}`: numbers after a reduction know the powers 2, 0.5 and -1, written out; "
                    f"write others as products"
                )
            self.exact = False
        return n.Call("power", (base, exponent)), kind

    # Words ------------------------------------------------------------------------------------------------------------

    def call(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        word = WORDS[x.word]
        if word.results > 1:
            raise self.error(
                f"`{x.word}` gives {word.results} values; write `a, b = {n.shown(x)}` on a line of its own"
            )
        if word.kind == "reduction":
            return self.reduction(x, lazy=lazy)
        if x.word == "total":
            return self.total(x, lazy=lazy)
        if word.kind == "matrix":
            return self.matrix(x, lazy=lazy)
        if x.word == "where":
            return self.where(x, lazy=lazy)
        parts = [self.value(a, lazy=lazy) for a in x.args]
        kind = STEP.join(*(k for _, k in parts))
        if kind.is_number and kind != STEP and not word.of_numbers:
            raise self.error(f"`{n.shown(x)}`: numbers after a reduction know + - * /, comparisons, {_OF_NUMBERS}")
        self.exact = self.exact and (word.exact or kind == STEP)
        return n.Call(x.word, tuple(e for e, _ in parts)), kind

    def matrix(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        """Convert a matrix word with one value; its last arguments may be numbers that are known before the step."""
        self.has_matrix_words = True
        word = WORDS[x.word]
        count = word.arity - word.numbers
        args = [self.array(x, a, lazy=lazy) for a in x.args[:count]]
        for a in x.args[count:]:
            e, kind = self.value(a, lazy=lazy)
            if kind != STEP:
                raise self.error(f"`{n.shown(x)}`: `{n.shown(a)}` is {kind}, and has to be known before the step")
            args.append(e)
        return n.Call(x.word, tuple(args)), TENSOR if word.gives_number else ARRAY

    def array(self, around: n.Expr, x: n.Expr, *, lazy: bool) -> n.Expr:
        """Convert an argument of a matrix word."""
        e, kind = self.value(x, lazy=lazy)
        if kind.is_number:
            raise self.error(f"`{n.shown(around)}`: `{n.shown(x)}` is {kind}, and words for matrices take arrays")
        return e

    def where(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        mask, km = self.expr(x.args[0], lazy=lazy)
        (a, ka), (b, kb) = self.value(x.args[1], lazy=lazy), self.value(x.args[2], lazy=lazy)
        if km.is_number or not km.truth:
            raise self.error(
                f"`{n.shown(x)}`: `{n.shown(x.args[0])}` is {km}, and has to be a mask such as `g > 0`; "
                f"for a condition that is a number write `a if c else b`"
            )
        if ka.is_number and kb.is_number:
            first, second, third = (n.shown(a) for a in x.args)
            instead = f"where({first}, {second}, {third} + 0 * {self.text.signature.arrays[0]})"
            raise self.error(
                f"`{n.shown(x)}`: one of two branches has to be an array, since of two numbers NumPy makes float64; "
                f"write `{instead}`"
            )
        return n.Call("where", (mask, a, b)), km.as_truth(truth=False).join(ka, kb)

    def reduction(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        arg, kind = self.value(x.args[0], lazy=lazy)
        what = f"`{n.shown(x)}`: `{n.shown(x.args[0])}` is {kind}"
        if kind.is_number:
            raise self.error(f"{what} already; a reduction takes an array")
        result = TENSOR
        if x.axis is not None:
            if not (kind.columns if x.axis == -1 else kind.rows):
                raise self.error(f"{what} and has length 1 along axis {x.axis} already")
            result = Kind(ARRAY.level, rows=kind.rows and x.axis != -2, columns=kind.columns and x.axis != -1)
        return n.Name(self.emit(x.word, n.Call(x.word, (arg,), x.axis), result)), result

    def total(self, x: n.Call, *, lazy: bool) -> tuple[n.Expr, Kind]:
        if lazy or self.guard:
            raise self.error(
                f"`{n.shown(x)}` stands where it may be left unevaluated, and every tensor takes part in a total; "
                f"compute it on a line of its own before"
            )
        arg, kind = self.value(x.args[0], lazy=False)
        if not kind.is_number:
            raise self.error(
                f"`{n.shown(x)}`: `{n.shown(x.args[0])}` is {kind}, and a total adds one number of each tensor; "
                f"write `total(sum(...))`"
            )
        return n.Name(self.emit("total", n.Call("total", (arg,)), MODEL)), MODEL


def _reduces(x: n.Expr) -> bool:
    """Tell whether x holds a reduction, which is drawn in front of the line and then needs the guard of its branch."""
    return any(isinstance(i, n.Call) and WORDS[i.word].kind == "reduction" for i in n.walk(x))

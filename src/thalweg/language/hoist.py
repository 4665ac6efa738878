"""Numbers known before the step: what depends on hyper-parameters and t alone, evaluated by Python in float64.

A backend gets them as a row of float64: a kernel casts them to its dtype, which is what NumPy does with Python floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat, Guard, Step
from thalweg.language.generated import FAULTS, Generated
from thalweg.language.kinds import STEP, Kind
from thalweg.language.vocabulary import WORDS


@dataclass(frozen=True)
class Hoisted:
    """A rule split up for backends.

    columns: names of the numbers of the step, `c__s0`, `c__s1`, ... steps: what remains; array steps read arrays,
    columns and names of numbers, and every operation on numbers alone is a step of its own. kinds: of every name.
    numbers: the function that gives the columns.
    """

    columns: tuple[str, ...]
    steps: tuple[Step, ...]
    kinds: Mapping[str, Kind]
    numbers: StepNumbers


class StepNumbers:
    """The Python function that gives the columns for t and the hyper-parameters."""

    def __init__(self, generated: Generated) -> None:
        self._generated = generated

    @property
    def code(self) -> str:
        """The generated source."""
        return self._generated.code

    def __call__(self, numbers: Mapping[str, float]) -> tuple[tuple[float, ...], bool]:
        """Return the columns, and True if one that only some tensors need could not be computed: then ask the meaning.

        Raises NumberError if a number that every tensor needs cannot be computed.
        """
        columns, put_off = self._generated((), {name: float(x) for name, x in numbers.items()})
        return columns, put_off


def hoist(text: n.Text, flat: Flat) -> Hoisted:
    """Return the rule split into numbers of the step and the steps that remain."""
    return _Hoister(text, flat).run()


_PERHAPS = ("?", True)
"""A condition without a name, known only where the kernel runs; it stands in guards of columns and in no others."""


class _Hoister:
    def __init__(self, text: n.Text, flat: Flat) -> None:
        self.text = text
        self.flat = flat
        self.kinds = dict(flat.kinds)
        self.generated = Generated(text, f"def numbers({', '.join(text.signature.numbers)}):")
        self.columns: dict[tuple[str, Guard], str] = {}
        self.numbers: dict[tuple[str, Guard], str] = {}
        self.reductions: dict[str, str] = {}
        self.same: dict[str, str] = {}  # a reduction -> an equal one before it
        self.steps: list[Step] = []
        self.line = text.source.def_line

    def run(self) -> Hoisted:
        self.write("    put_off__ = False")
        for step in self.flat.steps:
            self.line = step.line
            if step.kind.level == STEP.level:
                self.define(step.names[0], n.text(step.expr), step.guard)
            else:
                self.add(self.rest(step))
        names = tuple(self.columns.values())
        self.line = self.text.return_line
        self.write(f"    return ({''.join(f'{name}, ' for name in names)}), put_off__")
        self.generated.finish({"FAULTS__": FAULTS, "nan__": float("nan")})
        return Hoisted(names, tuple(self.steps), self.kinds, StepNumbers(self.generated))

    def rest(self, step: Step) -> Step:
        """Return a step that is no number of the step, over columns."""
        guard = tuple(
            (self.column(n.Name(name), ()).id if self.is_step(name) else name, wanted) for name, wanted in step.guard
        )
        # Numbers inside of arrays, reductions and totals become steps of their own; a step of numbers holds its own.
        pull = step.word is not None or not step.kind.is_number
        if step.word is None:
            expr = self.replace(step.expr, guard, pull=pull)
        else:
            expr = n.rebuild(step.expr, lambda x: self.replace(x, guard, pull=pull))
        return Step(step.names, expr, step.kind, guard, step.line)

    def add(self, step: Step) -> None:
        """Append a step, but no reduction twice: kernels take all of them, whether or not a branch asks for it."""
        if step.word is not None and WORDS[step.word].kind == "reduction":
            first = self.reductions.setdefault(n.text(step.expr), step.names[0])
            if first != step.names[0]:
                self.same[step.names[0]] = first
                return
        self.steps.append(step)

    def is_step(self, name: str) -> bool:
        return self.kinds[name].level == STEP.level

    def replace(self, x: n.Expr, guard: Guard, *, pull: bool) -> n.Expr:
        """Replace the largest parts of x that are numbers of the step by columns; with `pull`, other numbers by names.

        guard: the conditions under which x is evaluated.
        """
        names = n.names(x)
        if all(self.is_step(name) for name in names):
            return self.column(x, guard)
        if pull and not isinstance(x, n.Name) and all(self.kinds[name].is_number for name in names):
            return self.pulled(x, guard)
        match x:
            case n.Name(id):
                return n.Name(self.same.get(id, id))
            case n.IfElse(cond, then, other):
                test = self.replace(cond, guard, pull=pull)
                yes, no = ((test.id, True), (test.id, False)) if isinstance(test, n.Name) else (_PERHAPS, _PERHAPS)
                then = self.replace(then, (*guard, yes), pull=pull)
                return n.IfElse(test, then, self.replace(other, (*guard, no), pull=pull))
            case n.Logic(op, (first, *later)):
                rest = (self.replace(item, (*guard, _PERHAPS), pull=pull) for item in later)
                return n.Logic(op, (self.replace(first, guard, pull=pull), *rest))
        return n.rebuild(x, lambda c: self.replace(c, guard, pull=pull))

    def pulled(self, x: n.Expr, guard: Guard) -> n.Name:
        """Return the name of a step of its own for x, which is a number of the tensor or the model."""
        inside = self.replace(x, guard, pull=False)
        key = (n.text(inside), guard)
        if key not in self.numbers:
            level = max(self.kinds[name].level for name in n.names(x))
            name = f"n__s{len(self.numbers)}"
            self.kinds[name] = Kind(level, truth=self.is_truth(x))
            self.steps.append(Step((name,), inside, self.kinds[name], guard, self.line))
            self.numbers[key] = name
        return n.Name(self.numbers[key])

    def is_truth(self, x: n.Expr) -> bool:
        match x:
            case n.Name(id):
                return self.kinds[id].truth
            case n.IfElse(_, then):
                return self.is_truth(then)
        return isinstance(x, n.Compare | n.Logic | n.Not)

    def column(self, x: n.Expr, guard: Guard) -> n.Name:
        """Return the column that holds x, a number of the step."""
        key = (n.text(x), () if isinstance(x, n.Name | n.Num) else guard)
        if key not in self.columns:
            name = f"c__s{len(self.columns)}"
            self.kinds[name] = STEP
            self.define(name, *key)
            self.columns[key] = name
        return n.Name(self.columns[key])

    def define(self, name: str, code: str, guard: Guard) -> None:
        """Write `name = code` under the conditions known before the step; if there are others, a fault is put off."""
        known = [test if wanted else f"not {test}" for test, wanted in guard if test != "?" and self.is_step(test)]
        indent = "    "
        if known:
            self.write(f"    {name} = 0.0")
            self.write(f"    if {' and '.join(known)}:")
            indent = "        "
        if len(known) == len(guard):
            self.write(f"{indent}{name} = {code}")
        else:
            self.write(f"{indent}try: {name} = {code}")
            self.write(f"{indent}except FAULTS__: {name} = nan__; put_off__ = True")

    def write(self, code: str) -> None:
        self.generated.add(code, self.line)

"""Numbers known before the step: everything that depends on hyper-parameters and t alone, evaluated by Python in float64.

A backend gets them as a row of float64: a kernel casts them to its dtype, which is what NumPy does with Python floats.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thalweg.language import nodes as n
from thalweg.language.flatten import Flat, Step
from thalweg.language.kinds import STEP, Kind
from thalweg.language.meaning import FAULTS, SCOPE, Lines, number_error
from thalweg.language.parse import Text


@dataclass(frozen=True)
class Hoisted:
    """A rule split up for backends.

    columns: names of the numbers of the step, `c__s0`, `c__s1`, ... steps: what remains; array steps read arrays, columns and names of
    numbers, and every operation on numbers alone is a step of its own. kinds: of every name. numbers: the function that gives the columns.
    """

    columns: tuple[str, ...]
    steps: tuple[Step, ...]
    kinds: Mapping[str, Kind]
    numbers: StepNumbers


class StepNumbers:
    """The Python function that gives the columns for t and the hyper-parameters."""

    def __init__(self, text: Text, lines: Lines) -> None:
        self._text = text
        self._lines = lines
        self._label = f"<numbers of {text.source.tree.name}>"
        self._function = lines.compile("numbers", self._label, SCOPE | {"FAULTS": FAULTS, "nan": float("nan")})

    @property
    def code(self) -> str:
        """The generated source."""
        return "\n".join(self._lines.code)

    def __call__(self, numbers: Mapping[str, float]) -> tuple[tuple[float, ...], bool]:
        """Return the columns, and whether one that only some tensors need could not be computed (then ask the meaning).

        Raises NumberError if a number that every tensor needs is complex or raises.
        """
        try:
            values, soft = self._function(**numbers)
        except FAULTS as error:
            raise self._lines.fault(self._text, self._label, error, numbers) from error
        for value in values:
            if isinstance(value, complex):
                raise number_error(self._text, self._text.return_line, "a number is complex", numbers)
        return values, soft


def hoist(text: Text, flat: Flat) -> Hoisted:
    """Return the rule split into numbers of the step and the steps that remain."""
    return _Hoister(text, flat).run()


Guard = tuple[tuple[str, bool], ...]
_LATER = ("?", True)  # a condition that is known only where the kernel runs


class _Hoister:
    def __init__(self, text: Text, flat: Flat) -> None:
        self.text = text
        self.flat = flat
        self.kinds = dict(flat.kinds)
        self.lines = Lines()
        self.columns: dict[tuple[n.Expr, Guard], str] = {}
        self.steps: list[Step] = []
        self.line = 0

    def run(self) -> Hoisted:
        self.lines.add(f"def numbers({', '.join(['*', *self.text.signature.numbers])}):", self.text.source.first_line)
        self.lines.add("    soft = False", self.text.source.first_line)
        for step in self.flat.steps:
            self.line = step.line
            if step.kind.level == STEP.level:
                self.define(step.names[0], n.text(step.expr), step.guard)
            else:
                self.steps.append(self.rest(step))
        names = tuple(self.columns.values())
        self.lines.add(f"    return ({''.join(name + ', ' for name in names)}), soft", self.text.return_line)
        return Hoisted(names, tuple(self.steps), self.kinds, StepNumbers(self.text, self.lines))

    def rest(self, step: Step) -> Step:
        guard = tuple(
            (self.column(n.Name(name), ()).id if self.is_step(name) else name, wanted) for name, wanted in step.guard
        )
        pull = step.word is not None or not step.kind.is_number
        if step.word is not None and isinstance(step.expr, n.Call):
            args = tuple(self.replace(a, guard, pull=step.word != "total") for a in step.expr.args)
            return Step(step.names, n.Call(step.expr.word, args, step.expr.axis), step.kind, guard, step.line)
        return Step(step.names, self.replace(step.expr, guard, pull=pull), step.kind, guard, step.line)

    def is_step(self, name: str) -> bool:
        return self.kinds[name].level == STEP.level

    def replace(self, x: n.Expr, guard: Guard, *, pull: bool) -> n.Expr:
        """Replace the largest parts of x that are numbers of the step by columns, and with `pull` other numbers by steps of their own."""
        names = n.names(x)
        if all(self.is_step(name) for name in names):
            return self.column(x, guard)
        if pull and not isinstance(x, n.Name) and all(self.kinds[name].is_number for name in names):
            inside = self.replace(x, guard, pull=False)
            name = f"n__s{len(self.steps)}"
            level = max(self.kinds[name].level for name in names)
            self.kinds[name] = Kind(level, truth=isinstance(x, n.Compare | n.Logic | n.Not))
            self.steps.append(Step((name,), inside, self.kinds[name], guard, self.line))
            return n.Name(name)
        match x:
            case n.IfElse(cond, then, other):
                test = self.replace(cond, guard, pull=pull)
                arms = ((test.id, True), (test.id, False)) if isinstance(test, n.Name) else (_LATER, _LATER)
                then, other = (
                    self.replace(arm, (*guard, on), pull=pull) for arm, on in zip((then, other), arms, strict=True)
                )
                return n.IfElse(test, then, other)
            case n.Logic(op, items):
                later = (self.replace(i, (*guard, _LATER), pull=pull) for i in items[1:])
                return n.Logic(op, (self.replace(items[0], guard, pull=pull), *later))
            case _:
                return n.rebuild(x, lambda c: self.replace(c, guard, pull=pull))

    def column(self, x: n.Expr, guard: Guard) -> n.Name:
        """Return the column that holds x, a number of the step."""
        key = (x, () if isinstance(x, n.Name | n.Num) else guard)
        if key not in self.columns:
            name = f"c__s{len(self.columns)}"
            self.kinds[name] = STEP
            self.define(name, n.text(x), key[1])
            self.columns[key] = name
        return n.Name(self.columns[key])

    def define(self, name: str, code: str, guard: Guard) -> None:
        """Write `name = code` under the conditions known before the step; where there are others, a fault is put off."""
        known = [(test, wanted) for test, wanted in guard if test != "?" and self.is_step(test)]
        indent = "    "
        if known:
            self.lines.add(f"    {name} = 0.0", self.line)
            self.lines.add(
                f"    if {' and '.join(test if wanted else f'not {test}' for test, wanted in known)}:", self.line
            )
            indent = "        "
        if len(known) == len(guard):
            self.lines.add(f"{indent}{name} = {code}", self.line)
            return
        for line in ("try:", f"    {name} = {code}", "except FAULTS:", f"    {name} = nan; soft = True"):
            self.lines.add(indent + line, self.line)

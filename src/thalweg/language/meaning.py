"""The meaning of a rule: its straight line written out as a Python function over NumPy arrays and floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg import words
from thalweg.language import nodes as n
from thalweg.language.flatten import Flat, Step
from thalweg.language.generated import Generated, number_error
from thalweg.language.kinds import STEP, Kind


class Meaning:
    """The rule as a function over whole arrays: `meaning((w, g, *state), numbers)` returns new w and new state.

    `total` is what the word `total` does: by itself it returns its argument, which is right for a model of one tensor.
    """

    def __init__(self, text: n.Text, flat: Flat) -> None:
        self._text = text
        arguments = [*text.signature.arrays, "*", "total", *text.signature.numbers]
        self._generated = Generated(text, f"def meaning({', '.join(arguments)}):")
        for step in flat.steps:
            expr = _evened(step.expr, flat.kinds, text.signature.arrays[0])
            labels = {name: n.shown(step.expr) for name in step.names} if step.word else None
            self._generated.add(f"    {_guard(step)}{', '.join(step.names)} = {n.text(expr)}", step.line, labels)
        self._generated.add(f"    return {', '.join(flat.outputs.values())},", text.return_line)
        self._generated.finish({"spread": _spread})

    @property
    def code(self) -> str:
        """The generated source."""
        return self._generated.code

    def __call__(
        self, arrays: Sequence[Any], numbers: Mapping[str, float], total: Callable[[float], float] = words.total
    ) -> tuple[Any, ...]:
        """Return (new w, new state ...) for (w, g, state ...): new arrays, and floats for slots that are numbers.

        arrays: w, g and the slots in order, arrays of one dtype with at least one axis; floats for number slots.
        numbers: t, the hyper-parameters, and `value` if the rule takes it.
        Raises NumberError if a number cannot be computed, or if what a rule of matrices computes has another shape.
        """
        exact = {name: float(x) for name, x in numbers.items()}
        with np.errstate(all="ignore"):
            results = self._generated(arrays, {**exact, "total": total})
        given = list(zip(self._text.signature.arrays, arrays, strict=True))
        del given[1]  # the gradient
        return tuple(self._new(name, old, x, arrays) for (name, old), x in zip(given, results, strict=True))

    def _new(self, name: str, old: Any, new: Any, arrays: Sequence[Any]) -> Any:
        if not isinstance(old, np.ndarray):
            return float(new)
        if new.shape != old.shape:
            problem = f"the new value of `{name}` has shape {new.shape}, and `{name}` has shape {old.shape}"
            raise number_error(self._text, self._text.return_line, problem)
        # `a, b = b, a` gives back what came in; the caller writes results into these very arrays, one after the other.
        shared = any(isinstance(a, np.ndarray) and np.may_share_memory(new, a) for a in arrays)
        return new.copy() if shared else new


def _guard(step: Step) -> str:
    """Return `if a and not b: ` for a step inside branches, or nothing."""
    tests = [name if wanted else f"not {name}" for name, wanted in step.guard]
    return f"if {' and '.join(tests)}: " if tests else ""


def _evened(x: n.Expr, kinds: Mapping[str, Kind], w: str) -> n.Expr:
    """Return x with both branches of every choice of one shape: a number beside an array is spread over its axes.

    What stands behind the choice, such as a reduction, then sees an array in either case, as it does in a kernel.
    """
    if isinstance(x, n.IfElse):
        kind = _kind_of(x, kinds)
        if not kind.is_number:
            then, other = (_spread_call(arm, kind, kinds, w) for arm in (x.then, x.other))
            x = n.IfElse(x.cond, then, other)
    return n.rebuild(x, lambda c: _evened(c, kinds, w))


def _spread_call(arm: n.Expr, kind: Kind, kinds: Mapping[str, Kind], w: str) -> n.Expr:
    own = _kind_of(arm, kinds)
    if (own.level, own.rows, own.columns) == (kind.level, kind.rows, kind.columns):
        return arm
    return n.Call("spread", (arm, n.Name(w), n.Num(kind.rows), n.Num(kind.columns)))


def _kind_of(x: n.Expr, kinds: Mapping[str, Kind]) -> Kind:
    return STEP.join(*(kinds[name] for name in n.names(x)))


def _spread(x: Any, w: NDArray[Any], rows: float, columns: float) -> NDArray[Any]:
    """Return a number or a narrow array as an array along the axes of w that are asked for."""
    shape = list(w.shape)
    if not rows:
        shape[-2] = 1
    if not columns:
        shape[-1] = 1
    return np.broadcast_to(x if isinstance(x, np.ndarray) else np.asarray(x, w.dtype), shape)

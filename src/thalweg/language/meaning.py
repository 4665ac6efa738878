"""The meaning of a rule: its straight line written out as a Python function over NumPy arrays and floats, and its errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from thalweg import words
from thalweg.language import nodes as n
from thalweg.language.errors import NumberError
from thalweg.language.flatten import Flat, Step
from thalweg.language.parse import Text

SCOPE = {name: getattr(words, name) for name in words.__all__}
FAULTS = (ArithmeticError, ValueError)


class Lines:
    """Generated source and, for each of its lines, the line of the rule's text that it came from."""

    def __init__(self) -> None:
        self.code: list[str] = []
        self.origin: list[int] = []

    def add(self, code: str, origin: int) -> None:
        """Append one line of code."""
        self.code.append(code)
        self.origin.append(origin)

    def compile(self, name: str, label: str, scope: Mapping[str, Any]) -> Callable[..., Any]:
        """Return the function `name` that the lines define."""
        namespace = dict(scope)
        exec(compile("\n".join(self.code), label, "exec"), namespace)  # noqa: S102  (our own generated text)
        function: Callable[..., Any] = namespace[name]
        return function

    def fault(self, text: Text, label: str, error: Exception, numbers: Mapping[str, float]) -> NumberError:
        """Return the error that names rule, line, t and values, for an exception that came out of the compiled lines."""
        line, local = text.return_line, dict(numbers)
        traceback: TracebackType | None = error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == label:
                line = self.origin[traceback.tb_lineno - 1]
                local |= {k: v for k, v in traceback.tb_frame.f_locals.items() if isinstance(v, float | int)}
            traceback = traceback.tb_next
        return number_error(text, line, str(error) or type(error).__name__, local)


def number_error(text: Text, line: int, problem: str, numbers: Mapping[str, Any]) -> NumberError:
    """Return a NumberError for a line of a rule, with the numbers that the line reads."""
    shown = text.source.text_at(line)
    known = {k.split("__")[0] if k not in text.signature.numbers else k: v for k, v in numbers.items()}
    values = ", ".join(f"{k} = {v!r}" for k, v in known.items() if k in _words_in(shown) or k == "t")
    return NumberError(f"{text.source.tree.name}, line {line}: {problem}, at {values or 'this step'}\n    {shown}")


def _words_in(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


def _guard(step: Step) -> str:
    """Return `if a and not b: ` for a step inside branches, or nothing."""
    tests = [name if wanted else f"not {name}" for name, wanted in step.guard]
    return f"if {' and '.join(tests)}: " if tests else ""


class Meaning:
    """The rule as a function over whole arrays: `meaning(w, g, *state, t=..., lr=...)` returns new w and new state.

    `total` is what the word `total` does: by itself it returns its argument, which is right for a model of one tensor.
    """

    def __init__(self, text: Text, flat: Flat) -> None:
        self._text = text
        self._label = f"<meaning of {text.source.tree.name}>"
        self._lines = Lines()
        arguments = [*text.signature.arrays, "*", "total", *text.signature.numbers]
        self._lines.add(f"def meaning({', '.join(arguments)}):", text.source.first_line)
        for step in flat.steps:
            self._lines.add(f"    {_guard(step)}{', '.join(step.names)} = {n.text(step.expr)}", step.line)
        self._lines.add(f"    return {', '.join(flat.outputs.values())},", text.return_line)
        self._function = self._lines.compile("meaning", self._label, SCOPE)

    @property
    def code(self) -> str:
        """The generated source."""
        return "\n".join(self._lines.code)

    def __call__(
        self, arrays: Sequence[Any], numbers: Mapping[str, float], total: Callable[[float], float] = words.total
    ) -> tuple[Any, ...]:
        """Return (new w, new state ...) for (w, g, state ...); raises NumberError if a number cannot be computed.

        arrays: w, g and the slots in order, arrays with at least one dimension and of one dtype, number slots as floats.
        numbers: t, the hyper-parameters, and `value` if the rule takes it.
        """
        try:
            with np.errstate(all="ignore"):
                results: tuple[Any, ...] = self._function(*arrays, total=total, **numbers)
        except FAULTS as error:
            raise self._lines.fault(self._text, self._label, error, numbers) from error
        for name, value in zip(("w", *self._text.signature.arrays[2:]), results, strict=True):
            if isinstance(value, complex):
                raise number_error(self._text, self._text.return_line, f"the new value of `{name}` is complex", numbers)
        return results

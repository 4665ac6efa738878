"""Functions that are written out from a rule's text, and the errors that come out of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from thalweg.language import nodes as n
from thalweg.language.errors import NumberError
from thalweg.language.vocabulary import SCOPE

FAULTS = (ArithmeticError, ValueError)
"""What Python raises for a number that does not exist."""

_NAME = re.compile(r"[A-Za-z_]\w*")


class Generated:
    """One function, line by line; each line remembers the line of the rule's text that it came from."""

    def __init__(self, text: n.Text, head: str) -> None:
        self._text = text
        self._code = [head]
        self._origin = [text.source.def_line]
        self._labels: dict[str, str] = {}
        self._function: Callable[..., Any] | None = None

    @property
    def code(self) -> str:
        """The source."""
        return "\n".join(self._code)

    def add(self, code: str, line: int, labels: Mapping[str, str] | None = None) -> None:
        """Append a line of code that stands for a line of the rule's text.

        labels: what messages call the names that it assigns, where that is not the name in the rule's text.
        """
        self._code.append(code)
        self._origin.append(line)
        self._labels |= labels or {}

    def finish(self, scope: Mapping[str, Any]) -> None:
        """Compile the function; it sees the words, and `scope`."""
        namespace = {**SCOPE, **scope}
        exec(compile(self.code, self._label, "exec"), namespace)  # noqa: S102  (lines that `add` was given)
        self._function = namespace[self._code[0].removeprefix("def ").split("(")[0]]

    @property
    def _label(self) -> str:
        return f"<{self._text.source.tree.name}>"

    def __call__(self, args: Sequence[Any], numbers: Mapping[str, Any]) -> Any:
        """Call the function, with numbers by keyword; raises NumberError where a number cannot be computed."""
        assert self._function is not None
        try:
            return self._function(*args, **numbers)
        except FAULTS as error:
            raise self._fault(error, numbers) from error

    def _fault(self, error: Exception, numbers: Mapping[str, Any]) -> NumberError:
        """Return the error that names rule, line, t, and the numbers that the line reads."""
        at, known = 0, dict(numbers)
        traceback = error.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._label:
                at, known = traceback.tb_lineno - 1, traceback.tb_frame.f_locals
            traceback = traceback.tb_next
        read = dict.fromkeys(["t", *_NAME.findall(self._code[at].split(" = ", 1)[-1])])
        values = {
            self._labels.get(name, n.written_name(name)): known[name]
            for name in read
            if isinstance(known.get(name), float) and not name.startswith("c__s")
        }
        shown = ", ".join(f"{name} = {repr(value).removesuffix('.0')}" for name, value in values.items()) or "this step"
        return number_error(self._text, self._origin[at], f"{error}, at {shown}")


def number_error(text: n.Text, line: int, problem: str) -> NumberError:
    """Return the error about a line whose numbers cannot be computed."""
    return NumberError(text.source.message(line, problem))

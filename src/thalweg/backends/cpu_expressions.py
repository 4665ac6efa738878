"""Expressions in the Python that Numba compiles: arrays in their dtype, numbers in float64 with Python's errors."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.language import nodes as n
from thalweg.language.kinds import ARRAY, Kind

_CALLS = {
    "sqrt": "math.sqrt({0})", "square": "({0} * {0})", "abs": "abs({0})", "sign": "sign({0}, ZERO, ONE)",
    "maximum": "maximum({0}, {1})", "minimum": "minimum({0}, {1})", "clip": "clip({0}, {1}, {2})",
    "where": "({1} if {0} else {2})", "exp": "math.exp({0})", "log": "math.log({0})", "tanh": "math.tanh({0})",
    "cbrt": "np.cbrt({0})", "atan2": "math.atan2({0}, {1})", "power": "({0} ** {1})",
}  # fmt: skip


def local(name: str) -> str:
    """Return the local variable for a name; those of arguments end in an underscore, unlike the loops' own."""
    return name if "__" in name else f"{name}_"


class Writer:
    """Writes expressions over elements; names are local variables of the arrays' dtype, masks are booleans."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        self.kinds = kinds

    def write(self, x: n.Expr) -> str:
        """Return x as code for a value (a mask, where x is one)."""
        match x:
            case n.Name(id):
                return local(id)
            case n.Num(value):
                return f"T({value!r})"
            case n.Neg(inner):
                return f"(-{self.write(inner)})"
            case n.Bin(op, left, right):
                return self.operation(op, self.write(left), self.write(right))
            case n.Compare(op, left, right):
                return f"({self.write(left)} {op} {self.write(right)})"
            case n.IfElse(cond, then, other):
                return f"({self.write(then)} if {self.write_truth(cond)} else {self.write(other)})"
            case n.Not() | n.Logic():
                return self.write_truth(x)
            case n.Call(word, args):
                return self.call(word, args)
        raise AssertionError(x)

    def write_truth(self, x: n.Expr) -> str:
        """Return x as code for a condition; a name that holds a number is true where it is not zero."""
        match x:
            case n.Name(id) if self.kinds[id].level < ARRAY.level:
                return f"({local(id)} != 0)"
            case n.Not(inner):
                return f"(not {self.write_truth(inner)})"
            case n.Logic(op, items):
                return f"({f' {op} '.join(self.write_truth(i) for i in items)})"
            case n.IfElse(cond, then, other):
                return f"({self.write_truth(then)} if {self.write_truth(cond)} else {self.write_truth(other)})"
            case _:
                return self.write(x)

    def operation(self, op: str, left: str, right: str) -> str:
        """Return an arithmetic operation."""
        return f"({left} {op} {right})"

    def call(self, word: str, args: tuple[n.Expr, ...]) -> str:
        """Return a word applied to its arguments."""
        return _CALLS[word].format(*(self.write(a) for a in args))


class NumberWriter(Writer):
    """Writes expressions over float64 numbers; where Python would raise, a trap is set instead."""

    def write(self, x: n.Expr) -> str:
        """Return x as code for a float64."""
        return f"{x.value!r}" if isinstance(x, n.Num) else super().write(x)

    def operation(self, op: str, left: str, right: str) -> str:
        """Return an arithmetic operation; division checks its divisor."""
        return f"divide({left}, {right}, trap)" if op == "/" else super().operation(op, left, right)

    def call(self, word: str, args: tuple[n.Expr, ...]) -> str:
        """Return a word applied to its arguments; a root checks its argument."""
        written = [self.write(a) for a in args]
        if word == "sqrt":
            return f"root({written[0]}, trap)"
        if word == "sign":
            return f"sign({written[0]}, 0.0, 1.0)"
        return _CALLS[word].format(*written)

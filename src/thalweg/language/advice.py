"""What people write in a rule that the language does not have, and what to write instead."""

from __future__ import annotations

import ast
import builtins
import math
from typing import Any

import numpy as np

_NO_LOOPS = "there are no loops in a rule: one text describes one step of every element"
_NO_SIDE = "a rule computes new values from its arguments and does nothing else"
_RANGES = "a rule does not raise: give `ranges=` to the decorator for what a hyper-parameter may be"
_NO_FUNCTIONS = "a function inside a rule has no meaning; shared lines are a `@term` above it"
_NUMBERS_AND_ARRAYS = "a rule knows numbers and arrays only"

STATEMENTS: dict[type[ast.AST], str] = {
    ast.For: _NO_LOOPS,
    ast.AsyncFor: _NO_LOOPS,
    ast.While: _NO_LOOPS,
    ast.AnnAssign: "a rule has no annotations inside; write `x = y`",
    ast.Try: "a rule does not catch: a number that cannot be computed is an error that names it",
    ast.Raise: _RANGES,
    ast.Assert: _RANGES,
    ast.Import: "import above the function, not inside it",
    ast.ImportFrom: "import above the function, not inside it",
    ast.FunctionDef: _NO_FUNCTIONS,
    ast.AsyncFunctionDef: _NO_FUNCTIONS,
    ast.ClassDef: _NO_FUNCTIONS,
    ast.With: _NO_SIDE,
    ast.Global: _NO_SIDE,
    ast.Nonlocal: _NO_SIDE,
    ast.Delete: _NO_SIDE,
    ast.Pass: "leave `pass` out; where a branch changes nothing, write `x = x`",
    ast.Match: "write `if` / `elif` / `else`",
}

EXPRESSIONS: dict[type[ast.AST], str] = {
    ast.Subscript: "a rule sees whole arrays: there is no indexing",
    ast.Lambda: _NO_FUNCTIONS,
    ast.ListComp: _NO_LOOPS,
    ast.SetComp: _NO_LOOPS,
    ast.DictComp: _NO_LOOPS,
    ast.GeneratorExp: _NO_LOOPS,
    ast.NamedExpr: "write the assignment on a line of its own",
    ast.Tuple: "write one value for each name, as in `a, b = x, y`",
    ast.Starred: "write the values out",
    ast.JoinedStr: _NUMBERS_AND_ARRAYS,
    ast.Dict: _NUMBERS_AND_ARRAYS,
    ast.List: _NUMBERS_AND_ARRAYS,
    ast.Set: _NUMBERS_AND_ARRAYS,
    ast.Await: _NO_SIDE,
    ast.Yield: _NO_SIDE,
    ast.YieldFrom: _NO_SIDE,
}

_INSTEAD: list[tuple[Any, str]] = [
    (np.reciprocal, "write `x**-1` or `1 / x`"),
    (np.dot, "write `a @ b`, or `sum(a * b)` for the inner product"),
    (np.matmul, "write `a @ b`"),
    (np.inner, "write `sum(a * b)`"),
    (np.vdot, "write `sum(a * b)`"),
    (np.outer, "a rule of matrices writes `a @ b`; one number a row or a column comes from `sum(x, axis=-1)`"),
    (np.zeros_like, "write `0 * x`, or declare a slot: slots start at zero"),
    (np.ones_like, "write `0 * x + 1`"),
    (np.fmax, "write `maximum(a, b)`"),
    (np.fmin, "write `minimum(a, b)`"),
    (np.min, "write `-amax(-x)`"),
    (builtins.min, "write `-amax(-x)` for the smallest element, `minimum(a, b)` for the smaller of two"),
    (np.std, "write `sqrt(mean((x - mean(x))**2))`"),
    (np.var, "write `mean((x - mean(x))**2)`"),
    (np.add, "write `a + b`"),
    (np.subtract, "write `a - b`"),
    (np.multiply, "write `a * b`"),
    (np.divide, "write `a / b`"),
    (np.negative, "write `-x`"),
    (np.log1p, "write `log(1 + x)`"),
    (np.expm1, "write `exp(x) - 1`"),
    (math.isnan, "write `x != x`"),
    (np.isnan, "write `x != x`"),
    (np.isfinite, "write `x - x == 0`"),
    (math.isfinite, "write `x - x == 0`"),
    (math.hypot, "write `sqrt(a**2 + b**2)`"),
    (np.hypot, "write `sqrt(a**2 + b**2)`"),
    (math.floor, "write `x // 1`, which works on numbers known before the step, such as t"),
    (builtins.round, "write `(x + 0.5) // 1`, which works on numbers known before the step, such as t"),
    (builtins.float, "numbers are floats already: leave it out"),
    (builtins.int, "numbers are floats; `x // 1` rounds down a number known before the step, such as t"),
    (builtins.print, f"{_NO_SIDE}: look at `opt.state` after the step"),
    (builtins.range, _NO_LOOPS),
    (builtins.len, "write `sum(0 * x + 1)` for the number of elements, or `mean` for an average"),
    (np.asarray, "what a rule gets are arrays already: leave it out"),
    (np.array, "what a rule gets are arrays already: leave it out"),
    (np.copy, "a rule changes nothing in place: leave it out"),
]
_BY_OBJECT = {id(obj): (obj, advice) for obj, advice in _INSTEAD}


def instead_of(obj: Any) -> str | None:
    """Return what to write instead of an object that is no word, if there is advice."""
    found = _BY_OBJECT.get(id(obj))
    return found[1] if found else None


def instead_of_method(x: str, name: str) -> str:
    """Return what to write instead of a method of an array, such as `x.sum()`."""
    known = {word: f"{word}({x})" for word in ("sum", "mean", "norm", "sqrt", "square", "abs", "sign", "clip")}
    known |= {"max": f"amax({x})", "min": f"-amax(-{x})", "std": f"rms({x} - mean({x}))", "copy": x}
    return "arrays have no methods here" + (f"; write `{known[name]}`" if name in known else "")

"""Which words there are, and which objects of Python and NumPy stand for them.

A word is recognised by the object that a name refers to, never by its spelling: `np.sqrt`, `math.sqrt` and
`from thalweg.words import sqrt as root` are all the word `sqrt`.
"""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from thalweg import words


@dataclass(frozen=True)
class Word:
    """A word: how many arguments it takes and what it makes of them."""

    name: str
    arity: int
    kind: str  # "elementwise", "reduction", "model" or "matrix"
    exact: bool = True
    results: int = 1


_ELEMENTWISE = {"sqrt": 1, "square": 1, "abs": 1, "sign": 1, "maximum": 2, "minimum": 2, "clip": 3, "where": 3}
_INEXACT = {"exp": 1, "log": 1, "tanh": 1, "cbrt": 1, "atan2": 2, "power": 2}
_REDUCTIONS = ("sum", "mean", "norm", "rms", "amax")

WORDS: dict[str, Word] = {
    **{n: Word(n, a, "elementwise") for n, a in _ELEMENTWISE.items()},
    **{n: Word(n, a, "elementwise", exact=False) for n, a in _INEXACT.items()},
    **{n: Word(n, 1, "reduction") for n in _REDUCTIONS},
    "total": Word("total", 1, "model"),
    "transpose": Word("transpose", 1, "matrix", exact=False),
    "qr": Word("qr", 1, "matrix", exact=False, results=2),
    "eigh": Word("eigh", 1, "matrix", exact=False, results=2),
}

_SYNONYMS: list[tuple[Any, str]] = [
    *((getattr(words, name), name) for name in WORDS),
    *((getattr(np, name), name) for name in ("sqrt", "abs", "sign", "maximum", "minimum", "clip", "where", "exp", "log", "tanh", "cbrt")),
    *((getattr(math, name), name) for name in ("sqrt", "exp", "log", "tanh", "cbrt", "atan2")),
    (np.square, "square"), (np.absolute, "abs"), (np.fabs, "abs"), (math.fabs, "abs"), (builtins.abs, "abs"),
    (np.arctan2, "atan2"), (np.power, "power"), (math.pow, "power"), (builtins.pow, "power"),
    (np.sum, "sum"), (builtins.sum, "sum"), (np.mean, "mean"), (np.linalg.norm, "norm"),
    (np.max, "amax"), (np.amax, "amax"), (np.transpose, "transpose"), (np.linalg.qr, "qr"), (np.linalg.eigh, "eigh"),
]  # fmt: skip
_BY_OBJECT = {id(obj): (obj, name) for obj, name in _SYNONYMS}  # the object is held, so that its id stays its own

# Objects that people reach for and that are not words: what to write instead.
_INSTEAD: list[tuple[Any, str]] = [
    (np.reciprocal, "write `x**-1` or `1 / x`"),
    (np.dot, "write `a @ b`, or `sum(a * b)` for the inner product"),
    (np.matmul, "write `a @ b`"),
    (np.inner, "write `sum(a * b)`"),
    (np.vdot, "write `sum(a * b)`"),
    (np.zeros_like, "write `0 * x`, or declare a slot: slots start at zero"),
    (np.ones_like, "write `0 * x + 1`"),
    (np.fmax, "write `maximum(a, b)`"),
    (np.fmin, "write `minimum(a, b)`"),
    (np.min, "write `-amax(-x)`"),
    (np.std, "write `sqrt(mean((x - mean(x))**2))`"),
    (np.var, "write `mean((x - mean(x))**2)`"),
    (np.add, "write `a + b`"),
    (np.subtract, "write `a - b`"),
    (np.multiply, "write `a * b`"),
    (np.divide, "write `a / b`"),
    (math.isnan, "write `x != x`"),
    (np.isnan, "write `x != x`"),
    (builtins.float, "numbers are floats already: leave it out"),
    (builtins.int, "numbers are floats: leave it out"),
    (builtins.print, "a rule computes and does nothing else: look at `opt.state` after the step"),
    (builtins.range, "there are no loops in a rule: one text describes one step"),
    (builtins.len, "write `sum(0 * x + 1)` for the number of elements, or `mean` for an average"),
    (math.hypot, "write `sqrt(a**2 + b**2)`"),
]
_REFUSED = {id(obj): (obj, hint) for obj, hint in _INSTEAD}

# Spelled alone in a text given as a string these need no import; elementwise `max(a, b)` and `min(a, b)` are Python's own.
SPELLINGS = dict.fromkeys(WORDS)


def word_of(obj: Any, arguments: int) -> str | None:
    """Return the name of the word that an object stands for when called with so many arguments, or None."""
    if obj is builtins.max:
        return "amax" if arguments == 1 else "maximum"
    if obj is builtins.min and arguments == 2:
        return "minimum"
    found = _BY_OBJECT.get(id(obj))
    return found[1] if found else None


def instead_of(obj: Any) -> str | None:
    """Return what to write instead of an object that is no word, if there is advice."""
    found = _REFUSED.get(id(obj))
    return found[1] if found else None


def listing() -> str:
    """Return the vocabulary as one line for messages."""
    shown = [n for n in WORDS if n not in {"transpose", "power"}]
    return f"{' '.join(shown)}, the operators + - * / ** @ and comparisons, `x.T`, `a if c else b`"

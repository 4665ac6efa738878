"""Which words there are, and which objects of Python and NumPy stand for them.

A word is recognised by the object that a name refers to, never by its spelling: `np.sqrt`, `math.sqrt` and
`from thalweg.words import sqrt as root` are all the word `sqrt`.
"""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from thalweg import words


@dataclass(frozen=True)
class Word:
    """A word: how many arguments it takes and what it makes of them.

    exact: IEEE 754 fixes its result, so that every backend gives the same bits. of_numbers: it may be applied to
    numbers of tensors and of the model, which kernels compute; to numbers known before the step, every elementwise
    word but `where` may. numbers: how many of a matrix word's arguments, the last ones, are numbers. gives_number: a
    matrix word that makes a number of the tensor.
    """

    arity: int
    kind: Literal["elementwise", "reduction", "model", "matrix"] = "elementwise"
    exact: bool = True
    of_numbers: bool = False
    results: int = 1
    numbers: int = 0
    gives_number: bool = False


WORDS: dict[str, Word] = {
    **{name: Word(1, of_numbers=True) for name in ("sqrt", "square", "abs", "sign")},
    **{name: Word(2, of_numbers=True) for name in ("maximum", "minimum")},
    "clip": Word(3, of_numbers=True),
    "where": Word(3),
    **{name: Word(1, exact=False) for name in ("exp", "log", "tanh", "cbrt")},
    **{name: Word(2, exact=False) for name in ("atan2", "power")},
    **{name: Word(1, "reduction") for name in ("sum", "mean", "norm", "rms", "amax")},
    "total": Word(1, "model"),
    "transpose": Word(1, "matrix", exact=False),
    **{name: Word(1, "matrix", exact=False, results=2) for name in ("qr", "eigh")},
    **{name: Word(1, "matrix", exact=False) for name in ("eye", "sorting")},
    **{name: Word(1, "matrix", exact=False, gives_number=True) for name in ("nrows", "ncols")},
    "blocks": Word(2, "matrix", exact=False, numbers=1),
    "unblocks": Word(2, "matrix", exact=False),
}

SCOPE: dict[str, Any] = {name: getattr(words, name) for name in WORDS}
"""The words by name: what a text given as a string may use without an import, and what generated functions call."""

_SYNONYMS: list[tuple[Any, str]] = [
    *((word, name) for name, word in SCOPE.items()),
    *((getattr(np, name), name) for name in ("sqrt", "square", "abs", "sign", "maximum", "minimum", "clip", "where")),
    *((getattr(np, name), name) for name in ("exp", "log", "tanh", "cbrt", "power", "sum", "mean", "transpose")),
    *((getattr(math, name), name) for name in ("sqrt", "exp", "log", "tanh", "cbrt", "atan2")),
    *((np.fabs, "abs"), (math.fabs, "abs"), (builtins.abs, "abs"), (np.arctan2, "atan2")),
    *((math.pow, "power"), (builtins.pow, "power"), (builtins.sum, "sum"), (np.max, "amax"), (np.amax, "amax")),
    *((np.linalg.norm, "norm"), (np.linalg.qr, "qr"), (np.linalg.eigh, "eigh")),
]
# By identity, since not everything that a text can name has a hash; each object is held, so its id stays its own.
_BY_OBJECT = {id(obj): (obj, name) for obj, name in _SYNONYMS}


def word_of(obj: Any, arguments: int) -> str | None:
    """Return the name of the word that an object stands for when called with so many arguments, or None."""
    if obj is builtins.max:
        return "amax" if arguments == 1 else "maximum"
    if obj is builtins.min and arguments != 1:
        return "minimum"
    found = _BY_OBJECT.get(id(obj))
    return found[1] if found else None


def listing() -> str:
    """Return the vocabulary as one line for messages."""
    spelled = " ".join(name for name in WORDS if name not in ("transpose", "power"))
    return f"{spelled}, the operators + - * / ** @ and comparisons, `x.T`, `a if c else b`"

"""Problems to compare rules on: each with its gradient, its start and what counts as solved."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from thalweg.problems.base import Problem, Trial
from thalweg.problems.digits import Digits
from thalweg.problems.ravine import Ravine

_PROBLEMS: Mapping[str, Callable[[], Problem]] = MappingProxyType({"digits": Digits, "ravine": Ravine})

NAMES: tuple[str, ...] = tuple(_PROBLEMS)
"""The names that `get` knows."""

__all__ = ["NAMES", "Digits", "Problem", "Ravine", "Trial", "get"]


def get(name: str) -> Problem:
    """The problem of that name; ValueError with the known names for any other."""
    if name not in _PROBLEMS:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"there is no problem {name!r}: it can be {', '.join(map(repr, NAMES))}{hint}")
    return _PROBLEMS[name]()

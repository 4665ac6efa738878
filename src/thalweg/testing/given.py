"""What a caller gives beside the optimizer, the type of numbers and hyper-parameters: legal, or refused in words."""

from __future__ import annotations

import contextlib
import difflib
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np

from thalweg.hyperparams import defaults_of
from thalweg.rule import Rule
from thalweg.rules import RULES
from thalweg.testing.numbers import names_for
from thalweg.testing.subject import UsageError


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """Return the type as NumPy has it; raises UsageError for all but float64 and float32.

    In smaller types rounding hides what tells rules apart.
    """
    with contextlib.suppress(TypeError):
        found: np.dtype[Any] = np.dtype(dtype)
        if dtype is not None and found in (np.dtype(np.float64), np.dtype(np.float32)):
            return found
    shown = getattr(dtype, "__name__", None) or str(dtype)
    raise UsageError(f"dtype is float64 or float32, the types in which rules can be told apart, not {shown}")


def check_names(opt: Any, given: Iterable[str], *wanted: Rule) -> None:
    """Raise UsageError for a number that neither a rule nor the constructor of the class knows.

    wanted: rules beside those of thalweg.
    """
    own = _arguments(opt) if isinstance(opt, type) else set()
    if own is None:
        return
    forms = [form for rule in (*RULES.values(), *wanted) for form in rule.conventions.values()]
    rules = sorted({name for rule in (*forms, *wanted) for name in defaults_of(rule)})
    known = sorted(own | {alias for name in rules for alias in names_for(name)})
    for name in given:
        if name not in known:
            close = difflib.get_close_matches(name, known, 1, 0.6)
            meant = f"`{close[0]}` is the nearest name" if close else f"the rules have {', '.join(rules)}"
            raise UsageError(f"there is no hyper-parameter `{name}`: {meant}")


def _arguments(cls: type) -> set[str] | None:
    """Return the arguments that a constructor takes by name; None where it takes any."""
    try:
        parameters = inspect.signature(cls).parameters.values()
    except (TypeError, ValueError):
        return set()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}

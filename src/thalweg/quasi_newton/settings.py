"""The arguments of LBFGS, checked."""

from __future__ import annotations

import difflib
import math
import numbers
import operator
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

LINE_SEARCHES = ("strong_wolfe",)

# What other libraries call them.
_TRANSLATIONS = {
    "line_search_fn": "line_search", "linesearch": "line_search", "learning_rate": "lr", "step_size": "lr",
    "history": "history_size", "memory": "history_size", "memory_size": "history_size", "maxcor": "history_size",
    "m": "history_size", "maxiter": "max_iter", "maxfun": "max_eval", "max_fun": "max_eval",
    "max_ls": "max_eval", "maxls": "max_eval", "gtol": "tolerance_grad", "pgtol": "tolerance_grad",
    "ftol": "tolerance_change", "xtol": "tolerance_change", "tol": "tolerance_grad",
}  # fmt: skip
# What other optimizers have as an argument, and what to do here.
_ADVICE = {
    "params": "parameters are given to each call: opt.update(params, closure=f)",
    "weight_decay": "add the penalty to the value and to the gradients that f returns",
    "nonfinite": "a value or gradient that is not finite is always an error, since the search cannot do without it",
    "master": "parameters are float32 or float64",
    "groups": "the direction is one for all parameters; a gradient of None leaves a parameter alone",
    "convention": "there is one form, that of torch",
    "maximize": "let f return the negative value and gradients",
    "bounds": "it keeps no bounds; SciPy's method 'L-BFGS-B' does",
    "rule": "it has no text; LBFGS(...) makes one",
}


@dataclass(frozen=True)
class Settings:
    """The hyper-parameters, each checked when it is given. See `LBFGS`."""

    lr: float = 1.0
    max_iter: int = 20
    max_eval: int | None = None
    tolerance_grad: float = 1e-7
    tolerance_change: float = 1e-9
    history_size: int = 100
    line_search: str | None = "strong_wolfe"

    def __post_init__(self) -> None:
        # A frozen dataclass is written to by this, and what is kept is what was checked: a float for np.float32(0.1).
        put = object.__setattr__
        for name in ("lr", "tolerance_grad", "tolerance_change"):
            put(self, name, _real(name, getattr(self, name), is_open=name == "lr"))
        for name in ("max_iter", "max_eval", "history_size"):
            put(self, name, _count(name, getattr(self, name), or_none=name == "max_eval"))
        if self.line_search is not None and self.line_search not in LINE_SEARCHES:
            raise ValueError(
                f"LBFGS: line_search = {self.line_search!r}; it is 'strong_wolfe', or None for steps of the length lr"
            )

    @property
    def evaluations(self) -> int:
        """The number of evaluations that ends a call: max_eval, or torch's default for it."""
        return self.max_iter * 5 // 4 if self.max_eval is None else self.max_eval

    def as_dict(self) -> dict[str, Any]:
        """Return them by name."""
        return asdict(self)


NAMES = tuple(field.name for field in fields(Settings))


def unknown(name: str) -> str:
    """Return the message for an argument that LBFGS does not have, with what it is called here."""
    takes = f"LBFGS takes {', '.join(NAMES)}"
    if name in _TRANSLATIONS:
        return f"`{name}` is `{_TRANSLATIONS[name]}=` here. {takes}"
    if name in _ADVICE:
        return f"LBFGS has no `{name}`: {_ADVICE[name]}. {takes}"
    close = difflib.get_close_matches(name, NAMES, 1)
    return f"LBFGS has no `{name}`{f'; did you mean `{close[0]}`?' if close else ''}. {takes}"


def _real(name: str, given: Any, *, is_open: bool) -> float:
    legal = f"0 {'<' if is_open else '<='} {name}, finite"
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        hint = ""
        if callable(given):
            hint = f"; it may be set between two calls, as in opt.{name} = 0.5"
        elif isinstance(given, Iterable | Mapping) and not isinstance(given, str | bytes):
            hint = ". Parameters are given to each call: opt.update(params, closure=f)"
        raise TypeError(f"LBFGS: {name} is of type {type(given).__name__}; give a number with {legal}{hint}")
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number) or number < 0 or (is_open and number == 0):
        raise ValueError(f"LBFGS: {name} = {given!r} is out of range; legal is {legal}")
    return number


def _count(name: str, given: Any, *, or_none: bool) -> int | None:
    if or_none and given is None:
        return None
    legal = f"a whole number, 1 or more{', or None for 5 * max_iter // 4' if or_none else ''}"
    try:
        number = operator.index(given)
    except TypeError:
        number = -1
    if isinstance(given, bool) or number < 0:
        kind = TypeError if isinstance(given, bool) or not isinstance(given, numbers.Real) else ValueError
        raise kind(f"LBFGS: {name} = {given!r}; it is {legal}")
    if number == 0:
        raise ValueError(f"LBFGS: {name} = 0 is out of range; it is {legal}")
    return number

"""What every schedule is: a function of the step count t that can be compared, printed, copied and pickled."""

from __future__ import annotations

import difflib
import numbers
from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, fields
from typing import Any, Self

from thalweg.schedules.arguments import Check, Part

# What torch, optax and Keras call them, and what the same thing may be called here: the first name that there is.
_ELSEWHERE = {
    "T_max": ("steps",), "total_steps": ("steps",), "total_iters": ("steps",), "decay_steps": ("steps", "every"),
    "transition_steps": ("steps", "every"), "step_size": ("every",), "decay_rate": ("gamma",),
    "eta_min": ("final",), "end_value": ("final",), "min_lr": ("final",), "min_value": ("final",),
    "boundaries": ("milestones",), "T_0": ("period",), "T_mult": ("growth",), "anneal_strategy": ("anneal",),
    "lr": ("value", "peak", "schedule"), "learning_rate": ("value", "peak", "schedule"),
    "init_value": ("value", "peak"), "initial_learning_rate": ("value",), "base_lr": ("base", "value"),
    "max_lr": ("peak",), "peak_value": ("peak", "value"), "step_size_up": ("up",), "step_size_down": ("down",),
    "warmup_steps": ("warmup", "steps"), "num_warmup_steps": ("warmup", "steps"), "num_training_steps": ("steps",),
    "schedulers": ("schedules",), "alpha": ("final",), "end_factor": ("final",), "start_factor": ("start",),
}  # fmt: skip
_FACTORS = ("alpha", "end_factor", "start_factor")  # a share of the value there, and a value of its own here
_ADVICE = {
    "transition_begin": "join([value, schedule], milestones=[transition_begin]) holds the first value for so long",
    "last_epoch": "a schedule has no count of its own; it is called with t",
    "verbose": "a schedule prints nothing",
    "optimizer": "give the schedule to the optimizer, as in Adam(lr=schedule)",
}


class Schedule(ABC):
    """A hyper-parameter as a function of the step count: `schedule(t)`, t = 1, 2, ..., returns a float.

    Subclasses are frozen dataclasses. Two schedules are equal if their arguments are.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make a schedule; raises TypeError for an argument that it does not have, with its name here."""
        names = _arguments(cls)
        by_position = [name for name, field in names.items() if not field.kw_only]
        if len(args) > len(by_position):
            others = [name for name, field in names.items() if field.kw_only]
            named = f"name the others, such as {others[0]}=: {', '.join(others)}" if others else "there are no others"
            raise TypeError(
                f"{cls.__name__} takes {', '.join(by_position)} by position, and {len(args)} were given; {named}"
            )
        for name in kwargs:
            if name not in names:
                raise TypeError(f"{cls.__name__} has no argument `{name}`{_instead(name, list(names))}")
        return super().__new__(cls)

    def __call__(self, t: int) -> float:
        """Return the value of step t.

        Args:
            t: the step count, a whole number >= 1 of any size.

        Raises:
            TypeError: t is no whole number.
            ValueError: t is less than 1.
        """
        if type(t) is not int:
            if isinstance(t, bool) or not isinstance(t, numbers.Integral):
                raise TypeError(f"{self!r} was called with t = {t!r}; t is a whole number: 1, 2, ...")
            t = int(t)
        if t < 1:
            raise ValueError(f"{self!r} was called with t = {t}; steps are counted from 1")
        return self._after(t - 1)

    @abstractmethod
    def _after(self, taken: int, /) -> float:
        """Return the value after so many steps: what torch and optax give at this index."""

    def _check(self, **checks: Check) -> None:
        """Replace each argument by what its check returns; raises TypeError or ValueError that names it."""
        for name, check in checks.items():
            object.__setattr__(self, name, check(f"{type(self).__name__}: {name}", getattr(self, name)))

    def __repr__(self) -> str:
        shown = []
        for name, field in _arguments(type(self)).items():
            value = getattr(self, name)
            if field.repr and (field.default is MISSING or value != field.default):
                listed = list(value) if isinstance(value, tuple) else value
                shown.append(f"{name}={listed!r}" if field.kw_only else repr(listed))
        return f"{type(self).__name__}({', '.join(shown)})"


def evaluate(part: Part, t: int) -> float:
    """Return a number as it is, and a schedule at t; raises TypeError if that is no number."""
    if not callable(part):
        return part
    value = part(t)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{part!r} gives {value!r} at t = {t}; a schedule returns a number")
    return float(value)


def _arguments(cls: Any) -> dict[str, Field[Any]]:
    return {field.name: field for field in fields(cls)}


def _instead(name: str, names: list[str]) -> str:
    """Return what to write for an argument that there is not."""
    has = f"; it takes {', '.join(names)}"
    if name in _ADVICE:
        return f"; {_ADVICE[name]}"
    known = [one for one in _ELSEWHERE.get(name, ()) if one in names]
    if known:
        factor = f", as a value: {name} times the value" if name in _FACTORS else ""
        return f": it is `{known[0]}` here{factor}{has}"
    close = difflib.get_close_matches(name, names, 1)
    return f"{f': did you mean `{close[0]}`?' if close else ''}{has}"

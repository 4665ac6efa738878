"""Hyper-parameters: checked when they are given, when they are set, and at each step of a schedule."""

from __future__ import annotations

import difflib
import numbers
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from thalweg.rule import Rule

Schedule = Callable[[int], float]

# What other libraries call them. A name that a rule does have is never translated.
_TRANSLATIONS = {
    "learning_rate": "lr", "step_size": "lr", "stepsize": "lr", "eta": "lr",
    "alpha": "decay_rate", "rho": "decay_rate", "decay": "decay_rate", "mu": "momentum", "beta": "momentum",
    "betas": "beta1=, beta2", "beta_1": "beta1", "beta_2": "beta2", "b1": "beta1", "b2": "beta2",
    "epsilon": "eps", "initial_accumulator_value": "initial_accumulator",
}  # fmt: skip


def rules_of(rule: Rule) -> tuple[Rule, ...]:
    """Return the rule, and the one that it names for vectors."""
    return (rule,) if rule.vectors is None else (rule, rule.vectors)


def defaults_of(rule: Rule) -> dict[str, float | None]:
    """Return the hyper-parameters of a rule and of its rule for vectors; a name that both have is one number."""
    found: dict[str, float | None] = {}
    for one in rules_of(rule):
        found = dict(one.defaults) | found
    return {name: found[name] for one in rules_of(rule) for name in one.defaults}


class HyperParams(Mapping[str, Any]):
    """The hyper-parameters of a rule (and its rule for vectors): a float each, or a function of t that returns one."""

    def __init__(self, rule: Rule, given: Mapping[str, Any]) -> None:
        self._rule = rule
        self._values: dict[str, Any] = defaults_of(rule)
        for name, value in given.items():
            self._set(name, value)
        missing = [name for name, value in self._values.items() if value is None]
        if missing:
            raise TypeError(f"{rule.title}: `{missing[0]}` has no default; give it, as in {missing[0]}=0.01")
        self._update_schedules()

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._set(name, value)
        self._update_schedules()

    def _set(self, name: str, value: Any) -> None:
        if name not in self._values:
            raise TypeError(unknown(self._rule, name))
        self._values[name] = value if callable(value) else self.checked(name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _update_schedules(self) -> None:
        self._schedules = {name: value for name, value in self._values.items() if callable(value)}

    def at(self, t: int) -> dict[str, float]:
        """Return the numbers at step t; raises if a schedule gives something else than a number in its range."""
        if not self._schedules:
            return dict(self._values)
        return self._values | {
            name: self.checked(name, schedule(t), f" from its schedule at t = {t}")
            for name, schedule in self._schedules.items()
        }

    def checked(self, name: str, value: Any, where: str = "") -> float:
        """Return the value as a float; raises TypeError or ValueError that names it, what is legal, and what to do."""
        interval = next(one.ranges[name] for one in rules_of(self._rule) if name in one.ranges)
        condition = interval.condition(name)
        who = f"{self._rule.title}: {name} = {value!r}{where}"
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            kind = "a bool" if isinstance(value, bool) else f"of type {type(value).__name__}"
            raise TypeError(f"{who} is {kind}; give a number with {condition}, or a function of t that returns one")
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if number not in interval:
            finite = "" if condition.endswith("finite") else ", finite"
            raise ValueError(f"{who} is out of range; legal is {condition}{finite}")
        return number


def unknown(rule: Rule, name: str) -> str:
    """Return the message for an argument that a rule does not have, with what it is called here."""
    names = list(defaults_of(rule))
    has = f"{rule.title} takes {', '.join(names) or 'no hyper-parameters'}"
    if name in ("momentum", "nesterov") and rule.name == "sgd":
        other = "Momentum" if name == "momentum" else "Nesterov"
        return f"SGD takes lr and nothing else; `SGD({name}=)` is `{other}` here"
    if name == "weight_decay":
        return f"{rule.title} has no `weight_decay`; add `decay * params[name]` to the gradient. {has}"
    translated = _TRANSLATIONS.get(name)
    if translated and translated.split("=")[0] in names:
        return f"`{name}` is `{translated}=` here. {has}"
    close = difflib.get_close_matches(name, names, 1)
    return f"{rule.title} has no `{name}`{f'; did you mean `{close[0]}`?' if close else ''}. {has}"

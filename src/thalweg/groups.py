"""Groups of parameters as they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from thalweg.hyperparams import HyperParams, Schedule, unknown
from thalweg.rule import Rule


class GroupView:
    """The hyper-parameters of one group, to be read and set: `opt.groups["*.b"].lr = 0.1`.

    What the group has no number of its own for follows the optimizer's.
    """

    _parts: tuple[Rule, HyperParams, Callable[[], int]]

    def __init__(self, rule: Rule, hyper: HyperParams, t: Callable[[], int]) -> None:
        self.__dict__["_parts"] = rule, hyper, t

    @property
    def rule(self) -> Rule:
        """The rule of this group, links included."""
        return self._parts[0]

    @property
    def hyperparams(self) -> dict[str, float]:
        """Every hyper-parameter as a number: a schedule at the last step taken, or at t = 1 before the first."""
        _, hyper, t = self._parts
        return hyper.at(max(1, t()))

    @property
    def schedules(self) -> Mapping[str, Schedule]:
        """The hyper-parameters of this group that are functions of t, by name."""
        return MappingProxyType({name: x for name, x in self._parts[1].items() if callable(x)})

    def __getattr__(self, name: str) -> float:
        rule, hyper, _ = self._parts
        if name.startswith("_") or name not in hyper:
            raise AttributeError(unknown(rule, name))
        return self.hyperparams[name]

    def __setattr__(self, name: str, value: Any) -> None:
        rule, hyper, _ = self._parts
        if name not in hyper:
            raise AttributeError(unknown(rule, name))
        hyper[name] = value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parts[1]})

    def __repr__(self) -> str:
        return f"<group of {self.rule.title}: {', '.join(f'{k}={v}' for k, v in self.hyperparams.items())}>"

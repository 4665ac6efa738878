"""The optimizer: `update(params, grads)` on dicts of arrays, in place, all or nothing."""

from __future__ import annotations

import difflib
import numbers
import threading
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from thalweg.binding import Binding, ParameterState, start
from thalweg.errors import NonFiniteError
from thalweg.hyperparams import HyperParams, defaults_of, rules_of, unknown
from thalweg.rule import Rule
from thalweg.rules import RULES
from thalweg.tree import check_names, leaves, matching

Closure = Callable[[Any], tuple[float, Any]]
NONFINITE = ("raise", "skip", "allow")


class Optimizer:
    """A rule at work: `Optimizer(rule, lr=...)`, or a class of its own for each rule, such as `Adam(lr=0.001)`.

    Args:
        rule: a Rule, or the name of one of thalweg's own.
        *args: hyper-parameters, in the order of the rule's text.
        convention: whose form of the rule: "book", "paper", "torch", ...; None is the rule's default.
        nonfinite: what a NaN or an infinity in a gradient does. "raise" (default): an error that names the
            parameter, with nothing changed. "skip": the step is left out and counted in `skipped`. "allow": nobody
            looks, which saves one read of the gradients.
        **hyperparams: hyper-parameters by name. Each is a number, or a function of the step count t = 1, 2, ... that
            returns one.

    Raises:
        TypeError: a hyper-parameter does not exist, is missing, or is no real number.
        ValueError: a hyper-parameter is out of range; there is no such rule or convention.
    """

    def __init__(
        self,
        rule: Rule | str,
        *args: Any,
        convention: str | None = None,
        nonfinite: str = "raise",
        **hyperparams: Any,
    ) -> None:
        self._rule = _chosen(rule, convention)
        self._hyper = HyperParams(self._rule, _by_name(self._rule, args, hyperparams))
        self._needs_value = any(one.facts.needs_value for one in rules_of(self._rule))
        self._t = 0
        self._skipped = 0
        self._states: dict[str, ParameterState] = {}
        self._shared: dict[str, float] = {}
        self._binding: Binding | None = None
        self._busy = threading.Lock()
        self.nonfinite = nonfinite

    # What can be read and set -----------------------------------------------------------------------------------------

    @property
    def rule(self) -> Rule:
        """The Rule in use, of this convention."""
        return self._rule

    @property
    def t(self) -> int:
        """The number of steps taken; 0 before the first."""
        return self._t

    @property
    def skipped(self) -> int:
        """The number of steps left out because of gradients that were not finite (`nonfinite="skip"`)."""
        return self._skipped

    @property
    def nonfinite(self) -> str:
        """What a NaN or an infinity in a gradient does: "raise", "skip" or "allow"."""
        return self._nonfinite

    @nonfinite.setter
    def nonfinite(self, value: str) -> None:
        if value not in NONFINITE:
            raise ValueError(f"nonfinite = {value!r}; it is one of {', '.join(map(repr, NONFINITE))}")
        self._nonfinite = value

    @property
    def hyperparams(self) -> dict[str, float]:
        """Every hyper-parameter as a number: a schedule at the last step taken, or at t = 1 before the first."""
        return self._hyper.at(max(1, self._t))

    @property
    def state(self) -> Mapping[str, Mapping[str, Any]]:
        """State by the name of the parameter, then of the slot: floats, and the arrays in use."""
        return MappingProxyType({name: MappingProxyType(state.slots) for name, state in self._states.items()})

    @property
    def shared(self) -> Mapping[str, float]:
        """Numbers that the rule keeps for the whole model, by the name of the slot; empty before the first step."""
        return MappingProxyType(self._shared)

    def __getattr__(self, name: str) -> float:
        if not name.startswith("_") and name in self._hyper:
            return self._hyper.at(max(1, self._t))[name]
        has = "" if name.startswith("_") else f"; its hyper-parameters: {', '.join(self._hyper)}"
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{has}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_") or name == "nonfinite":
            object.__setattr__(self, name, value)
        elif name in self._hyper:
            self._hyper[name] = value
        else:
            read_only = f"`{name}` can be read and not set"
            raise AttributeError(read_only if hasattr(type(self), name) else unknown(self._rule, name))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._hyper})

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError(
            f"a {self._rule.title} at work cannot be copied or pickled yet: its arrays would be shared; "
            "make a new one with the same arguments"
        )

    def __repr__(self) -> str:
        rule = self._rule
        shown = [f"{k}={getattr(v, '__name__', repr(v)) if callable(v) else v}" for k, v in self._hyper.items()]
        form = [] if rule.convention_name == rule.family.default else [f"convention={rule.convention_name!r}"]
        return f"{rule.title}({', '.join(shown + form)}) after {self._t} step{'' if self._t == 1 else 's'}"

    # The step ---------------------------------------------------------------------------------------------------------

    def update(
        self, params: Any, grads: Any = None, *, value: float | None = None, closure: Closure | None = None
    ) -> float | None:
        """Take one step, in place: the caller's array objects stay the same, and gradients are never written to.

        Args:
            params: dict of name -> array of float32 or float64, of any shape and layout. A name seen for the first time
                gets fresh state and counts its own steps.
            grads: dict of the same names -> array of the same shape, or None, which leaves this parameter, its state
                and its step count alone.
            value: the loss of this step, for rules that need it.
            closure: in the place of grads and value, a function of params that returns (value, grads). It is called
                once, and its value is returned; otherwise update returns None.

        Raises:
            TypeError, ValueError: an array that cannot be updated, or names that do not match.
            NonFiniteError: a gradient holds a NaN or an infinity (see `nonfinite`).
            NumberError: a number of the rule cannot be computed.
            RuntimeError: a step of this optimizer is under way, in another thread.
            After any of these nothing has changed.
        """
        if not self._busy.acquire(blocking=False):
            raise RuntimeError(
                "a step of this optimizer is under way, in another thread or around this closure; give each thread an "
                "optimizer of its own, or let them take turns with a lock"
            )
        try:
            if closure is not None:
                if grads is not None or value is not None:
                    raise TypeError("update(params, closure=f) gets value and grads from f; leave these arguments out")
                value, grads = closure(params)
            self._update(params, grads, value)
        finally:
            self._busy.release()
        return None if closure is None else value

    def _update(self, params: Any, grads: Any, value: float | None) -> None:
        names, arrays = leaves(params)
        gradients = matching(names, grads)
        numbers_now = self._hyper.at(self._t + 1)
        if self._needs_value:
            numbers_now["value"] = _checked_loss(self._rule, value)
        binding = self._binding
        if binding is None or binding.names != names:
            check_names(names)
            binding = Binding(self._rule, names)
            binding.watch(self._states)
        fresh: dict[str, ParameterState] = {}
        shared = self._shared or {
            s: start(rule, s, numbers_now)
            for rule in rules_of(self._rule)
            for s, slot in rule.slots.items()
            if slot.shape == "shared"
        }
        self._binding = None  # until the step is taken: what a failed one has derived may hold state that is not kept
        if binding.read(arrays, gradients):
            fresh = binding.fresh(self._states, arrays, gradients, numbers_now, self._t)
            binding.derive(self._states | fresh, gradients)
        if self._step(binding, arrays, gradients, numbers_now, shared):
            if fresh:
                self._states.update(fresh)
                binding.watch(self._states)
            self._shared = shared
            self._binding = binding
            self._count(binding)

    def _count(self, binding: Binding) -> None:
        self._t += 1
        if len(binding.taking_part) != len(self._states):
            took_part = {binding.names[i] for i in binding.taking_part}
            for name, state in self._states.items():
                if name not in took_part:
                    state.missed += 1

    def _step(
        self,
        binding: Binding,
        arrays: Sequence[NDArray[Any]],
        gradients: Sequence[Any],
        numbers: Mapping[str, float],
        shared: dict[str, float],
    ) -> bool:
        """Take the step; False if it was left out because of a gradient that is not finite."""
        for share in binding.shares:
            share.fetch(arrays, gradients)
        if self._nonfinite != "allow" and not self._is_finite(binding, arrays, gradients):
            return False
        writes = [share.prepare(arrays, gradients, numbers, self._t + 1, shared) for share in binding.shares]
        for write in writes:
            write()
        return True

    def _is_finite(self, binding: Binding, arrays: Sequence[NDArray[Any]], gradients: Sequence[Any]) -> bool:
        """Look at all gradients: True if they are finite, False to leave the step out, or the error."""
        for share in binding.shares:
            found = share.first_nonfinite(arrays, gradients)
            if found is None:
                continue
            if self._nonfinite == "skip":
                self._skipped += 1
                return False
            position, place = found
            where = f" at [{', '.join(str(int(i)) for i in place)}]" if len(place) else ""
            element = gradients[position][place]
            too_large = f", too large for {arrays[position].dtype}" if np.isfinite(element) else ""
            raise NonFiniteError(
                f"the gradient of {binding.names[position]!r} is {element}{where}{too_large}; nothing has "
                "changed. A usual cause is a rate that is too large. "
                'nonfinite="skip" leaves such steps out, "allow" does not look'
            )
        return True


def _chosen(rule: Rule | str, convention: str | None) -> Rule:
    if isinstance(rule, str):
        if rule not in RULES:
            close = difflib.get_close_matches(rule.lower(), RULES, 1)
            hint = f"; did you mean {close[0]!r}?" if close else "."
            raise ValueError(f"there is no rule {rule!r}{hint} There are: {', '.join(RULES)}")
        return RULES[rule].family.get(convention)
    if not isinstance(rule, Rule):
        raise TypeError(
            f"{rule!r} is no rule; give a function decorated with @thalweg.rule, or one of the names {', '.join(RULES)}"
        )
    return rule if convention is None else rule.family.get(convention)


def _by_name(rule: Rule, args: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    names = list(defaults_of(rule))
    taken = [name for name in names if name.startswith("_") or hasattr(Optimizer, name)]
    if taken:
        raise ValueError(f"{rule.name}: every optimizer has a `{taken[0]}`; call the hyper-parameter something else")
    if len(args) > len(names):
        raise TypeError(
            f"{rule.title} takes at most {len(names)} hyper-parameters ({', '.join(names)}); {len(args)} were given"
        )
    given = dict(zip(names, args, strict=False))
    twice = sorted(set(given) & set(named))
    if twice:
        raise TypeError(f"{rule.title}: `{twice[0]}` is given by position and by name")
    return given | dict(named)


def _checked_loss(rule: Rule, value: float | None) -> float:
    if value is None:
        raise TypeError(f"{rule.title} needs the loss of the step: update(params, grads, value=loss)")
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"the loss given to {rule.title} is of type {type(value).__name__}; give a number: value=float(loss)"
        )
    number = float(value)
    if not np.isfinite(number):
        raise NonFiniteError(f"the loss given to {rule.title} is {number}; nothing has changed")
    return number

"""Hyper-parameters: checked when they are given, when they are set, and at each step of a schedule."""

from __future__ import annotations

import difflib
import numbers
import re
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from thalweg.rule import Rule
from thalweg.schedules import resumed

Schedule = Callable[[int], float]

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60

# What other libraries call them. A name that a rule does have is never translated.
TRANSLATIONS = {
    "learning_rate": "lr", "step_size": "lr", "stepsize": "lr", "eta": "lr", "alpha": "decay_rate",
    "rho": "decay_rate", "decay": "decay_rate", "decay_factor": "decay_rate", "mu": "momentum", "beta": "momentum",
    "betas": "beta1=, beta2", "beta_1": "beta1", "beta_2": "beta2", "b1": "beta1", "b2": "beta2", "epsilon": "eps",
    "initial_accumulator_value": "initial_accumulator", "initial_scale": "initial_accumulator",
    "b3": "beta3", "beta_3": "beta3", "nus": "nu1=, nu2", "etas": "eta_minus=, eta_plus",
    "step_sizes": "min_step_size=, max_step_size", "beta2_decay": "decay", "beta_2_decay": "decay",
    "clip_threshold": "clipping", "clipping_threshold": "clipping", "epsilon_1": "eps1", "epsilon_2": "eps2",
    "trust_coefficient": "trust", "learning_rate_power": "lr_power", "l1_regularization_strength": "l1",
    "l2_regularization_strength": "l2", "l2_shrinkage_regularization_strength": "l2_shrinkage",
    "estim_lr0": "d0", "estim_lr_coef": "d_coef", "warmup_steps": "warmup", "precondition_frequency": "every",
    "max_preconditioner_dim": "block_size", "max_learning_rate": "lr_max", "max_lr": "lr_max",
    "adam_lr_ratio": "lr_ratio",
}  # fmt: skip
_MOMENTUM = "momentum on the gradients of another rule is a rule of its own: Momentum, Nesterov and Adam have it"
# What other libraries have as an argument, and what it takes here.
_ADVICE = {
    "weight_decay": "chain(l2(0.01), rule) adds the decay to the gradient, as torch does; "
    "chain(rule, decoupled_decay(0.01)) is that of AdamW, which is a rule of its own too",
    "momentum": _MOMENTUM,
    "nesterov": _MOMENTUM,
    "dampening": 'Momentum(convention="torch") has it; otherwise dampening of d is momentum with the rate (1 - d) * lr',
    "centered": 'RMSprop(convention="torch-centered") subtracts the mean of the gradients, and so do "keras-centered" '
    'and "optax-centered"',
    "amsgrad": "the maximum of second moments makes another rule, which is AMSGrad",
    "rectify": "the warm-up of its own makes another rule, which is RAdam",
    "decoupled_weight_decay": "chain(rule, decoupled_decay(0.01)) does it",
    "lookahead": "chain(rule, lookahead(5)) does it",
    "maximize": "give the negative gradients to update",
    "foreach": "a step is one pass over memory already",
    "fused": "a step is one pass over memory already",
    "capturable": "there is no graph to capture; leave it out",
    "differentiable": "a step has no derivative here; leave it out",
    "eps_root": "it is added inside of a root of squares, and this rule has none",
    "clipvalue": "chain(clip_value(1.0), rule) does it",
    "clipnorm": "chain(clip_norm(1.0), rule) does it",
    "global_clipnorm": "chain(clip_global_norm(1.0), rule) does it",
    "use_ema": "chain(rule, ema(0.99)) keeps the average, and `with opt.averaged()` shows it",
    "ema_momentum": "chain(rule, ema(0.99)) keeps the average, and `with opt.averaged()` shows it",
    "ema_overwrite_frequency": "chain(rule, ema(0.99, overwrite=100)) does it",
    "gradient_accumulation_steps": "chain(accumulate(4), rule) does it",
    "loss_scale_factor": "multiply the gradients by its inverse",
    "jit_compile": "what can be compiled is compiled; leave it out",
    "name": "an optimizer has no name; the variable that holds it has",
    "params": "parameters are given to each step: opt.update(params, grads)",
}


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
    """The hyper-parameters of a rule (and its rule for vectors): a float each, or a function of t that returns one.

    base: for a group of parameters, the numbers of the others; `inherits` names those that the group takes over as long
    as it has none of its own.
    inherited: those that can be taken over. pairs: names of which the first has to be below the second. has_state:
    there is state by now, and what its sizes depend on cannot change.
    """

    def __init__(
        self,
        rule: Rule,
        given: Mapping[str, Any],
        base: HyperParams | None = None,
        inherits: Iterable[str] = (),
        pairs: Sequence[tuple[str, str]] = (),
    ) -> None:
        self._rule = rule
        self._pairs = pairs
        self._base = base
        self._values: dict[str, Any] = defaults_of(rule)
        self._sizes = {slot.block for one in rules_of(rule) for slot in one.slots.values() if slot.block}
        self.has_state = False
        self.inherited = frozenset(name for name in inherits if name in self._values)
        self._inherited = self.inherited - set(given)
        for name, value in given.items():
            self._set(name, value)
        missing = [name for name, value in self._values.items() if value is None and name not in self._inherited]
        if missing:
            raise TypeError(f"{rule.title}: `{missing[0]}` has no default; give it, as in {missing[0]}=0.01")
        self._update_schedules()
        self._check_pairs({name: self[name] for name in self})

    def __getitem__(self, name: str) -> Any:
        if name in self._inherited and self._base is not None:
            return self._base[name]
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if self.has_state and name in self._sizes and not callable(value) and self.checked(name, value) != self[name]:
            raise ValueError(
                f"{self._rule.title}: {name} = {value!r}, and there is state for blocks of {self[name]:g}; that stays, "
                "or take a new optimizer"
            )
        if any(name in pair for pair in self._pairs) and not callable(value):
            self._check_pairs({n: self[n] for n in self} | {name: self.checked(name, value)})
        self._set(name, value)
        self._inherited -= {name}
        self._update_schedules()

    def _set(self, name: str, value: Any) -> None:
        if name not in self._values:
            raise TypeError(unknown(self._rule, name))
        if name in self.inherited and any(name in one.facts.model_numbers for one in rules_of(self._rule)):
            raise ValueError(
                f"`{name}` belongs to a number that {self._rule.title} keeps for the whole model, and cannot differ "
                "between groups; set it on the optimizer"
            )
        if isinstance(value, type):
            raise TypeError(
                f"{self._rule.title}: {name} is the class {value.__name__}; give a number, or a function of t such as "
                "schedules.cosine(1e-3, steps=1000), with its arguments"
            )
        if callable(value) and name in self._sizes:
            raise TypeError(f"{self._rule.title}: {name} = {value!r} is a function of t; state has blocks of one size")
        self._values[name] = value if callable(value) else self.checked(name, value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def own(self) -> dict[str, Any]:
        """Those that are not taken over."""
        return {name: value for name, value in self._values.items() if name not in self._inherited}

    def replace(self, values: Mapping[str, Any]) -> None:
        """Put checked values in place; what can be taken over from the base, and is not among them, is taken over.

        A schedule that is fed goes on as the object it is, in the new one's state, so that who feeds it need not know.
        """
        for name, new in values.items():
            if not resumed(self._values[name], new):
                self._values[name] = new
        self._inherited = self.inherited - set(values)
        self._update_schedules()

    def _update_schedules(self) -> None:
        self._schedules = {name: value for name, value in self.own.items() if callable(value)}

    def at(self, t: int, base: Mapping[str, float] | None = None) -> dict[str, float]:
        """Return the numbers at step t; raises if a schedule gives something else than a number in its range.

        base: the numbers of the base at this step, where there is one.
        """
        numbers = dict(self._values)
        if self._inherited and self._base is not None:
            known = self._base.at(t) if base is None else base
            numbers |= {name: known[name] for name in self._inherited}
        for name, schedule in self._schedules.items():
            numbers[name] = self.checked(name, schedule(t), f" from its schedule at t = {t}")
        if self._pairs:
            self._check_pairs(numbers)
        return numbers

    def now(self, name: str, t: int) -> float:
        """Return one number at step t, whatever the others are."""
        value = self[name]
        return self.checked(name, value(t), f" from its schedule at t = {t}") if callable(value) else value

    def _check_pairs(self, numbers: Mapping[str, Any]) -> None:
        for low, high in self._pairs:
            pair = numbers[low], numbers[high]
            if not any(map(callable, pair)) and not pair[0] < pair[1]:
                problem = f"{low} = {pair[0]!r} is not below {high} = {pair[1]!r}"
                raise ValueError(f"{self._rule.title}: {problem}; set the other one first")

    def checked(self, name: str, value: Any, where: str = "") -> float:
        """Return the value as a float; raises TypeError or ValueError that names it, what is legal, and what to do."""
        interval = next(one.ranges[name] for one in rules_of(self._rule) if name in one.defaults)
        condition = interval.condition(name)
        who = f"{self._rule.title}: {name} = {' '.join(_SHORT.repr(value).split())}{where}"
        if isinstance(value, bool) or not isinstance(value, numbers.Real):
            kind = "a bool" if isinstance(value, bool) else f"of type {type(value).__name__}"
            are_parameters = not where and isinstance(value, Iterable) and not isinstance(value, str | bytes)
            hint = ". Parameters are given to each step: opt.update(params, grads)" if are_parameters else ""
            raise TypeError(
                f"{who} is {kind}; give a number with {condition}, or a function of t that returns one{hint}"
            )
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if number not in interval:
            finite = "" if condition.endswith("finite") else ", finite"
            raise ValueError(f"{who} is out of range; legal is {condition}{finite}")
        return number


def _listed(conventions: list[str]) -> str:
    *most, last = (f'"{name}"' for name in conventions)
    return f"convention={', '.join(most)} and {last} have" if most else f"convention={last} has"


def unknown(rule: Rule, name: str) -> str:
    """Return the message for an argument that a rule does not have, with what it is called here."""
    names = list(defaults_of(rule))
    has = f"{rule.title} takes {', '.join(names) or 'no hyper-parameters'}"
    if name in ("momentum", "nesterov") and rule.name == "sgd":
        other = "Momentum" if name == "momentum" else "Nesterov"
        return f"SGD takes lr and nothing else; `SGD({name}=)` is `{other}` here"
    if name == "nesterov" and rule.name == "momentum":
        return f"`Momentum(nesterov=)` is `Nesterov` here. {has}"
    if name == "lr_1d" and "lr_ratio" in names:
        return f"`lr_1d` is a rate; `lr_ratio=` is that rate over lr here. {has}"
    betas = [known for known in names if re.fullmatch(r"beta\d", known)]
    translated = "=, ".join(betas) if name == "betas" else TRANSLATIONS.get(name)
    if translated and translated.split("=")[0] in names:
        return f"`{name}` is `{translated}=` here. {has}"
    if elsewhere := [c for c, form in rule.conventions.items() if name in defaults_of(form)]:
        return f'{rule.title}(convention="{rule.convention_name}") has no `{name}`; {_listed(elsewhere)} it. {has}'
    if name in _ADVICE:
        return f"{rule.title} has no `{name}`: {_ADVICE[name]}. {has}"
    close = difflib.get_close_matches(name, names, 1)
    return f"{rule.title} has no `{name}`{f'; did you mean `{close[0]}`?' if close else ''}. {has}"

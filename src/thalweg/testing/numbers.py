"""The hyper-parameters of somebody else's optimizer: read from its attributes, or tried out where there are none."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thalweg.hyperparams import TRANSLATIONS, defaults_of, rules_of
from thalweg.optimizer import Optimizer
from thalweg.rule import Rule

# What else is read as a hyper-parameter, in the order in which it is believed. The Greek letters mean several things.
_ALSO = {
    "lr": ("learning_rate", "learningrate", "eta", "step_size", "stepsize", "rate", "alpha"),
    "momentum": ("mu", "beta", "gamma", "alpha", "rho"),
    "decay_rate": ("rho", "decay", "alpha", "gamma", "beta", "beta2"),
    "beta1": ("b1",),
    "beta2": ("b2",),
    "eps": ("epsilon", "delta"),
}
_USUAL_EPS = (1e-7, 1e-8, 1e-10, 1e-6, 1e-5, 1e-12, 1e-15, 1e-16, 1e-4, 1e-3, 0.0)
_MOST_TRIED = 256


def names_for(name: str) -> tuple[str, ...]:
    """Return the attributes that may hold a hyper-parameter, most credible first."""
    translated = [
        foreign for foreign, ours in TRANSLATIONS.items() if ours.split("=")[0] == name and foreign != "betas"
    ]
    return tuple(dict.fromkeys((name, *_ALSO.get(name, ()), *translated)))


def readings(opt: Any) -> dict[str, float]:
    """Return every number that an optimizer keeps as an attribute, by its name in small letters; pairs become two."""
    if isinstance(opt, Optimizer):
        return dict(opt.hyperparams)
    found: dict[str, float] = {}
    for name, value in attributes(opt).items():
        plain = name.strip("_").lower()
        if is_number(value):
            found[plain] = float(value)
        elif isinstance(value, tuple | list) and len(value) == 2 and all(map(is_number, value)):
            found |= {f"{plain.removesuffix('s')}{i}": float(x) for i, x in enumerate(value, 1)}
    return found


def attributes(opt: Any) -> dict[str, Any]:
    """Return the attributes that an object and its classes store, without what Python itself puts there."""
    found: dict[str, Any] = {}
    for cls in reversed(type(opt).__mro__[:-1]):
        found |= {k: v for k, v in vars(cls).items() if not callable(v)}
        found |= {k: getattr(opt, k) for k in _slots(cls) if hasattr(opt, k)}
    return {k: v for k, v in (found | getattr(opt, "__dict__", {})).items() if not k.startswith("__")}


def rate_attribute(opt: Any) -> str | None:
    """Return the attribute that holds the learning rate and can be set, or None."""
    if isinstance(opt, Optimizer):
        return "lr" if "lr" in opt.hyperparams else None
    held = {name.strip("_").lower(): name for name, value in attributes(opt).items() if is_number(value)}
    return next((held[name] for name in names_for("lr") if name in held), None)


def is_number(x: Any) -> bool:
    """Tell whether x is a real number and no bool; arrays are none."""
    return isinstance(x, numbers.Real) and not isinstance(x, bool)


def _slots(cls: type) -> Sequence[str]:
    slots = vars(cls).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


@dataclass(frozen=True)
class Choice:
    """Where each hyper-parameter of a rule comes from: the name of an attribute, or a number that is tried.

    fitted: those that were tried, and stand nowhere in the object.
    """

    sources: Mapping[str, str | float]

    @property
    def fitted(self) -> dict[str, float]:
        """Hyper-parameters that stand nowhere in the object, with the number tried for each."""
        return {name: x for name, x in self.sources.items() if not isinstance(x, str)}

    def at(self, read: Mapping[str, float]) -> dict[str, float]:
        """Return the numbers at a step at which `read` was read."""
        return {name: read[x] if isinstance(x, str) else x for name, x in self.sources.items()}


def choices(
    rule: Rule, read: Mapping[str, float], given: Mapping[str, float], literals: Sequence[float]
) -> Iterator[Choice]:
    """Yield what the hyper-parameters of a rule may be, most credible first.

    read: attributes of the object. given: numbers that the caller knows. literals: numbers in the source of the class.
    """
    tried = [_candidates(rule, name, read, given, literals) for name in defaults_of(rule)]
    for values in itertools.islice(itertools.product(*tried), _MOST_TRIED):
        attributes_used = [x for x in values if isinstance(x, str)]
        if len(set(attributes_used)) == len(attributes_used):
            yield Choice(dict(zip(defaults_of(rule), values, strict=True)))


def _candidates(
    rule: Rule, name: str, read: Mapping[str, float], given: Mapping[str, float], literals: Sequence[float]
) -> list[str | float]:
    aliases = names_for(name)
    attributes_found = [alias for alias in aliases if alias in read]
    known = next((given[alias] for alias in aliases if alias in given), None)
    if known is not None:
        # An attribute that holds the number given is followed, since it may change.
        return [alias for alias in attributes_found if read[alias] == known] or [known]
    if attributes_found:
        return list(attributes_found)
    forms = [one.conventions.values() for one in rules_of(rule) if name in one.defaults]
    defaults = [rule.defaults.get(name), *(f.defaults.get(name) for family in forms for f in family)]
    usual = _USUAL_EPS if name == "eps" else ()
    legal = next(one.ranges[name] for one in rules_of(rule) if name in one.ranges)
    literal = [x for y in literals for x in _meant_by(name, y) if x in legal]
    return list(dict.fromkeys(x for x in [*defaults[:1], *literal, *defaults, *usual] if x is not None))


def _meant_by(name: str, literal: float) -> tuple[float, ...]:
    """Return the values of a hyper-parameter that a number in the source may stand for."""
    if name == "eps":
        return (literal,) if 0 < literal <= 0.01 else ()
    if name == "lr":
        return (literal,) if 0 < literal <= 10 else ()
    if name in ("momentum", "decay_rate") or name.startswith("beta"):
        return (literal, 1 - literal) if 0 < literal < 1 and literal > 1e-5 else ()
    return ()

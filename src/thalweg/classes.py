"""One class for each rule, such as `Adam(lr=0.001)`: an Optimizer whose rule is fixed."""

from __future__ import annotations

import inspect
from typing import Any

from thalweg.hyperparams import defaults_of, rules_of
from thalweg.optimizer import Optimizer
from thalweg.rule import LAYOUTS, Rule
from thalweg.rules import RULES

_classes: dict[str, type[Optimizer]] = {}


def class_of(name: str) -> type[Optimizer]:
    """Return the class of a rule of thalweg's own, by the rule's name; made once."""
    if name not in _classes:
        _classes[name] = _make(RULES[name])
    return _classes[name]


def _make(rule: Rule) -> type[Optimizer]:
    def __init__(  # noqa: N807 - it becomes the method of a class
        self: Optimizer, *args: Any, convention: str | None = None, **more: Any
    ) -> None:
        Optimizer.__init__(self, rule.name, *args, convention=convention, **more)

    P = inspect.Parameter
    own = [P(n, P.POSITIONAL_OR_KEYWORD, default=P.empty if d is None else d) for n, d in defaults_of(rule).items()]
    options = [
        P("convention", P.KEYWORD_ONLY, default=rule.family.default),
        P("nonfinite", P.KEYWORD_ONLY, default="raise"),
        P("master", P.KEYWORD_ONLY, default=False),
        P("groups", P.KEYWORD_ONLY, default=None),
        *([P("layout", P.KEYWORD_ONLY, default=LAYOUTS[0])] if rule.facts.matrix else []),
    ]
    members = {
        "__init__": __init__,
        "__doc__": _doc(rule),
        "__module__": "thalweg",
        "__signature__": inspect.Signature([*own, *options]),
    }
    return type(rule.title, (Optimizer,), members)


def _doc(rule: Rule) -> str:
    slots = "; of vectors: ".join(", ".join(one.slots) or "none" for one in rules_of(rule))
    ranges = {name: interval for one in reversed(rules_of(rule)) for name, interval in one.ranges.items()}
    numbers = "\n".join(
        f"    {name}: {ranges[name].condition(name)}{'' if default is None else f', default {default:g}'}"
        for name, default in defaults_of(rule).items()
    )
    forms = "\n".join(f"    {name}: {form.source}" for name, form in rule.conventions.items())
    return (
        f"{rule.title} in the convention of {rule.family.default!r}: {rule.source}.\n\n"
        f"Hyper-parameters, each a number or a function of t = 1, 2, ... that returns one:\n{numbers}\n\n"
        f"Conventions, whose hyper-parameters and defaults may differ:\n{forms}\n\n"
        f"State kept for each parameter: {slots}. "
        "For `nonfinite`, `master` and `groups`, and for what `update` takes and raises, see `Optimizer`."
    )

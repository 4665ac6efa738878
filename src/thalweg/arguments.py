"""What the constructor of an optimizer is given, checked."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from thalweg.assembly import Links, Made, Special
from thalweg.hyperparams import defaults_of
from thalweg.rule import Rule
from thalweg.rules import RULES


def chosen(rule: Rule | str, convention: str | None, layout: str | None = None) -> Rule:
    """Return a rule, or the one of that name, in a convention, for weight matrices of a layout."""
    found = _chosen(rule, convention)
    return found if layout is None else found.in_layout(layout)


def _chosen(rule: Rule | str, convention: str | None) -> Rule:
    if isinstance(rule, str):
        if rule.lower().replace("-", "") == "lbfgs":
            raise ValueError("L-BFGS evaluates several times a step and is a class of its own: thalweg.LBFGS()")
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


def by_name(
    rule: Rule, args: tuple[Any, ...], named: Mapping[str, Any], is_reserved: Callable[[str], bool]
) -> dict[str, Any]:
    """Return hyper-parameters by name; raises for those that the rule cannot have."""
    names = list(defaults_of(rule))
    taken = [name for name in names if is_reserved(name)]
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


def specials(
    rule: Rule, groups: Mapping[str, Any] | None, made_of: Callable[[Any], Made | None]
) -> dict[str, Special | None]:
    """Return the groups as they are given, checked. made_of: how an optimizer was made; None for what is none."""
    if groups is None:
        return {}
    if not isinstance(groups, Mapping):
        raise TypeError("groups is a dict of pattern -> dict, optimizer or None, such as {'*.b': {'lr': 0.1}}")
    found: dict[str, Special | None] = {}
    for pattern, special in groups.items():
        if type(pattern) is not str:
            raise TypeError(
                f"groups: a pattern is a string such as '*.b'; {pattern!r} is of type {type(pattern).__name__}"
            )
        if special is None:
            found[pattern] = None
        elif isinstance(special, Mapping):
            found[pattern] = Special(rule, dict(special))
        elif (made := made_of(special)) is not None:
            if made.groups or made.links != Links():
                raise ValueError(
                    f"the group {pattern!r}: give an optimizer with a rule and its numbers alone, such as "
                    "tw.SGD(lr=0.1); links go around the whole chain"
                )
            found[pattern] = Special(made.rule, made.given)
        else:
            kind = type(special).__name__
            raise TypeError(
                f"the group {pattern!r} is of type {kind}; give a dict of hyper-parameters, an optimizer with another "
                "rule, or None to leave these parameters as they are"
            )
    return found

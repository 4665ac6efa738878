"""From a checkpoint to an optimizer."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from thalweg.assembly import Links, Made, Special
from thalweg.checkpoint import CheckpointError, Snapshot, read
from thalweg.classes import class_of
from thalweg.hyperparams import defaults_of
from thalweg.interrupts import deferred
from thalweg.optimizer import Optimizer, remade
from thalweg.quasi_newton.lbfgs import loaded
from thalweg.quasi_newton.storing import is_lbfgs
from thalweg.recipe import Link
from thalweg.rule import Rule
from thalweg.rules import RULES
from thalweg.saving import numbers_in, placed_into
from thalweg.transforms import BY_NAME


def load(
    path: str | os.PathLike[str],
    *,
    rule: Rule | Sequence[Rule] = (),
    params: Any = None,
    groups: Mapping[str, Mapping[str, Any]] | None = None,
    **hyperparams: Any,
) -> Optimizer | Any:  # Any is an LBFGS: who loads one knows it, and everybody else need not ask
    """Return the optimizer that `opt.save(path)` has written; its steps go on bit for bit as if it had never stopped.

    What is code is not in the file, and is given again:

    Args:
        path: of the file.
        rule: a rule of your own, or all of them where groups have several. Its text has to be that of the one saved.
        params: parameters to put the saved ones into, if the file holds them.
        groups: pattern -> hyper-parameters of that group that were functions of your own.
        **hyperparams: those that were functions of your own; and any other that is to change.

    Raises:
        CheckpointError: the file is damaged, or does not fit what is given; the message says what to do.
        OSError: the file cannot be read.
    """
    rules = (rule,) if isinstance(rule, Rule) else tuple(rule)
    for one in rules:
        if not isinstance(one, Rule):
            raise TypeError(f"rule = {one!r}; give a function decorated with @thalweg.rule, or a list of these")
    snapshot = read(path)
    if is_lbfgs(snapshot):
        if rules or groups:
            raise TypeError("this is a checkpoint of LBFGS, which has no rule and no groups; leave these arguments out")
        return loaded(snapshot, params, hyperparams)
    return restored(snapshot, rules, params, groups or {}, hyperparams)


def restored(
    snapshot: Snapshot,
    rules: Sequence[Rule],
    params: Any,
    groups: Mapping[str, Mapping[str, Any]],
    given: Mapping[str, Any],
) -> Optimizer:
    """Return the optimizer of a snapshot."""
    saved = snapshot.made
    try:
        base = _rule(saved, rules)
        numbers = _with_code(saved["hyperparams"], given, "hyperparams")
        links = Links(*(tuple(_link(one) for one in saved["links"][side]) for side in ("before", "after")))
        specials: dict[str, Special | None] = {}
        for pattern, special in saved["groups"]:
            if special is None:
                specials[pattern] = None
            else:
                where = f"groups[{pattern!r}].hyperparams"
                own = _with_code(special["hyperparams"], groups.get(pattern, {}), where, pattern)
                specials[pattern] = Special(_rule(special, rules), own)
        options = saved["options"]["nonfinite"], saved["options"]["master"]
        made = Made(base, links, {name: x for name, x in numbers.items() if name in defaults_of(base)}, specials)
        opt = remade(_class_for(made), made, *options, numbers)
    except CheckpointError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"the checkpoint does not describe an optimizer: {error}") from error
    opt.restore(snapshot)
    _set(opt, given, groups)
    put_back = placed_into(params, snapshot.arrays)
    with deferred():
        put_back()
    return opt


def _set(opt: Optimizer, given: Mapping[str, Any], groups: Mapping[str, Mapping[str, Any]]) -> None:
    """Set hyper-parameters that `load` was given."""
    for name, x in given.items():
        setattr(opt, name, x)
    own = opt.groups
    for pattern, numbers in groups.items():
        group = own.get(pattern)
        if group is None:
            why = "is frozen, and has no hyper-parameters" if pattern in own else "is not in this checkpoint"
            raise ValueError(f"the group {pattern!r} {why}; its groups are {', '.join(map(repr, own)) or 'none'}")
        for name, x in numbers.items():
            setattr(group, name, x)


def _class_for(made: Made) -> type[Optimizer]:
    """Return the class of a rule of thalweg's own, and `Optimizer` for chains and other rules."""
    is_own = made.rule.name in RULES and made.rule.family is RULES[made.rule.name].family
    return class_of(made.rule.name) if is_own and made.links == Links() else Optimizer


def _rule(saved: Mapping[str, Any], rules: Sequence[Rule]) -> Rule:
    """Return the rule that a checkpoint names: one that is given, or one of thalweg's own, whose text is the same."""
    name, convention, digest = saved["rule"], saved["convention"], saved["digest"]
    for rule in (form for one in rules for form in ((one, one.flipped) if one.facts.matrix else (one,))):
        if rule.digest == digest:
            return rule
    own = RULES[name].conventions.get(convention) if name in RULES else None
    for form in () if own is None else (own, own.flipped) if own.facts.matrix else (own,):
        if form.digest == digest:
            return form
    if own is None:
        hint = f"{rules[0].name} has another text" if rules else f"give it: thalweg.load(path, rule={name})"
        raise CheckpointError(
            f"this is a checkpoint of the rule {name}[{convention}], which is not thalweg's own; {hint}"
        )
    raise CheckpointError(
        f"the text of {name}[{convention}] is not the one that this checkpoint was made with; load it with the version "
        "of thalweg that wrote it, or give the old text as a rule of your own: thalweg.load(path, rule=...)"
    )


def _with_code(saved: Any, given: Mapping[str, Any], where: str, pattern: str | None = None) -> dict[str, Any]:
    """Return saved hyper-parameters; for what was code, and is given again, stands a function until it is set."""
    found = numbers_in(saved, where)
    for name, x in found.items():
        if x is None:
            if name not in given:
                how = f"{name}=..." if pattern is None else f"groups={{{pattern!r}: {{{name!r}: ...}}}}"
                raise CheckpointError(
                    f"{where}: `{name}` was a function of t when this was saved, and code is not in a checkpoint; give "
                    f"it again: thalweg.load(path, {how})"
                )
            found[name] = _code
    return found


def _link(saved: Mapping[str, Any]) -> Link:
    """Return a link by what it was given; for code stands a function, which is replaced later."""
    if saved["link"] not in BY_NAME:
        raise CheckpointError(f"there is no link {saved['link']!r}; there are {', '.join(BY_NAME)}")
    numbers = {name: _code if x is None else x for name, x in numbers_in(saved["numbers"], "links").items()}
    return BY_NAME[saved["link"]](**saved["arguments"], **numbers)


def _code(_: int) -> float:
    raise AssertionError("replaced by what load is given")

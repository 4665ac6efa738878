"""An optimizer at rest as a checkpoint, and back: what fits and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from thalweg import schedules
from thalweg.assembly import Assembly
from thalweg.binding import MASTER, Group, ParameterState, group_at, recipe_at
from thalweg.checkpoint import CheckpointError, ParameterSnapshot, Snapshot, dtype_of
from thalweg.engine.arrays import Memory, check_parameter, extent
from thalweg.engine.halves import compute_dtype
from thalweg.hyperparams import HyperParams
from thalweg.language.state import Slot
from thalweg.recipe import Link
from thalweg.rule import Rule
from thalweg.states import kept
from thalweg.tree import check_names, leaves, rebind

MOST_STEPS = 2**53
COUNTS = ("t", "skipped", "gathered")


def described(assembly: Assembly, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return how an optimizer was made, as JSON values; numbers are as they are now, and null stands for code."""
    made = assembly.now()
    groups = []
    for group, special in zip(assembly.groups, made.groups.values(), strict=False):
        own = None
        if special is not None and group.hyper is not None:
            own = {**_rule(special.rule), "hyperparams": _numbers(group.hyper.own)}
        groups.append([group.pattern, own])
    return {
        **_rule(made.rule),
        "hyperparams": _numbers(assembly.hyper),
        "links": {side: [_link(link) for link in getattr(made.links, side)] for side in ("before", "after")},
        "groups": groups,
        "composed": [rule.digest for _, rule in assembly.rules],
        "options": dict(options),
    }


def snapshot_of(
    made: Mapping[str, Any],
    counts: Mapping[str, int],
    shared: Mapping[str, float],
    states: Mapping[str, ParameterState],
    arrays: Mapping[str, Any],
) -> Snapshot:
    """Return the snapshot of an optimizer; arrays are those in use."""
    parameters = {
        name: ParameterSnapshot(s.shape, s.dtype.name, s.order, s.missed, kept(s)) for name, s in states.items()
    }
    return Snapshot(made, counts, shared, parameters, arrays)


def check_same(saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Raise CheckpointError if a checkpoint was made by another kind of optimizer: rule, links, groups or options."""

    def kind(special: Any) -> Any:
        if special is None:
            return None
        found = {key: special[key] for key in ("rule", "convention", "digest", "hyperparams")}
        return {key: x for key, x in found.items() if key != "hyperparams"}

    def structure(made: Mapping[str, Any]) -> dict[str, Any]:
        links = made["links"]
        return {
            "rule": f"{made['rule']}[{made['convention']}]",
            "text of the rule": made["digest"],
            "links": [(link["link"], link["arguments"]) for side in ("before", "after") for link in links[side]],
            "links behind the rule": len(links["after"]),
            "groups": [(pattern, kind(special)) for pattern, special in made["groups"]],
            "texts with links": made["composed"],
            "master": made["options"]["master"],
        }

    odd = sorted(set(saved) ^ set(own))
    if odd:
        raise CheckpointError(f"made differs in the keys {', '.join(odd)}; it has {', '.join(own)}")
    try:
        theirs, ours = structure(saved), structure(own)
    except KeyError as error:
        raise CheckpointError(f"`made` lacks the key {error}; the checkpoint is damaged") from None
    except (TypeError, ValueError):
        raise CheckpointError("`made` does not describe an optimizer; the checkpoint is damaged") from None
    for what, mine in ours.items():
        if theirs[what] != mine:
            raise CheckpointError(
                f"this checkpoint has {what} = {theirs[what]!r}, and the optimizer {mine!r}; load it into an optimizer "
                "made in the same way, or make one of it with thalweg.load"
            )


def numbers_in(saved: Any, where: str) -> dict[str, Any]:
    """Return hyper-parameters of a checkpoint: floats and schedules, and None for what was code."""
    if not isinstance(saved, Mapping):
        raise CheckpointError(f"{where} is {saved!r}; it is a dict of hyper-parameters")
    found = {}
    for name, x in saved.items():
        try:
            found[name] = schedules.from_json(dict(x)) if isinstance(x, Mapping) else x
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(f"{where}: {name}: {error}") from error
    return found


def checked_numbers(saved: Any, hyper: HyperParams, rule: Rule, where: str) -> dict[str, Any]:
    """Return hyper-parameters of a checkpoint, each in its range; where it was code, what `hyper` has, if that is code.

    Raises CheckpointError that names what is missing, too much or out of range.
    """
    found = numbers_in(saved, where)
    missing = [name for name in hyper if name not in found and name not in hyper.inherited]
    unknown = [name for name in found if name not in hyper]
    if missing or unknown:
        raise CheckpointError(
            f"{where} and {rule.title} differ in {', '.join([*missing, *unknown])}; the checkpoint is damaged"
        )
    for name, x in found.items():
        if x is None:
            if not callable(hyper[name]):
                raise CheckpointError(
                    f"{where}: `{name}` was a function of t, which a checkpoint does not hold; give it again, "
                    f"as in {name}=..."
                )
            found[name] = hyper[name]
        elif not callable(x):
            if not isinstance(x, float):
                raise CheckpointError(f"{where}: {name} = {x!r} is of type {type(x).__name__}; it is a float")
            try:
                hyper.checked(name, x)
            except (TypeError, ValueError) as error:
                raise CheckpointError(f"{where}: {error}") from error
    return found


def states_in(
    snapshot: Snapshot, groups: Sequence[Group], numbers: Sequence[Mapping[str, Any]], *, master: bool
) -> dict[str, ParameterState]:
    """Return the state of every parameter, checked against its rule; raises CheckpointError that names the key.

    numbers: of each group, those of the checkpoint.
    """
    found = {}
    t = snapshot.counts["t"]
    for name, one in snapshot.parameters.items():
        where = f"parameters.{name}"
        k = group_at(groups, name)
        if groups[k].recipe is None:
            raise CheckpointError(f"{where}: the group {groups[k].pattern!r} is frozen, and keeps no state")
        try:
            recipe = recipe_at(groups[k], name, one.shape)
        except ValueError as error:
            raise CheckpointError(f"{where}: {error}") from error
        dtype = dtype_of(one.dtype)
        wide = compute_dtype(dtype)
        if one.order != "C" and not recipe.rule.facts.elementwise:
            raise CheckpointError(
                f"{where}.order = {one.order!r}; the state of {recipe.rule.title} lies in the order 'C'"
            )
        expected = {s: slot for s, slot in recipe.rule.slots.items() if slot.shape != "shared" and slot.is_kept}
        copies = {MASTER} if master and wide != dtype else set()
        if set(one.slots) != {*expected, *copies}:
            odd = sorted(set(one.slots) ^ {*expected, *copies})
            kind = "which the rule does not have" if odd[0] in one.slots else "which is missing"
            raise CheckpointError(f"{where}.slots: {odd[0]!r}, {kind}; the rule keeps {', '.join(expected) or 'none'}")
        if one.missed > t:
            raise CheckpointError(f"{where}.missed = {one.missed} is more than t = {t}, all steps taken")
        slots: dict[str, Any] = {}
        for s, value in one.slots.items():
            slot = expected.get(s)
            shape = one.shape if slot is None else slot.shape_for(one.shape, numbers[k])
            _check_slot(f"{where}.slots.{s}", value, shape, wide, recipe.rule, s)
            slots[s] = np.array(value, wide, order=one.order) if shape is not None else value
        for s, slot in recipe.rule.slots.items():
            if not slot.is_kept:
                slots[s] = _zeros(where, one, wide, slot)
        ordered = {s: slots[s] for s in (*recipe.rule.slots, MASTER) if s in slots}
        found[name] = ParameterState(recipe.rule, k, one.shape, dtype, one.order, ordered, one.missed)
    return found


def counts_in(snapshot: Snapshot) -> dict[str, int]:
    """Return t and the other counts, all of them and no others."""
    counts = dict(snapshot.counts)
    if set(counts) != set(COUNTS):
        raise CheckpointError(f"counts has {', '.join(counts) or 'nothing'}; it has {', '.join(COUNTS)}")
    for name, count in counts.items():
        if count > MOST_STEPS:
            raise CheckpointError(f"counts.{name} = {count} is more than a float64 can count, 2**53")
    links = [link["link"] for link in snapshot.made["links"]["before"]]
    if counts["gathered"] and "accumulate" not in links:
        raise CheckpointError(f"counts.gathered = {counts['gathered']}; without accumulate nothing is gathered")
    return counts


def shared_in(snapshot: Snapshot, rules: Iterable[Rule]) -> dict[str, float]:
    """Return the numbers of the whole model, which are those of the rules or, before the first step, none."""
    owners = {s: rule for rule in rules for s, slot in rule.slots.items() if slot.shape == "shared"}
    is_new = not snapshot.counts["t"] and not snapshot.counts["gathered"]
    if set(snapshot.shared) != set(owners) and not (is_new and not snapshot.shared):
        odd = ", ".join(sorted(set(snapshot.shared) ^ set(owners)))
        raise CheckpointError(f"shared and the rule differ in {odd}; the rule keeps {', '.join(owners) or 'none'}")
    for slot, value in snapshot.shared.items():
        _check_range(f"shared.{slot}", value, owners[slot], slot)
    return dict(snapshot.shared)


def placed_into(params: Any, arrays: Mapping[str, Any]) -> Callable[[], None]:
    """Return the function that copies saved parameters into params; raises CheckpointError where they do not fit."""
    if params is None:
        return lambda: None
    found = leaves(params, {})
    check_names(found.names)
    if set(found.names) != set(arrays):
        odd = sorted(set(found.names) ^ set(arrays))
        what = "holds no parameters" if not arrays else f"and params differ in {', '.join(odd)}"
        raise CheckpointError(f"the checkpoint {what}; opt.save(path, params) keeps them")
    for name, array in zip(found.names, found.arrays, strict=True):
        check_parameter(name, array)
    extents = [extent(a.shape, a.strides, a.itemsize) for a in found.arrays]
    starts = [a.__array_interface__["data"][0] for a in found.arrays]
    Memory(list(zip(starts, extents, strict=True))).check_apart(found.names, found.arrays)
    for name, array in zip(found.names, found.arrays, strict=True):
        saved = arrays[name]
        if (saved.shape, saved.dtype) != (array.shape, array.dtype):
            raise CheckpointError(
                f"parameter {name!r} is {array.dtype} of shape {array.shape}, and was saved as {saved.dtype} of shape "
                f"{saved.shape}"
            )

    def put() -> None:
        for name, array in zip(found.names, found.arrays, strict=True):
            array[...] = arrays[name]
        rebind(found.numbers)

    return put


def _check_slot(where: str, value: Any, shape: Any, dtype: np.dtype[Any], rule: Rule, slot: str) -> None:
    if shape is None:
        if not isinstance(value, float):
            raise CheckpointError(f"{where} is an array; the rule keeps one number here")
    elif not isinstance(value, np.ndarray):
        raise CheckpointError(f"{where} is a number; the rule keeps an array of shape {shape} here")
    elif value.shape != shape or value.dtype != dtype:
        raise CheckpointError(f"{where} is {value.dtype} of shape {value.shape}; it has to be {dtype} of shape {shape}")
    _check_range(where, value, rule, slot)


def _zeros(where: str, one: ParameterSnapshot, dtype: np.dtype[Any], slot: Slot) -> Any:
    """Return the array of what is new at each step; raises CheckpointError for a shape that no array has."""
    try:
        return np.zeros(slot.shape_for(one.shape) or (), dtype, order=one.order)
    except (ValueError, MemoryError) as error:
        raise CheckpointError(f"{where}.shape = {one.shape}: {error}") from error


def _check_range(where: str, value: Any, rule: Rule, slot: str) -> None:
    """Raise CheckpointError for a number outside of the range of its slot; a step may end at NaN or infinity."""
    interval = rule.ranges.get(slot)
    if interval is None:
        return
    array = np.atleast_1d(value)
    outside = (array < interval.low) | (array > interval.high)
    if interval.whole:
        outside |= ~np.isfinite(array) | (array != np.floor(array))
    for end, is_inside in ((interval.low, interval.holds_low), (interval.high, interval.holds_high)):
        if np.isfinite(end) and not is_inside:
            outside |= array == end
    if outside.any():
        raise CheckpointError(f"{where} holds {float(array[outside][0])!r}; legal is {interval.condition(slot)}")


def _rule(rule: Rule) -> dict[str, Any]:
    return {"rule": rule.name, "convention": rule.convention_name, "digest": rule.digest}


def _numbers(hyper: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _number(x) for name, x in hyper.items()}


def _number(x: Any) -> Any:
    if not callable(x):
        return x
    return schedules.to_json(x) if schedules.is_known(x) else None


def _link(link: Link) -> dict[str, Any]:
    """Return a link as JSON values: its numbers as they are now, and apart from them what never changes."""
    fixed = {name: x for name, x in link.arguments.items() if name not in link.values}
    return {"link": link.name, "arguments": fixed, "numbers": _numbers(link.values)}

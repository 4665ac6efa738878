"""Schedules as plain JSON values and back, for checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import Any, TypeVar

from thalweg.schedules.base import Schedule
from thalweg.schedules.compose import join, warmup, warmup_stable_decay
from thalweg.schedules.cycles import cyclic, one_cycle, warm_restarts
from thalweg.schedules.decay import constant, cosine, exponential, inverse_sqrt, multi_step, polynomial, step
from thalweg.schedules.plateau import PlateauState, reduce_on_plateau

# What a file may name: these, and nothing that would have to be imported.
KINDS: dict[str, type[Schedule]] = {
    kind.__name__: kind
    for kind in (
        constant, step, multi_step, exponential, polynomial, inverse_sqrt, cosine, warm_restarts, one_cycle, warmup,
        warmup_stable_decay, cyclic, join, reduce_on_plateau,
    )
}  # fmt: skip

T = TypeVar("T")

_STATE = tuple(field.name for field in fields(PlateauState))


def is_known(x: Any) -> bool:
    """Return whether x is one of thalweg's schedules, with nothing else inside, so that `to_json` can write it."""
    if type(x) not in KINDS.values():
        return False
    return all(is_known(one) for one in _nested(x))


def resumed(held: Any, stored: Any) -> bool:
    """Let schedules that are fed, in a schedule that is held, go on from their state in one that was stored.

    Returns False, and changes nothing, where there are none, or where the two differ in more than such states.
    """
    if not is_known(held) or not is_known(stored):
        return False
    ours, theirs = _fed(held), _fed(stored)
    if not ours or _without_states(to_json(held)) != _without_states(to_json(stored)):
        return False
    for one, other in zip(ours, theirs, strict=True):
        one.resume(other.state)
    return True


def _fed(schedule: Any) -> list[reduce_on_plateau]:
    found = [schedule] if isinstance(schedule, reduce_on_plateau) else []
    return [*found, *(inner for one in _nested(schedule) for inner in _fed(one))]


def _without_states(stored: Any) -> Any:
    if isinstance(stored, dict):
        return {key: _without_states(x) for key, x in stored.items() if key != "state"}
    return [_without_states(x) for x in stored] if isinstance(stored, list) else stored


def to_json(schedule: Schedule) -> dict[str, Any]:
    """Return a schedule as a dict of plain JSON values, floats exact, from which `from_json` makes an equal one.

    A reduce_on_plateau is written with its state.

    Raises:
        TypeError: the schedule is, or has inside, a function of one's own, which is code and cannot be written.
    """
    if type(schedule) not in KINDS.values():
        raise TypeError(
            f"{schedule!r} cannot be written: it is not one of thalweg's schedules ({', '.join(KINDS)}); "
            "keep it in your code, and give it again after loading"
        )
    return {"kind": type(schedule).__name__} | {name: _plain(getattr(schedule, name)) for name in _names(schedule)}


def from_json(d: Any) -> Schedule:
    """Return the schedule that `to_json` has written.

    Raises:
        ValueError: d is anything else; the message names the key.
    """
    try:
        return _read(d, "schedule")
    except RecursionError:
        raise ValueError("schedule: there are too many schedules inside each other") from None


def _names(kind: Schedule | type[Schedule]) -> list[str]:
    return [field.name for field in fields(kind)]  # type: ignore[arg-type]  # each is a dataclass


def _nested(schedule: Schedule) -> list[Any]:
    values = [getattr(schedule, name) for name in _names(schedule)]
    flat = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    return [one for one in flat if callable(one)]


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, PlateauState):
        return asdict(value)
    return to_json(value) if callable(value) else value


def _read(d: Any, where: str) -> Schedule:
    if not isinstance(d, dict):
        raise ValueError(f"{where} = {d!r} is no dict of a schedule")  # noqa: TRY004  (bad data, not a bad call)
    name = d.get("kind")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"{where}: kind = {name!r} is no schedule; there are {', '.join(KINDS)}")
    given = _exactly(d, ["kind", *_names(kind)], where)
    values = {key: _value(key, value, f"{where}: {key}") for key, value in given.items() if key != "kind"}
    return _made(kind, values, where)


def _exactly(d: dict[Any, Any], names: Iterable[str], where: str) -> dict[str, Any]:
    """Return the dict if its keys are these names."""
    for name in names:
        if name not in d:
            raise ValueError(f"{where}: the key {name!r} is missing")
    for key in d:
        if key not in names:
            raise ValueError(f"{where}: there is no key {key!r}; the keys are {', '.join(names)}")
    return d


def _value(key: str, value: Any, where: str) -> Any:
    if isinstance(value, list):
        return tuple(_value(key, one, f"{where}[{i}]") for i, one in enumerate(value))
    if key == "state":
        if not isinstance(value, dict):
            raise ValueError(f"{where} = {value!r} is no dict of a state")
        return _made(PlateauState, _exactly(value, _STATE, where), where)
    return _read(value, where) if isinstance(value, dict) else value


def _made(kind: Callable[..., T], values: dict[str, Any], where: str) -> T:
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: {error}") from None

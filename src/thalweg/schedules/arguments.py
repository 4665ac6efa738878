"""What the arguments of a schedule may be: each check returns the argument in its own type, or says what is legal."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

Part = float | Callable[[int], float]  # a plain number stands wherever a schedule does
Check = Callable[[str, Any], Any]

MOST = 2**53  # a float counts no further


def number(condition: str = "", holds: Callable[[float], bool] = math.isfinite) -> Check:
    """Return the check for a finite number for which the condition holds; it returns a float."""
    legal = f"a finite number {condition}".rstrip()

    def check(where: str, given: Any) -> float:
        if isinstance(given, bool) or not isinstance(given, numbers.Real):
            raise TypeError(f"{where} = {given!r} is {_kind(given)}; give {legal}")
        try:
            value = float(given)
        except OverflowError:
            value = math.inf
        if not (math.isfinite(value) and holds(value)):
            raise ValueError(f"{where} = {given!r} is out of range; give {legal}")
        return value

    return check


finite = number()
not_negative = number(">= 0", lambda x: x >= 0)
positive = number("> 0", lambda x: x > 0)
proportion = number("from 0 to 1", lambda x: 0 <= x <= 1)


def whole(low: int) -> Check:
    """Return the check for a whole number, `low` or more; it returns an int."""

    def check(where: str, given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, numbers.Integral):
            is_whole = isinstance(given, float) and given.is_integer()
            instead = f"write {int(given)}" if is_whole else f"give a whole number >= {low}"
            raise TypeError(f"{where} = {given!r} is {_kind(given)}; {instead}")
        count = int(given)
        if not low <= count <= MOST:
            raise ValueError(f"{where} = {given!r} is out of range; give a whole number >= {low}, at most 2**53")
        return count

    return check


def one_of(*names: str) -> Check:
    """Return the check for one of these words."""

    def check(where: str, given: Any) -> str:
        if not isinstance(given, str) or given not in names:
            raise ValueError(f"{where} = {given!r}; give one of {', '.join(map(repr, names))}")
        return given

    return check


def flag(where: str, given: Any) -> bool:
    """Return True or False, and refuse everything else."""
    if not isinstance(given, bool):
        raise TypeError(f"{where} = {given!r} is {_kind(given)}; give True or False")
    return given


def milestones(where: str, given: Any) -> tuple[int, ...]:
    """Return whole numbers >= 1, each larger than the one before."""
    counts = tuple(whole(1)(f"{where}[{i}]", one) for i, one in enumerate(_sequence(where, given, "whole numbers")))
    if any(later <= earlier for earlier, later in pairwise(counts)):
        raise ValueError(f"{where} = {list(counts)} is not increasing; each milestone is larger than the one before")
    return counts


def part(where: str, given: Any) -> Part:
    """Return a schedule as it is, and a number as a float."""
    if callable(given) and not isinstance(given, type):
        return given  # type: ignore[no-any-return]
    if isinstance(given, type):
        raise TypeError(f"{where} = {given.__name__} is a class; give a schedule, such as cosine(0.1, steps=1000)")
    if isinstance(given, bool) or not isinstance(given, numbers.Real):
        raise TypeError(f"{where} = {given!r} is {_kind(given)}; give a finite number, or a schedule")
    return finite(where, given)  # type: ignore[no-any-return]


def parts(where: str, given: Any) -> tuple[Part, ...]:
    """Return one or more schedules and numbers."""
    found = tuple(part(f"{where}[{i}]", one) for i, one in enumerate(_sequence(where, given, "schedules and numbers")))
    if not found:
        raise ValueError(f"{where} is empty; give at least one schedule or number")
    return found


def _sequence(where: str, given: Any, of: str) -> Iterable[Any]:
    if isinstance(given, (str, bytes, dict, set, frozenset)) or not isinstance(given, Iterable):
        raise TypeError(f"{where} = {given!r} is {_kind(given)}; give a list of {of}")
    return given


def _kind(given: Any) -> str:
    return "a bool" if isinstance(given, bool) else f"of type {type(given).__name__}"

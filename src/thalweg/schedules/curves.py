"""Shapes that schedules share. Each is exact at both of its ends, and none loses digits where a value nears zero."""

from __future__ import annotations

import math


def between(end: float, start: float, left: float) -> float:
    """Return what lies between two values: `start` where all of the way is left (1), `end` where nothing is (0)."""
    return start if left == 1 or start == end else end + (start - end) * left


def ramp(start: float, end: float, done: float, whole: float) -> float:
    """Return the point of a straight line from start to end after `done` of `whole`."""
    return start + (end - start) * (done / whole)


def cosine_left(done: float, whole: float) -> float:
    """Return (1 + cos(pi * done / whole)) / 2, which falls from 1 to 0; near the end as a square of a sine."""
    if 2 * done <= whole:
        return (1 + math.cos(math.pi * (done / whole))) / 2
    sine = math.sin(math.pi / 2 * ((whole - done) / whole))
    return sine * sine


def scaled(value: float, gamma: float, exponent: float) -> float:
    """Return value * gamma**exponent for gamma >= 0: infinite where it is too large for a float, 0 where value is."""
    if value == 0:
        return value
    try:
        return value * math.pow(gamma, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def ratio(a: int, b: int) -> float:
    """Return a / b, infinite where it is too large for a float."""
    try:
        return a / b
    except OverflowError:
        return math.inf

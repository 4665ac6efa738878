"""Ranges of hyper-parameters. They belong to names: lr >= 0, 0 <= beta < 1, eps >= 0; a decorator may give others."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any


def is_finite(x: Any) -> bool:
    """Tell whether x is a finite real number, and no bool."""
    try:
        return isinstance(x, float | int) and not isinstance(x, bool) and math.isfinite(x)
    except OverflowError:  # an int beyond all floats
        return False


_NOTATION = re.compile(r"\s*(whole )?\s*([\[(])\s*([^,\s]+)\s*,\s*([^,\s]+)\s*([\])])\s*")


@dataclass(frozen=True)
class Range:
    """An interval of finite numbers, written as in mathematics: `[0, 1)` holds 0 and not 1, `whole [1, inf)` counts."""

    low: float = -math.inf
    high: float = math.inf
    holds_low: bool = False
    holds_high: bool = False
    whole: bool = False

    @classmethod
    def parse(cls, text: object) -> Range:
        """Return the interval that a text such as `[0, 1)` or `(0, inf)` writes; raises ValueError otherwise."""
        match = _NOTATION.fullmatch(text) if isinstance(text, str) else None
        try:
            low, high = (float(match[3]), float(match[4])) if match else (math.nan, math.nan)
        except ValueError:
            low = high = math.nan
        if match is None or not low < high:
            raise ValueError(f"{text!r} is not an interval; write it in quotes, such as '[0, 1)' or '(0, inf)'")
        return cls(low, high, match[2] == "[", match[5] == "]", whole=match[1] is not None)

    def __contains__(self, x: float) -> bool:
        above = x > self.low or (self.holds_low and x == self.low)
        below = x < self.high or (self.holds_high and x == self.high)
        return math.isfinite(x) and above and below and (not self.whole or x == int(x))

    def condition(self, name: str) -> str:
        """Return the range as a condition on a name, such as `0 <= beta1 < 1`."""
        kind = ", a whole number" if self.whole else ""
        low = "" if math.isinf(self.low) else f"{self.low:g} {'<=' if self.holds_low else '<'} "
        high = "" if math.isinf(self.high) else f" {'<=' if self.holds_high else '<'} {self.high:g}"
        if not low and not high:
            return f"{name} finite{kind}"
        if low and not high:
            return f"{name} {'>=' if self.holds_low else '>'} {self.low:g}{kind}"
        return f"{low}{name}{high}{kind}"


_NOT_NEGATIVE = Range.parse("[0, inf)")
_FRACTION = Range.parse("[0, 1)")
_POSITIVE = Range.parse("(0, inf)")
_BY_NAME = {
    r"lr|eps\w*|weight_decay|lr_decay|momentum_decay|trust|initial_accumulator": _NOT_NEGATIVE,
    r"beta\d*|momentum|decay_rate|dampening": _FRACTION,
    r"d0": _POSITIVE,
}


def range_of(name: str) -> Range:
    """Return the range that belongs to the name of a hyper-parameter; any finite number if it has none."""
    return next((found for pattern, found in _BY_NAME.items() if re.fullmatch(pattern, name)), Range())

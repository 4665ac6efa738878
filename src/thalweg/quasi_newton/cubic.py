"""Where a cubic has its minimum: the next length to try, from two that were tried."""

from __future__ import annotations

import math
from typing import NamedTuple

from thalweg.words import Array


class Trial(NamedTuple):
    """What is known at one length t along a direction: the value, its derivative by t, and the whole gradient."""

    t: float
    value: float
    slope: float
    gradient: Array


def cubic_minimum(a: Trial, b: Trial, low: float, high: float) -> float:
    """Return where the cubic through the values and slopes of two trials is least, but at least low and at most high.

    Nocedal & Wright 2006, equation (3.59). Where the cubic has no minimum the middle of low and high is returned, as
    in torch; and where the formula has no value, since it is 0 / 0 or a square in it too large for a float: there torch
    tries NaN from then on.
    """
    left, right = (a, b) if a.t <= b.t else (b, a)
    d1 = left.slope + right.slope - 3.0 * (left.value - right.value) / (left.t - right.t)
    square = d1 * d1 - left.slope * right.slope
    if not square >= 0:
        return (low + high) / 2.0
    d2 = math.sqrt(square)
    above, below = right.slope + d2 - d1, right.slope - left.slope + 2.0 * d2
    if below == 0:  # a straight line, which is least infinitely far away
        position = -math.copysign(math.inf, above) if above else math.nan
    else:
        position = right.t - (right.t - left.t) * (above / below)
    return (low + high) / 2.0 if math.isnan(position) else min(max(position, low), high)

"""Values and gradients: what a function returns, checked and counted, and differences where there is no gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.minimization.arguments import scipy_optimize
from thalweg.minimization.box import Box

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Point:
    """What is known after a step; step 0 is the start. The arrays are its own."""

    step: int
    x: Array
    value: float
    gradient: Array


class Evaluations:
    """A function of x that returns (value, gradient), each call checked and counted; it costs so many `values`."""

    def __init__(self, pair: Callable[[Array], tuple[Any, Any]], values: int = 1) -> None:
        self._pair, self._values = pair, values
        self.njev = 0

    @property
    def nfev(self) -> int:
        """The number of values that were computed."""
        return self.njev * self._values

    def __call__(self, step: int, x: Array) -> Point:
        """Return what is known at x; where x is not finite, the function is not called and nothing is known."""
        if not np.isfinite(x).all():
            return Point(step, x.copy(), math.nan, np.full_like(x, math.nan))
        self.njev += 1
        value, gradient = self._pair(x.copy())
        return Point(step, x.copy(), checked_value(value), checked_gradient(gradient, x))


def differences(fun: Callable[[Array], Any], box: Box, start: Array, eps: float) -> Evaluations:
    """Return fun with SciPy's forward differences for its gradient; an element that its bounds fix has none, 0.

    eps: the step; near an upper bound it goes down instead, and where there is no room for it, it is shorter.
    """
    approx_fprime = scipy_optimize().approx_fprime
    free = np.broadcast_to(box.low < box.high, start.shape)

    def pair(x: Array) -> tuple[float, Array]:
        value, gradient = checked_value(fun(x.copy())), np.zeros(x.shape)
        point = x.astype(np.float64)
        up, down = (np.broadcast_to(room, x.shape)[free] for room in (box.high - point, point - box.low))
        step = np.where((up >= eps) | (up >= down), np.minimum(up, eps), -np.minimum(down, eps))

        def along(part: Array) -> float:
            if np.array_equal(part, point[free]):
                return value
            other = point.copy()
            other[free] = part
            return checked_value(fun(other))

        if free.any():
            gradient[free] = approx_fprime(point[free], along, step)
        return value, gradient

    return Evaluations(pair, 1 + int(np.count_nonzero(free)))


def checked_value(given: Any) -> float:
    """Return the value of fun as a float; raises TypeError for what is no real number."""
    array = np.asarray(given)
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise TypeError(
            f"the value of fun is one real number, and it is {array.dtype} of shape {array.shape}; a sum or a mean "
            "makes one number of many"
        )
    return float(array.item())


def checked_gradient(given: Any, x: Array) -> Array:
    """Return the gradient as an array of its own: what fun returns may be a buffer that it fills anew at each call."""
    gradient = np.array(given)
    if gradient.shape != x.shape:
        raise ValueError(f"the gradient has shape {gradient.shape} and x has shape {x.shape}; they have to be the same")
    if gradient.dtype.kind not in "fiu":
        raise TypeError(f"the gradient is an array of real numbers, and its dtype is {gradient.dtype}")
    return gradient if gradient.dtype.kind == "f" else gradient.astype(x.dtype)

"""Bounds: what SciPy accepts as such, clipping, and the slope inside them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thalweg.minimization.arguments import scipy_optimize


@dataclass(frozen=True)
class Box:
    """Bounds of x, infinite where there are none: arrays of x's dtype that broadcast to its shape."""

    low: NDArray[Any]
    high: NDArray[Any]

    @staticmethod
    def of(bounds: Any, x: NDArray[Any]) -> Box:
        """Return the bounds given for x; raises TypeError or ValueError that says what is wrong with them."""
        if bounds is None:
            sides = [-np.inf, np.inf]
        elif hasattr(bounds, "lb") and hasattr(bounds, "ub"):
            sides = [_alone(bounds.lb), _alone(bounds.ub)]
        else:
            sides = _of_pairs(bounds, x)
        with np.errstate(over="ignore"):
            low, high = (np.asarray(side, dtype=x.dtype) for side in sides)
        try:
            crossed = np.argwhere(~np.broadcast_to(low <= high, x.shape))
        except ValueError:
            raise ValueError(
                f"bounds of shapes {low.shape} and {high.shape} do not go with x of shape {x.shape}"
            ) from None
        if len(crossed):
            at = tuple(map(int, crossed[0]))
            pair = np.broadcast_to(low, x.shape)[at], np.broadcast_to(high, x.shape)[at]
            where = f"x{list(at) if at else ''}"
            raise ValueError(f"the bounds of {where} are {pair[0]} and {pair[1]}; the first is at most the second")
        return Box(low, high)

    def clip_start(self, x: NDArray[Any], stacklevel: int) -> None:
        """Move the start inside the bounds, in place, with a warning if it was not; stacklevel as for warnings.warn."""
        given = x.copy()
        self.clip(x)
        if not np.array_equal(x, given):
            message = "x0 is not within the bounds; it is clipped to them"
            warnings.warn(message, scipy_optimize().OptimizeWarning, stacklevel)

    def clip(self, x: NDArray[Any]) -> None:
        """Move x to the nearest point inside the bounds, in place."""
        np.clip(x, self.low, self.high, out=x)

    def slope(self, x: NDArray[Any], gradient: NDArray[Any]) -> float:
        """Return the largest element of the gradient, where one that leads out counts as far as x can still move."""
        with np.errstate(over="ignore"):
            inside = np.where(gradient < 0, np.maximum(x - self.high, gradient), np.minimum(x - self.low, gradient))
        return float(np.max(np.abs(inside), initial=0.0))


def _alone(side: Any) -> Any:
    """Return one side of scipy.optimize.Bounds, which gives a single number a shape of (1,)."""
    array = np.asarray(side)
    return array.reshape(()) if array.size == 1 else array


def _of_pairs(bounds: Any, x: NDArray[Any]) -> list[Any]:
    try:
        pairs = [(-np.inf if low is None else low, np.inf if high is None else high) for low, high in bounds]
        sides = np.array(pairs, dtype=np.float64).reshape(len(pairs), 2)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"bounds = {bounds!r}; give scipy.optimize.Bounds(low, high), or a (low, high) pair for each element of x, "
            "with None where there is no bound"
        ) from error
    if len(pairs) != x.size:
        raise ValueError(f"bounds has {len(pairs)} pairs and x has {x.size} elements; each element has one pair")
    return [side.reshape(x.shape) for side in sides.T]

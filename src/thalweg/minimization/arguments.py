"""Arguments that `minimize` and the method for SciPy share, checked; and SciPy itself."""

from __future__ import annotations

import numbers
import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thalweg.optimizer import Optimizer
from thalweg.quasi_newton import LBFGS


def scipy_optimize() -> Any:
    """Return the module scipy.optimize; raises ImportError that says what to install."""
    try:
        import scipy.optimize
    except ImportError as error:
        raise ImportError(
            "minimize and scipy_method return SciPy's OptimizeResult, and SciPy cannot be imported; install it with "
            "pip install scipy"
        ) from error
    return scipy.optimize


def starting_point(x0: ArrayLike) -> NDArray[Any]:
    """Return x0 as a new array, of float32 if it was, else of float64."""
    given = np.asarray(x0)
    if given.dtype.kind not in "fiu":
        raise TypeError(f"x0 is a real number or an array of them, and its dtype is {given.dtype}")
    start = np.array(given, dtype=np.float32 if given.dtype == np.float32 else np.float64)
    if not np.isfinite(start).all():
        raise ValueError("x0 holds a NaN or an infinity; a run starts from finite numbers")
    return start


def checked_optimizer(opt: Any, asker: str) -> Optimizer | LBFGS:
    """Return opt if it is an optimizer; raises TypeError that says how to make one."""
    if isinstance(opt, Optimizer | LBFGS):
        return opt
    is_class = isinstance(opt, type) and issubclass(opt, Optimizer | LBFGS)
    hint = f"; {opt.__name__}(...) makes one" if is_class else ""
    raise TypeError(f"{asker} works with an optimizer, such as tw.Adam(lr=0.1), and {opt!r} is none{hint}")


def title_of(opt: Optimizer | LBFGS) -> str:
    """Return what an optimizer is called in messages."""
    return opt.rule.title if isinstance(opt, Optimizer) else "LBFGS"


def check_bounds(opt: Optimizer | LBFGS, bounds: Any) -> None:
    """Raise ValueError for bounds that the optimizer cannot keep."""
    if bounds is not None and isinstance(opt, LBFGS):
        raise ValueError(
            "LBFGS keeps no bounds: clipping what it has found would make its picture of the curvature wrong; SciPy's "
            "own method 'L-BFGS-B' keeps them"
        )


def count(name: str, given: Any, least: int = 0) -> int:
    """Return a whole number from `least` upwards; raises ValueError that names it for anything else."""
    try:
        number = operator.index(given)
    except TypeError:
        number = -1
    if number < least or isinstance(given, bool):
        raise ValueError(f"{name} = {given!r}; it is a whole number, {least} or more")
    return number


def check_tolerance(name: str, given: Any) -> None:
    """Raise ValueError for what is neither a number from 0 upwards nor None."""
    if given is None:
        return
    if isinstance(given, bool) or not isinstance(given, numbers.Real) or not float(given) >= 0:
        raise ValueError(f"{name} = {given!r}; it is a number, 0 or more, or None")

"""The run: steps, the best point seen, and how it ends."""

from __future__ import annotations

import inspect
import math
import sys
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thalweg.errors import NonFiniteError, NumberError
from thalweg.minimization.arguments import check_tolerance, count, scipy_optimize
from thalweg.minimization.box import Box
from thalweg.minimization.functions import Array, Evaluations, Point
from thalweg.optimizer import Optimizer
from thalweg.quasi_newton import LBFGS

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

# The name of x in the optimizer: the key of its state, and what an error calls it.
NAME = "x"

# The numbers that SciPy's BFGS gives as status, and the one of SciPy for every method that a callback has ended.
SUCCESS, MAXITER, PRECISION, NONFINITE, CALLBACK = 0, 1, 2, 3, 99


@dataclass(frozen=True)
class Ending:
    """Why a run is over."""

    status: int
    message: str


@dataclass(frozen=True)
class Limits:
    """When a run is over: the number of steps, and the tolerances, None where they are not looked at."""

    steps: int
    gtol: float | None
    ftol: float | None
    ftol_steps: int

    def __post_init__(self) -> None:
        check_tolerance("gtol", self.gtol)
        check_tolerance("ftol", self.ftol)
        count("ftol_steps", self.ftol_steps, least=1)

    def reached(self, here: Point, lowest: deque[float], box: Box) -> Ending | None:
        """Return how the run ends here, or None. lowest: the lowest value seen, as of each of the last steps."""
        if self.gtol is not None and box.slope(here.x, here.gradient) <= self.gtol:
            return Ending(SUCCESS, f"Optimization terminated successfully: the gradient is within gtol = {self.gtol}.")
        if self.ftol is not None and len(lowest) > self.ftol_steps:
            gain = lowest[0] - lowest[-1]
            if gain <= self.ftol * max(1.0, abs(lowest[-1])):
                gained = f"the last {self.ftol_steps} steps gained {gain:.3g}, which is within ftol = {self.ftol}"
                return Ending(SUCCESS, f"Optimization terminated successfully: {gained}.")
        if here.step >= self.steps:
            return Ending(MAXITER, f"Maximum number of iterations has been reached: {self.steps}.")
        return None


Listener = Callable[[Point], Ending | None]


def run(
    evaluate: Evaluations, x: Array, opt: Optimizer | LBFGS, limits: Limits, box: Box, tell: Listener, *, disp: bool
) -> OptimizeResult:
    """Take steps from x, which is moved, until the limits, the callback or a number that is not finite ends the run."""
    here = best = evaluate(0, x)
    lowest = deque([best.value], limits.ftol_steps + 1)
    ending = _broken(here) or limits.reached(here, lowest, box)
    while ending is None:
        asked = evaluate.njev
        try:
            _step(opt, x, here, evaluate)
        except (NonFiniteError, NumberError) as error:
            ending = Ending(NONFINITE, f"Step {here.step + 1} could not be taken: {error}.")
            break
        if isinstance(opt, LBFGS) and np.array_equal(x, here.x):
            ending = _at_rest(opt, searched=evaluate.njev > asked)
            break
        box.clip(x)
        here = evaluate(here.step + 1, x)
        if math.isfinite(here.value) and here.value < best.value:
            best = here
        lowest.append(best.value)
        stopped = tell(here)
        ending = _broken(here) or stopped or limits.reached(here, lowest, box)
    elsewhere = "" if best is here else f" The best point seen is that of step {best.step}."
    result = scipy_optimize().OptimizeResult(
        x=best.x, fun=best.value, jac=best.gradient, x_last=here.x, fun_last=here.value,
        nit=here.step, nfev=evaluate.nfev, njev=evaluate.njev,
        success=ending.status == SUCCESS, status=ending.status, message=ending.message + elsewhere, optimizer=opt,
    )  # fmt: skip
    if disp:
        _show(result)
    return result


def _step(opt: Optimizer | LBFGS, x: Array, here: Point, evaluate: Evaluations) -> None:
    """Take one step from here, in place; an optimizer that asks for a second point (`sam`) has it evaluated."""

    def closure(params: dict[str, Array]) -> tuple[float, dict[str, Array]]:
        asked = params[NAME]
        point = here if np.array_equal(asked, here.x) else evaluate(here.step, asked)
        return point.value, {NAME: point.gradient}

    opt.update({NAME: x}, closure=closure)


def _at_rest(opt: LBFGS, *, searched: bool) -> Ending:
    """Return how a run ends whose optimizer stays where it is: it would do so in every further step."""
    if searched:
        return Ending(PRECISION, "The line search of LBFGS finds no lower value: the numbers have no more digits.")
    own = f"tolerance_grad = {opt.tolerance_grad} or tolerance_change = {opt.tolerance_change}"
    return Ending(SUCCESS, f"Optimization terminated successfully: LBFGS is within its own {own}.")


def listener(callback: Callable[..., Any] | None, *, true_stops: bool) -> Listener:
    """Return a function that tells the callback of a point, in the form that its arguments ask for, as SciPy does."""
    if callback is None:
        return lambda _: None
    if not callable(callback):
        raise TypeError(f"callback = {callback!r}; it is a function of the current point, or None")
    try:
        by_name = set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except ValueError:  # some functions written in C have no signature
        by_name = False

    def tell(here: Point) -> Ending | None:
        x = here.x.copy()
        try:
            if by_name:
                fields = {"x": x, "fun": here.value, "jac": here.gradient.copy(), "nit": here.step}
                answer = callback(intermediate_result=scipy_optimize().OptimizeResult(fields))
            else:
                answer = callback(x)
        except StopIteration:
            return Ending(CALLBACK, "`callback` raised `StopIteration`.")
        if true_stops and isinstance(answer, bool | np.bool) and answer:
            return Ending(CALLBACK, "`callback` returned True.")
        return None

    return tell


def _broken(here: Point) -> Ending | None:
    """Return how the run ends at a point that is not finite or has no finite value; None at any other."""
    wrong = np.argwhere(~np.isfinite(here.x))
    if len(wrong):
        place = tuple(map(int, wrong[0]))
        what = f"x{list(place) if place else ''} is {here.x[place]}"
    elif not math.isfinite(here.value):
        what = f"the value is {here.value}"
    else:
        return None
    if here.step == 0:
        return Ending(NONFINITE, f"At x0 {what}; start where the function is finite.")
    return Ending(NONFINITE, f"After step {here.step} {what}. A usual cause is a rate that is too large.")


def _show(result: OptimizeResult) -> None:
    """Print what SciPy's methods print for disp=True."""
    sys.stdout.write(
        f"{result.message}\n"
        f"         Current function value: {result.fun:f}\n"
        f"         Iterations: {result.nit}\n"
        f"         Function evaluations: {result.nfev}\n"
        f"         Gradient evaluations: {result.njev}\n"
    )

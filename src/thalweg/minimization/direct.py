"""minimize: a function of one array, by the steps of an optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from thalweg.minimization.arguments import check_bounds, checked_optimizer, count, scipy_optimize, starting_point
from thalweg.minimization.box import Box
from thalweg.minimization.functions import Array, Evaluations
from thalweg.minimization.run import Limits, listener, run
from thalweg.optimizer import Optimizer
from thalweg.quasi_newton import LBFGS

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult


def minimize(
    fun: Callable[[Array], tuple[Any, Any]],
    x0: ArrayLike,
    opt: Optimizer | LBFGS,
    steps: int = 200,
    callback: Callable[..., Any] | None = None,
    *,
    bounds: Any = None,
    gtol: float | None = 1e-5,
    ftol: float | None = None,
    ftol_steps: int = 20,
    disp: bool = False,
) -> OptimizeResult:
    """Minimize a function of one array by the steps of an optimizer, and return the best point seen.

    These methods are not monotone: a step may go up. So the point with the lowest value is returned, also when the run
    diverges afterwards; where the run ended somewhere else, the message says so.

    Args:
        fun: function of x that returns (value, gradient): a real number, and an array of x's shape. It gets a copy of
            x, of x0's shape, and is called once at x0 and once after each step. (`tw.sam` asks for a second point
            in each step, which may be outside of bounds and is no candidate for the best one.)
        x0: where to start: a number, a list, or an array of any shape; never modified. float32 stays float32; every
            other kind of real number becomes float64.
        opt: an optimizer, such as `tw.Adam(lr=0.1)`. It takes the steps itself, so its state is that of the run, under
            the name "x". One that has taken steps already goes on from its state and its step count t; give a new one
            to start afresh. With `tw.LBFGS` a step is one call of update: up to max_iter iterations, and as many
            evaluations of fun as these take.
        steps: the largest number of steps. Default 200.
        callback: called after each step as `callback(xk)` with a copy of the current point; or, if its one argument is
            called `intermediate_result`, as `callback(intermediate_result=r)`, where r is an OptimizeResult with the
            current x, fun, jac and nit. It ends the run by raising StopIteration or by returning True.
        bounds: `scipy.optimize.Bounds`, or a (low, high) pair for each element of x in C order, None where there is no
            bound. After each step x is clipped to them, which the state of the optimizer does not see. An x0 outside is
            clipped with an OptimizeWarning. Bounds are rounded to the dtype of x.
        gtol: the run succeeds at a point where no element of the gradient is larger than this. Elements whose descent
            leads out of the bounds count as far as x can still move, as in L-BFGS-B. None: not looked at. Default 1e-5.
        ftol: the run succeeds when the last `ftol_steps` steps together have lowered the lowest value seen by no more
            than ftol * max(1, |lowest value seen|). None (default): not looked at.
        ftol_steps: how many steps ftol looks back; before there are so many, it is not looked at. Default 20.
        disp: print the message and the counts at the end.

    Returns:
        scipy.optimize.OptimizeResult with: x, fun, jac (the best point seen, its value and its gradient); x_last,
        fun_last (where the run ended; if that x is not finite, fun is not called there and the value is NaN); nit
        (steps, also those that opt leaves out or gathers for later), nfev, njev; success, status, message; optimizer,
        which is opt. Status 0: gtol, ftol, or a tolerance of LBFGS's own is reached, the only success. 1: all steps are
        taken. 2: the line search of LBFGS finds no lower value. 3: x, its value or its gradient is not finite, or the
        rule has a number that cannot be computed; the message says which, and at which step. 99: the callback ended the
        run.

    Raises:
        ImportError: SciPy is not installed.
        TypeError, ValueError: an argument, or what fun returns, is not as above.
    """
    scipy_optimize()
    check_bounds(checked_optimizer(opt, "minimize"), bounds)
    x = starting_point(x0)
    box = Box.of(bounds, x)
    box.clip_start(x, stacklevel=3)
    limits = Limits(count("steps", steps), gtol, ftol, ftol_steps)
    tell = listener(callback, true_stops=True)
    return run(Evaluations(lambda x: _two(fun(x))), x, opt, limits, box, tell, disp=disp)


def _two(returned: Any) -> tuple[Any, Any]:
    if isinstance(returned, tuple | list) and len(returned) == 2:
        return returned[0], returned[1]
    raise TypeError(
        f"fun returns (value, gradient), and it returned an object of type {type(returned).__name__}; with a gradient "
        "in a function of its own, give lambda x: (f(x), df(x))"
    )

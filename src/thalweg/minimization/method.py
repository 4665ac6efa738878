"""scipy_method: an optimizer as a method of `scipy.optimize.minimize`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from thalweg.minimization.arguments import (
    check_bounds,
    checked_optimizer,
    count,
    scipy_optimize,
    starting_point,
    title_of,
)
from thalweg.minimization.box import Box
from thalweg.minimization.functions import Evaluations, differences
from thalweg.minimization.run import Limits, listener, run
from thalweg.optimizer import Optimizer
from thalweg.quasi_newton import LBFGS

if TYPE_CHECKING:
    from scipy.optimize import OptimizeResult

# Where the call to scipy.optimize.minimize stands, counted from a warning that a function here gives.
_USER = 4


def scipy_method(opt: Optimizer | LBFGS) -> ScipyMethod:
    """Make an optimizer a method for SciPy: `scipy.optimize.minimize(fun, x0, jac=True, method=scipy_method(opt))`.

    Each call works on a copy of opt, in the state in which opt is then: calls share nothing, and opt takes no step. The
    copy that was used is `result.optimizer`. What SciPy's arguments and options do here, `ScipyMethod` says.

    Args:
        opt: an optimizer, such as `tw.Adam(lr=0.1)`.

    Raises:
        TypeError: opt is no optimizer.
    """
    return ScipyMethod(checked_optimizer(opt, "scipy_method"))


@dataclass(frozen=True)
class ScipyMethod:
    """A method for `scipy.optimize.minimize`, made by `scipy_method(opt)`; `optimizer` is what each call copies.

    What SciPy passes on, and what becomes of it:

    - jac: True, or a function. Without one (None, False, "2-point", "3-point", "cs": SciPy tells a custom method no
      more than that there is none) the gradient is SciPy's forward difference, `approx_fprime`, which costs one more
      value of fun for each element of x. Its steps stay inside bounds, and an element that its bounds fix has the
      derivative 0.
    - bounds: as in `minimize`. constraints: refused. hess, hessp: a RuntimeWarning, as from SciPy's own methods.
    - callback: `callback(xk)` or `callback(intermediate_result=r)`, after each step; StopIteration ends the run with
      status 99, and what it returns is ignored, as by BFGS and L-BFGS-B.
    - tol: gtol, where the options do not give one.
    - options: maxiter (default 200 for each element of x, as for BFGS), gtol (1e-5), ftol (None), ftol_steps (20), disp
      (False), and eps, the step of the differences (the square root of the machine's epsilon, 1.5e-8). All others get
      an OptimizeWarning.

    The result is that of `minimize`.
    """

    optimizer: Optimizer | LBFGS

    def __repr__(self) -> str:
        return f"scipy_method({self.optimizer!r})"

    def __call__(
        self,
        fun: Callable[..., Any],
        x0: ArrayLike,
        args: tuple[Any, ...] = (),
        *,
        jac: Callable[..., Any] | None = None,
        hess: Any = None,
        hessp: Any = None,
        bounds: Any = None,
        constraints: Any = (),
        callback: Callable[..., Any] | None = None,
        tol: float | None = None,
        maxiter: int | None = None,
        gtol: float | None = None,
        ftol: float | None = None,
        ftol_steps: int = 20,
        eps: float = np.finfo(float).eps ** 0.5,
        disp: bool = False,
        **unknown: Any,
    ) -> OptimizeResult:
        """Minimize fun from x0: the call that SciPy makes. Raises ValueError for constraints."""
        title = title_of(self.optimizer)
        _refuse_constraints(title, constraints)
        _warn_of_unused(title, hess, hessp, unknown)
        check_bounds(self.optimizer, bounds)
        start = starting_point(x0)
        box = Box.of(bounds, start)
        box.clip_start(start, _USER)
        if jac is None:
            evaluate = differences(lambda x: fun(x, *args), box, start, eps)
        elif callable(jac):
            # A gradient of one element may be a number, as for SciPy's own methods.
            evaluate = Evaluations(lambda x: (fun(x.copy(), *args), np.atleast_1d(jac(x, *args))))
        else:
            raise TypeError(f"jac = {jac!r}; scipy.optimize.minimize gives a method a function of x, or None")
        gtol = next((given for given in (gtol, tol) if given is not None), 1e-5)
        limits = Limits(200 * start.size if maxiter is None else count("maxiter", maxiter), gtol, ftol, ftol_steps)
        tell = listener(callback, true_stops=False)
        return run(evaluate, start, copy.deepcopy(self.optimizer), limits, box, tell, disp=disp)


def _warn_of_unused(title: str, hess: Any, hessp: Any, unknown: Mapping[str, Any]) -> None:
    if hess is not None:
        warnings.warn(f"Method {title} does not use Hessian information (hess).", RuntimeWarning, stacklevel=_USER)
    if hessp is not None:
        message = f"Method {title} does not use Hessian-vector product information (hessp)."
        warnings.warn(message, RuntimeWarning, stacklevel=_USER)
    given = [name for name, value in unknown.items() if value is not None]
    if given:
        message = f"Unknown solver options: {', '.join(given)}"
        warnings.warn(message, scipy_optimize().OptimizeWarning, stacklevel=_USER)


def _refuse_constraints(title: str, constraints: Any) -> None:
    several = constraints if isinstance(constraints, list | tuple) else [constraints]
    kinds = {repr(c.get("type")) if isinstance(c, Mapping) else type(c).__name__ for c in several if c is not None}
    if kinds:
        raise ValueError(
            f"{title} cannot keep constraints ({', '.join(sorted(kinds))}), only bounds=; SciPy's own methods for "
            "constraints are 'SLSQP', 'COBYLA', 'COBYQA' and 'trust-constr'"
        )

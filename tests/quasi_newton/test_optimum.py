"""Where runs end: against SciPy's own L-BFGS-B, and inside of `minimize` and of SciPy's interface."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize

import thalweg as tw
from tests.quasi_newton.functions import PROBLEMS, bits

EXACT = dict(tolerance_grad=0.0, tolerance_change=0.0)


def by_scipy(f, start):
    options = dict(ftol=0.0, gtol=1e-8, maxcor=50, maxiter=2000)
    return scipy.optimize.minimize(f, start, jac=True, method="L-BFGS-B", options=options)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_minimum_is_that_of_scipy(problem):
    """Both stop where the values have no more digits, if not before.

    Those of the quadratics are known to 2e-12, an epsilon times the condition, and their curvature is 1 or more: the
    places of such values are within sqrt(2 * 2e-12) = 2e-6 of the minimum. The others are better known than that.
    """
    f, start, minimum = PROBLEMS[problem]
    theirs = by_scipy(f, start)
    params, opt = {"w": start.copy()}, tw.LBFGS(max_iter=50)
    for _ in range(4):
        opt.update(params, closure=lambda p: (f(p["w"])[0], {"w": f(p["w"])[1]}))
    assert f(params["w"])[0] == pytest.approx(theirs.fun, rel=1e-7, abs=1e-9)
    ours = tw.minimize(f, start, tw.LBFGS(max_iter=50, **EXACT), gtol=1e-9)
    assert ours.fun <= theirs.fun + 2e-12
    assert ours.x == pytest.approx(theirs.x, abs=2e-6)
    if minimum is not None:
        assert ours.x == pytest.approx(minimum, abs=2e-6)
    assert ours.nfev < 3 * theirs.nfev + 20


def test_minimize_steps_are_calls_of_update():
    f, start, _ = PROBLEMS["rosenbrock in 10"]
    opt, by_hand, w = tw.LBFGS(max_iter=6, max_eval=50), tw.LBFGS(max_iter=6, max_eval=50), {"x": start.copy()}
    seen = []
    result = tw.minimize(f, start, opt, steps=3, callback=seen.append)
    for k in range(3):
        by_hand.update(w, closure=lambda p: (f(p["x"])[0], {"x": f(p["x"])[1]}))
        assert seen[k].tolist() == w["x"].tolist()
    assert result.optimizer is opt
    assert (result.nit, result.status, result.success) == (3, 1, False)
    assert (opt.t, opt.n_iter) == (3, 18)
    # Evaluations of LBFGS; the first of each call is known from the step before, and the end is evaluated once more.
    assert result.nfev == opt.func_evals + 1
    assert bits(opt.state_dict()["counts"]) == bits(by_hand.state_dict()["counts"])


def test_minimize_ends_where_lbfgs_rests():
    """gtol is far below what LBFGS looks for: without an end of its own the run would take all steps in one place."""
    f, start, _ = PROBLEMS["rosenbrock in 10"]
    result = tw.minimize(f, start, tw.LBFGS(), gtol=1e-12)
    assert result.success
    assert result.nit < 10
    assert "LBFGS is within its own tolerance_grad = 1e-07 or tolerance_change = 1e-09" in result.message
    wrong = tw.minimize(lambda x: (float(x @ x), -2 * x), np.ones(2), tw.LBFGS())
    assert (wrong.status, wrong.success, wrong.nit) == (2, False, 0)
    assert "finds no lower value" in wrong.message
    assert wrong.x.tolist() == [1, 1]


def test_minimize_ends_at_numbers_that_are_not_finite():
    result = tw.minimize(lambda x: (float(np.where(x < 0, np.nan, x).sum()), np.ones(1)), np.ones(1), tw.LBFGS(lr=3.0))
    assert result.status == 3
    assert "Step 1 could not be taken: the value is nan, at evaluation 2 of this call" in result.message
    assert result.x.tolist() == [1]


def test_scipys_interface():
    f, start, _ = PROBLEMS["rosenbrock in 10"]
    opt = tw.LBFGS()
    for jac in (True, None):
        fun = f if jac else lambda x: f(x)[0]
        result = scipy.optimize.minimize(fun, start, jac=jac, method=tw.scipy_method(opt))
        assert result.success
        assert result.x == pytest.approx(np.ones(10), abs=1e-4)
    assert opt.t == 0
    assert result.optimizer.t == result.nit + 1  # the last call moved nothing


def test_bounds_and_constraints_are_refused():
    f, start, _ = PROBLEMS["rosenbrock in 2"]
    with pytest.raises(ValueError, match=r"LBFGS keeps no bounds.*'L-BFGS-B'"):
        tw.minimize(f, start, tw.LBFGS(), bounds=[(-2, 2), (-2, 2)])
    with pytest.raises(ValueError, match="LBFGS keeps no bounds"):
        scipy.optimize.minimize(f, start, jac=True, bounds=[(-2, 2)] * 2, method=tw.scipy_method(tw.LBFGS()))
    with pytest.raises(ValueError, match="LBFGS cannot keep constraints"):
        scipy.optimize.minimize(
            f, start, jac=True, constraints={"type": "eq", "fun": np.sum}, method=tw.scipy_method(tw.LBFGS())
        )
    with pytest.raises(TypeError, match=r"LBFGS\(...\) makes one"):
        tw.minimize(f, start, tw.LBFGS)

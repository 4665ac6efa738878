"""scipy_method: what SciPy hands to a method, and what its callers get back, beside SciPy's own methods."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import thalweg as tw
from thalweg.minimization import minimize, scipy_method

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")

START = [-1.2, 1.0]
OWN = ("BFGS", "L-BFGS-B")


def rosen(x):
    return optimize.rosen(x), optimize.rosen_der(x)


def adam():
    return scipy_method(tw.Adam(lr=0.05))


# The result ----------------------------------------------------------------------------------------------------------


def test_it_is_the_run_of_minimize():
    ours = minimize(rosen, START, tw.Adam(lr=0.05), steps=3000)
    result = optimize.minimize(rosen, START, jac=True, method=adam(), options={"maxiter": 3000})
    assert result.success
    assert set(result) == set(ours)
    assert result.x.tobytes() == ours.x.tobytes()
    assert (result.nit, result.nfev, result.message) == (ours.nit, ours.nfev, ours.message)


@pytest.mark.parametrize("own", OWN)
def test_the_result_has_what_scipys_own_methods_give(own):
    theirs = optimize.minimize(rosen, START, jac=True, method=own)
    ours = optimize.minimize(rosen, START, jac=True, method=adam(), options={"maxiter": 3000})
    assert set(theirs) - set(ours) == {"hess_inv"}
    assert type(ours) is type(theirs)
    for name in ("success", "status", "nit", "nfev", "njev", "message"):
        assert type(ours[name]) is type(theirs[name]), name
    for name in ("x", "jac"):
        assert (ours[name].shape, ours[name].dtype) == (theirs[name].shape, theirs[name].dtype)
    assert isinstance(ours.fun, float)
    assert isinstance(theirs.fun, float)
    assert (ours.success, ours.status) == (theirs.success, theirs.status) == (True, 0)
    assert ours.x == pytest.approx(theirs.x, abs=1e-4)


def test_the_steps_that_are_not_enough():
    theirs = optimize.minimize(rosen, START, jac=True, method="BFGS", options={"maxiter": 5})
    ours = optimize.minimize(rosen, START, jac=True, method=adam(), options={"maxiter": 5})
    assert (ours.success, ours.status, ours.nit) == (theirs.success, theirs.status, theirs.nit) == (False, 1, 5)


def test_a_start_of_any_kind_that_scipy_takes():
    for x0 in (2, 2.0, [2], np.array([2], np.float32), np.array([2], np.int16)):
        result = optimize.minimize(
            lambda x: (float(x[0] ** 2), 2 * x), x0, jac=True, method=scipy_method(tw.SGD(lr=0.5))
        )
        assert (result.x.tolist(), result.nit) == ([0.0], 1)
        assert result.x.dtype == (np.float32 if np.asarray(x0).dtype == np.float32 else np.float64)


# Functions and gradients ---------------------------------------------------------------------------------------------


def shifted(x, a, b):
    return float((x - a) @ (x - a)) + b


def shifted_gradient(x, a, b):
    return 2 * (x - a)


@pytest.mark.parametrize("jac", [shifted_gradient, True, None])
def test_arguments_reach_the_function_and_its_gradient(jac):
    calls = []

    def fun(x, a, b):
        calls.append(1)
        value = shifted(x, a, b)
        return (value, shifted_gradient(x, a, b)) if jac is True else value

    method = scipy_method(tw.SGD(lr=0.25))
    result = optimize.minimize(fun, [5.0, 6.0], args=(np.array([1.0, 2.0]), 7.0), jac=jac, method=method, tol=1e-4)
    assert result.success
    assert result.x == pytest.approx([1.0, 2.0], abs=1e-4)
    assert result.fun == pytest.approx(7.0, abs=1e-8)
    assert result.nfev == len(calls)
    assert result.njev == result.nit + 1
    assert result.nfev == result.njev * (3 if jac is None else 1)


def test_fun_and_jac_may_change_the_x_that_they_get():
    def spoilt(function):
        def spoiling(x):
            answer = function(x.copy())
            x[:] = 99.0
            return answer

        return spoiling

    fun, jac = spoilt(optimize.rosen), spoilt(optimize.rosen_der)
    options = {"maxiter": 5}
    for given in (optimize.rosen_der, None):
        clean = optimize.minimize(optimize.rosen, START, jac=given, method=adam(), options=options)
        result = optimize.minimize(fun, START, jac=given and jac, method=adam(), options=options)
        assert result.x_last.tobytes() == clean.x_last.tobytes()


def test_one_argument_need_not_be_a_tuple():
    result = optimize.minimize(lambda x, a: (a * float(x[0]), np.array([a])), [1.0], args=2.0, jac=True,
                               method=scipy_method(tw.SGD(lr=1.0)), options={"maxiter": 1})  # fmt: skip
    assert result.x_last.tolist() == [-1.0]


@pytest.mark.slow
@pytest.mark.parametrize("jac", [None, False, "2-point", "3-point", "cs"])
def test_without_a_gradient_there_are_differences(jac):
    result = optimize.minimize(optimize.rosen, START, jac=jac, method=adam(), options={"maxiter": 3000})
    given = optimize.minimize(rosen, START, jac=True, method=adam(), options={"maxiter": 3000})
    assert result.success
    # A forward difference is off by h / 2 * |second derivative| < 1.5e-8 / 2 * 803 near (1, 1), and by rounding less.
    assert result.jac == pytest.approx(optimize.rosen_der(result.x), abs=7e-6)
    assert result.x == pytest.approx(given.x, abs=1e-4)


def test_the_differences_are_those_of_bfgs():
    theirs = optimize.minimize(optimize.rosen, START, method="BFGS", options={"maxiter": 0})
    ours = optimize.minimize(optimize.rosen, START, method=adam(), options={"maxiter": 0})
    assert ours.jac.tobytes() == theirs.jac.tobytes()
    wide = [
        optimize.minimize(optimize.rosen, START, method=m, options={"maxiter": 0, "eps": 1e-2})
        for m in ("BFGS", adam())
    ]
    assert wide[1].jac.tobytes() == wide[0].jac.tobytes() != ours.jac.tobytes()


def test_differences_stay_inside_bounds():
    bounds, seen = [(0.5, 2.0), (None, 1.0), (3.0, 3.0), (1.0, 1.0 + 1e-9)], []

    def fun(x):
        seen.append(x.copy())
        return float(np.sum((x - np.array([1.0, 2.0, 3.5, 9.0])) ** 2))

    method = scipy_method(tw.SGD(lr=0.25))
    result = optimize.minimize(fun, [2.0, 0.0, 3.0, 1.0], method=method, bounds=bounds, tol=1e-6)
    low, high = np.array([0.5, -np.inf, 3.0, 1.0]), np.array([2.0, 1.0, 3.0, 1.0 + 1e-9])
    assert all(np.all((low <= x) & (x <= high)) for x in seen)
    assert result.success
    assert result.x == pytest.approx([1.0, 1.0, 3.0, 1.0 + 1e-9], abs=1e-6)
    # The slope of a fixed element is not asked for; over 1e-9 a difference keeps few digits of -16.
    assert result.jac[1:] == pytest.approx([-2.0, 0.0, -16.0], rel=1e-4)
    assert result.nfev == len(seen) == 4 * result.njev


def test_differences_where_every_element_is_fixed():
    result = optimize.minimize(optimize.rosen, START, method=adam(), bounds=[(-1.2, -1.2), (1.0, 1.0)])
    assert (result.success, result.nit, result.nfev, result.x.tolist()) == (True, 0, 1, START)


def test_a_gradient_of_one_element_may_be_a_number():
    result = optimize.minimize(lambda x: x[0] ** 2, 2.0, jac=lambda x: 2 * x[0], method=scipy_method(tw.SGD(lr=0.5)))
    assert result.x.tolist() == [0.0]
    assert result.jac.shape == (1,)


def test_a_gradient_that_does_not_fit():
    with pytest.raises(ValueError, match=r"the gradient has shape \(3,\) and x has shape \(2,\)"):
        optimize.minimize(optimize.rosen, START, jac=lambda x: np.ones(3), method=adam())
    with pytest.raises(TypeError, match=r"jac = '2-point'; scipy\.optimize\.minimize gives a method a function"):
        adam()(optimize.rosen, START, jac="2-point")


# The callback --------------------------------------------------------------------------------------------------------


def outcome(method, callback, **options):
    result = optimize.minimize(rosen, START, jac=True, method=method, callback=callback, options=options)
    return result.nit, result.success, result.status, result.message


@pytest.mark.parametrize("own", OWN)
@pytest.mark.parametrize("by_name", [False, True])
def test_the_callback_is_called_as_scipys_own_methods_call_it(own, by_name):
    for method in (own, adam()):
        seen = []

        def point(xk, seen=seen):
            seen.append(("x", xk.copy(), None))

        def named(intermediate_result):
            seen.append(("result", intermediate_result.x.copy(), intermediate_result.fun))  # noqa: B023 - called here

        nit = outcome(method, named if by_name else point, maxiter=7)[0]
        assert len(seen) == nit == 7
        assert {kind for kind, _, _ in seen} == {"result" if by_name else "x"}
        assert all(fun is None or fun == optimize.rosen(x) for _, x, fun in seen)


@pytest.mark.parametrize("own", OWN)
def test_a_callback_that_raises_stop_iteration(own):
    def at_the_third():
        left = iter([1, 2])
        return lambda xk: (next(left), None)[1]  # next raises StopIteration itself

    ours, theirs = outcome(adam(), at_the_third()), outcome(own, at_the_third())
    assert ours == theirs == (3, False, 99, "`callback` raised `StopIteration`.")


@pytest.mark.parametrize("own", OWN)
def test_a_callback_that_returns_true_goes_on(own):
    assert outcome(adam(), lambda xk: True, maxiter=4)[0] == outcome(own, lambda xk: True, maxiter=4)[0] == 4


# Options and what is not used ----------------------------------------------------------------------------------------


def test_tol_is_gtol_unless_the_options_give_one():
    def slope(**given):
        options = {"maxiter": 5000} | given.pop("options", {})
        result = optimize.minimize(rosen, START, jac=True, method=adam(), options=options, **given)
        assert result.success
        return result.nit, float(np.max(np.abs(result.jac)))

    default, wide = slope(), slope(tol=1e-2)
    assert default[1] <= 1e-5
    assert 1e-5 < wide[1] <= 1e-2
    assert wide[0] < default[0]
    assert slope(tol=1e-9, options={"gtol": 1e-2}) == wide
    assert slope(options={"ftol": 1e-3, "ftol_steps": 10})[0] < wide[0]


def test_the_largest_number_of_steps_is_that_of_bfgs():
    for n in (1, 3):
        result = optimize.minimize(lambda x: (x.sum(), np.ones_like(x)), np.zeros(n), jac=True, method=adam())
        assert (result.nit, result.status) == (200 * n, 1)
    none = {"maxiter": None}
    result = optimize.minimize(lambda x: (x.sum(), np.ones_like(x)), [0.0], jac=True, method=adam(), options=none)
    assert result.nit == 200


def test_disp(capsys):
    result = optimize.minimize(rosen, START, jac=True, method=adam(), options={"disp": True, "maxiter": 3})
    assert capsys.readouterr().out.splitlines()[0] == result.message


@pytest.mark.parametrize(
    "given, category, said",
    [
        ({"hess": optimize.rosen_hess}, RuntimeWarning, r"Method Adam does not use Hessian information \(hess\)"),
        ({"hessp": optimize.rosen_hess_prod}, RuntimeWarning, r"Method Adam does not use Hessian-vector product"),
        ({"options": {"maxcor": 3, "maxls": 4}}, optimize.OptimizeWarning, r"Unknown solver options: maxcor, maxls"),
    ],
)
def test_what_is_not_used_is_warned_of(given, category, said):
    with pytest.warns(category, match=said) as caught:
        optimize.minimize(rosen, START, jac=True, method=adam(), **given)
    assert [w.filename for w in caught] == [__file__]
    own = "BFGS" if "options" in given else "L-BFGS-B"
    options = {"options": {"nonsense": 1}} if "options" in given else given
    with pytest.warns(category):
        optimize.minimize(rosen, START, jac=True, method=own, **options)


def test_parameters_that_scipy_may_pass_one_day():
    assert adam()(*(optimize.rosen, START, ()), jac=optimize.rosen_der, maxiter=2, something_new=None).nit == 2


@pytest.mark.parametrize(
    "constraints, named",
    [
        (optimize.LinearConstraint(np.eye(2), 0, 1), "LinearConstraint"),
        ([optimize.NonlinearConstraint(lambda x: x[0], 0, 1)], "NonlinearConstraint"),
        ({"type": "eq", "fun": lambda x: x[0]}, "'eq'"),
        (({"type": "ineq", "fun": lambda x: x[0]}, {"type": "eq", "fun": lambda x: x[0]}), "'eq', 'ineq'"),
    ],
)
def test_constraints_are_refused_by_name(constraints, named):
    with pytest.raises(ValueError, match=rf"Adam cannot keep constraints \({named}\), only bounds=; .*'SLSQP'"):
        optimize.minimize(rosen, START, jac=True, method=adam(), constraints=constraints)


@pytest.mark.parametrize("constraints", [(), [], None])
def test_no_constraints_are_none(constraints):
    options = {"maxiter": 1}
    assert optimize.minimize(rosen, START, jac=True, method=adam(), constraints=constraints, options=options).nit == 1


# The method as an object ---------------------------------------------------------------------------------------------


def test_calls_share_nothing():
    opt = tw.Adam(lr=0.05)
    method = scipy_method(opt)
    first = optimize.minimize(rosen, START, jac=True, method=method, options={"maxiter": 20})
    second = optimize.minimize(rosen, START, jac=True, method=method, options={"maxiter": 20})
    assert first.x_last.tobytes() == second.x_last.tobytes()
    assert (opt.t, first.optimizer.t, second.optimizer.t) == (0, 20, 20)
    assert first.optimizer is not second.optimizer
    assert type(first.optimizer) is tw.Adam


def test_a_schedule_goes_along():
    seen = []
    method = scipy_method(tw.SGD(lr=lambda t: seen.append(t) or 0.001 / t))
    seen.clear()
    optimize.minimize(rosen, START, jac=True, method=method, options={"maxiter": 3})
    assert {1, 2, 3} <= set(seen)


def test_basin_hopping():
    """A global search of SciPy's that calls the method again and again."""

    def waves(x):
        return float(x[0] ** 2 + 10 * np.sin(3 * x[0])), 2 * x + 30 * np.cos(3 * x)

    # lr is below 2 / 92, the largest second derivative: plain descent ends in the valley in which it starts.
    local = {"method": scipy_method(tw.SGD(lr=0.01)), "jac": True}
    result = optimize.basinhopping(waves, [4.0], niter=30, stepsize=2.0, rng=1, minimizer_kwargs=local)
    grid = np.linspace(-5, 5, 200_001)
    assert result.success
    assert result.x[0] == pytest.approx(grid[np.argmin(grid**2 + 10 * np.sin(3 * grid))], abs=1e-4)


def test_what_it_shows():
    assert repr(scipy_method(tw.SGD(lr=0.1))) == f"scipy_method({tw.SGD(lr=0.1)!r})"


def test_it_can_be_pickled():
    method = pickle.loads(pickle.dumps(adam()))
    assert repr(method) == repr(adam())
    results = [optimize.minimize(rosen, START, jac=True, method=m, options={"maxiter": 9}) for m in (method, adam())]
    assert results[0].x_last.tobytes() == results[1].x_last.tobytes()


def test_it_is_made_of_an_optimizer():
    with pytest.raises(TypeError, match=r"scipy_method works with an optimizer.*Adam\(\.\.\.\) makes one"):
        scipy_method(tw.Adam)

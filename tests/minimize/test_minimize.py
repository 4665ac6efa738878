"""minimize: the optimizer's own steps, the best point seen, and how runs end."""

from __future__ import annotations

import math

import numpy as np
import pytest

import thalweg as tw
from tests.minimize.functions import SCALES, bowl, values_in_turn
from thalweg.minimization import minimize

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")


def rosen(x):
    return optimize.rosen(x), optimize.rosen_der(x)


# The steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in tw.RULES if not tw.RULES[name].facts.matrix])
def test_the_steps_are_those_of_update(name):
    rate = {"lr": 0.05} if "lr" in tw.RULES[name].defaults else {}
    opt, twin, x = tw.Optimizer(name, **rate), tw.Optimizer(name, **rate), np.array([-1.2, 1.0])
    result = minimize(bowl, x, opt, steps=7)
    for _ in range(7):
        value, gradient = bowl(x)
        twin.update({"x": x}, {"x": gradient}, value=value)
    assert result.x_last.tobytes() == x.tobytes()
    assert result.optimizer is opt
    assert opt.t == 7
    assert {k: np.asarray(s).tobytes() for k, s in opt.state["x"].items()} == {
        k: np.asarray(s).tobytes() for k, s in twin.state["x"].items()
    }


def test_gradient_descent_on_a_quadratic_is_its_closed_form():
    """x after k steps is (1 - lr * a)^k x0; each step rounds three times, so k steps are within 3k units of 2^-53."""
    result = minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), steps=30, gtol=None)
    exact = (1 - 0.1 * SCALES) ** 30 * np.array([2.0, -1.0])
    np.testing.assert_allclose(result.x, exact, rtol=100 * 2.0**-52, atol=0)
    assert (result.nit, result.nfev, result.njev, result.status, result.success) == (30, 31, 31, 1, False)


def test_rosenbrock_with_adam():
    result = minimize(rosen, [-1.2, 1.0], tw.Adam(lr=0.05), steps=5000)
    assert result.success
    assert np.max(np.abs(result.jac)) <= 1e-5
    # The smallest eigenvalue of the Hessian at (1, 1) is 0.399: a gradient of at most 1e-5 * sqrt(2) is this near.
    assert np.linalg.norm(result.x - 1) <= 1e-5 * math.sqrt(2) / 0.399 * 1.01
    assert result.fun == optimize.rosen(result.x)


def test_a_badly_scaled_function():
    """Scales from 1 to 1e8: one rate for all of them would have to be under 2e-8; Adam does not see the scale."""
    a = 10.0 ** np.arange(0, 9, 2)
    result = minimize(lambda x: (0.5 * np.sum(a * x**2), a * x), np.ones(5), tw.Adam(lr=0.1), steps=400, gtol=None)
    assert np.max(np.abs(result.x_last)) < 1e-3


def test_an_optimizer_goes_on_where_it_stands():
    whole = minimize(bowl, [2.0, -1.0], tw.Adam(lr=0.1), steps=10)
    opt = tw.Adam(lr=0.1)
    half = minimize(bowl, [2.0, -1.0], opt, steps=4)
    rest = minimize(bowl, half.x_last, opt, steps=6)
    assert rest.x_last.tobytes() == whole.x_last.tobytes()
    assert (opt.t, rest.nit) == (10, 6)
    assert minimize(bowl, half.x_last, tw.Adam(lr=0.1), steps=6).x_last.tobytes() != whole.x_last.tobytes()


def test_a_rule_that_needs_the_loss_gets_it():
    rule = tw.rule("def polyak(w, g, *, value, lr=1.0):\n    w = w - lr * value * g\n    return w")
    result = minimize(bowl, [0.5, 0.25], tw.Optimizer(rule, lr=0.5), steps=1)
    value, gradient = bowl(np.array([0.5, 0.25]))
    np.testing.assert_allclose(result.x_last, np.array([0.5, 0.25]) - 0.5 * value * gradient, rtol=1e-15)


def test_a_chain_that_asks_for_a_second_point():
    """By hand, Foret et al. 2021, eq. (2) and (3): the gradient at x + rho * g / |g|."""
    seen, x = [], np.array([2.0, -1.0])

    def fun(x):
        seen.append(x.tolist())
        return bowl(x)

    result = minimize(fun, x, tw.chain(tw.sam(rho=0.5), tw.SGD(lr=0.1)), steps=3)
    for _ in range(3):
        gradient = bowl(x)[1]
        x = x - 0.1 * bowl(x + 0.5 * gradient / np.linalg.norm(gradient))[1]
    np.testing.assert_allclose(result.x_last, x, rtol=1e-14)
    assert (result.nfev, result.njev, result.nit) == (len(seen), len(seen), 3) == (7, 7, 3)


def test_no_steps_at_all():
    result = minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), steps=0)
    assert (result.nit, result.nfev, result.fun, result.status) == (0, 1, 3.5, 1)
    assert result.x.tolist() == [2.0, -1.0]


# The best point seen -------------------------------------------------------------------------------------------------


def test_the_best_point_of_a_noisy_function():
    rng, seen = np.random.default_rng(3), []

    def noisy(x):
        value, gradient = bowl(x)
        noise = rng.normal(size=3)
        seen.append((value + noise[0], x.copy(), gradient + noise[1:]))
        return seen[-1][0], seen[-1][2]

    result = minimize(noisy, [2.0, -1.0], tw.Momentum(lr=0.05), steps=100)
    value, x, gradient = min(seen, key=lambda one: one[0])
    assert (result.fun, result.x.tolist(), result.jac.tolist()) == (value, x.tolist(), gradient.tolist())
    assert result.fun < result.fun_last == seen[-1][0]
    assert result.x_last.tolist() == seen[-1][1].tolist()
    best = next(k for k, one in enumerate(seen) if one[0] == value)
    assert result.message == (
        f"Maximum number of iterations has been reached: 100. The best point seen is that of step {best}."
    )


def test_of_equal_values_the_first_is_the_best():
    result = minimize(values_in_turn([2.0, 1.0, 1.0, 1.0]), [5.0], tw.SGD(lr=1.0), steps=3)
    assert (result.x.tolist(), result.x_last.tolist()) == ([4.0], [2.0])


def test_a_run_that_diverges_keeps_its_best_point():
    """By hand: the factors of the two elements are 1 - 0.7 = 0.3 and 1 - 2.1 = -1.1; a = 3 grows without an end."""
    with np.errstate(over="ignore"):
        result = minimize(bowl, [1.0, 0.01], tw.SGD(lr=0.7), steps=10_000)
    assert (result.success, result.status) == (False, 3)
    assert 0 < result.fun < 0.01
    assert result.fun == bowl(result.x)[0]
    assert result.fun_last == math.inf
    assert f"After step {result.nit} the value is inf." in result.message


# Numbers that are not finite -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_ends_the_run(bad):
    result = minimize(values_in_turn([3.0, 1.0, 2.0, bad]), [5.0], tw.SGD(lr=1.0))
    assert (result.success, result.status, result.nit, result.nfev) == (False, 3, 3, 4)
    assert (result.fun, result.x.tolist(), result.x_last.tolist()) == (1.0, [4.0], [2.0])
    assert f"After step 3 the value is {bad}." in result.message
    assert "that of step 1" in result.message


def test_a_start_without_a_value():
    result = minimize(values_in_turn([math.nan]), [5.0], tw.SGD(lr=1.0))
    assert (result.success, result.status, result.nit, result.x.tolist()) == (False, 3, 0, [5.0])
    assert result.message == "At x0 the value is nan; start where the function is finite."


def test_a_gradient_that_is_not_finite_ends_the_run():
    def hole(x):
        return float(x[0]), np.where(x < 3, np.nan, np.ones_like(x))

    opt = tw.SGD(lr=1.0)
    result = minimize(hole, [4.5, 9.0], opt)
    assert (result.success, result.status, result.nit, opt.t) == (False, 3, 2, 2)
    assert result.message.startswith("Step 3 could not be taken: the gradient of 'x' is nan at [0]")
    assert result.fun == 2.5  # a value is a value, whatever its gradient


def test_steps_that_the_optimizer_leaves_out_count():
    gradients = iter([1.0, math.nan, 1.0])
    opt = tw.SGD(lr=1.0, nonfinite="skip")
    result = minimize(lambda x: (float(x), np.array(next(gradients))), 5.0, opt, steps=2)
    assert (result.nit, opt.t, opt.skipped, float(result.x_last)) == (2, 1, 1, 4.0)


def test_x_that_is_not_finite_ends_the_run_without_a_call():
    opt = tw.SGD(lr=1e200, nonfinite="allow")
    with np.errstate(over="ignore"):
        result = minimize(lambda x: (float(np.tanh(x[1])), np.array([0.0, -1e200])), [1.0, 2.0], opt)
    assert (result.status, result.nit, result.nfev, result.x.tolist()) == (3, 1, 1, [1.0, 2.0])
    assert "After step 1 x[1] is inf." in result.message
    assert math.isnan(result.fun_last)


def test_a_number_that_cannot_be_computed_ends_the_run():
    rule = tw.rule("def shrinking(w, g, *, t, lr=0.1):\n    w = w - lr / (3 - t) * g\n    return w")
    result = minimize(bowl, [1.0, 1.0], tw.Optimizer(rule))
    assert (result.success, result.status, result.nit) == (False, 3, 2)
    assert "Step 3 could not be taken" in result.message
    assert "shrinking" in result.message


# When a run is over --------------------------------------------------------------------------------------------------


def test_gtol_is_the_largest_element_of_the_gradient():
    slopes = [(4.0, -5.0), (0.1, -0.51), (0.2, 0.5), (0.0, 0.0)]
    rest = iter(slopes)
    result = minimize(lambda x: (1.0, np.array(next(rest))), [0.0, 0.0], tw.SGD(lr=1.0), gtol=0.5)
    assert (result.success, result.status, result.nit) == (True, 0, 2)
    assert result.message.startswith(
        "Optimization terminated successfully: the gradient is within gtol = 0.5. The best point seen is that of step 0"
    )


def test_a_start_that_is_a_minimum_takes_no_step():
    result = minimize(bowl, [0.0, 0.0], tw.SGD(lr=0.1))
    assert (result.success, result.nit, result.nfev) == (True, 0, 1)
    assert minimize(bowl, [0.0, 0.0], tw.SGD(lr=0.1), gtol=None, steps=5).nit == 5


@pytest.mark.parametrize(
    "values, ftol, expected",
    [
        # The lowest so far: 9 8 8 5 4.9 4.5 0. Gained by the last three of 3, 4, 5 and 6 steps: 4, 3.1, 3.5, 5.
        ([9, 8, 12, 5, 4.9, 4.5, 0], 0.85, 3),  # 4 <= 0.85 * 5
        ([9, 8, 12, 5, 4.9, 4.5, 0], 0.7, 4),  # 4 > 0.7 * 5, 3.1 <= 0.7 * 4.9
        ([9, 8, 12, 5, 4.9, 4.5, 0], 0.6, None),  # 3.1 > 0.6 * 4.9, 3.5 > 0.6 * 4.5, 5 > 0.6 * 1
        ([-9, -8, -12, -12, -12.5], 0.3, 3),  # 3 <= 0.3 * 12: the size of the lowest value, not its sign
        ([5, 4, 4, 9, 1], 0.1, None),  # the last value is above the lowest: 1 was gained, not -4
        ([9, 8, 7, 6, 5, 4, 0], 0.0, None),
        ([1, 1, 1, 1, 0.5], 0.0, 3),
        ([1.0, 0.9, 0.9, 0.6, 0.6, 0.0], 0.39, 4),  # below 1 the gain is compared as it is: 0.4, then 0.3
    ],
)
def test_ftol_is_what_a_number_of_steps_gained(values, ftol, expected):
    steps = len(values) - 1
    result = minimize(values_in_turn(values), [0.0], tw.SGD(lr=1.0), steps=steps, ftol=ftol, ftol_steps=3)
    assert (result.success, result.nit) == ((False, steps) if expected is None else (True, expected))
    assert ("within ftol" in result.message) == result.success


def test_tolerances_end_real_runs():
    loose = minimize(rosen, [-1.2, 1.0], tw.Adam(lr=0.05), steps=5000, ftol=1e-8)
    tight = minimize(rosen, [-1.2, 1.0], tw.Adam(lr=0.05), steps=5000)
    assert loose.success
    assert 50 < loose.nit < tight.nit

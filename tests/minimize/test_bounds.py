"""Bounds: every form that SciPy accepts, steps that end inside, and the gradient that counts there."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

import thalweg as tw
from thalweg.minimization import minimize, scipy_method

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")
Bounds = optimize.Bounds


def bowl(x):
    """Half of the squared distance from (1, 2)."""
    target = np.array([1.0, 2.0], x.dtype).reshape(x.shape)
    return float(0.5 * np.sum((x - target) ** 2)), x - target


BOTH = [
    [(-1, 0.5), (None, 1.5)],
    ((-1, 0.5), (-np.inf, 1.5)),
    np.array([[-1, 0.5], [-np.inf, 1.5]]),
    zip([-1, None], [0.5, 1.5], strict=True),
    Bounds([-1, -np.inf], [0.5, 1.5]),
    Bounds(ub=[0.5, 1.5]),
    Bounds(-1, [0.5, 1.5]),
]


@pytest.mark.parametrize("bounds", BOTH, ids=range(len(BOTH)))
def test_every_form_of_bounds(bounds):
    seen = []
    result = minimize(bowl, [0.0, 0.0], tw.SGD(lr=0.5), bounds=bounds, callback=seen.append)
    assert result.success
    assert result.x.tolist() == [0.5, 1.5]
    # By hand: the steps go to (0.5, 1), then to (0.5, 1.5), where the bounds hold both.
    assert [x.tolist() for x in seen] == [[0.5, 1.0], [0.5, 1.5]]


def test_each_step_is_an_update_and_a_clip():
    opt, twin, x = tw.Momentum(lr=0.3), tw.Momentum(lr=0.3), np.array([0.0, 0.0])
    result = minimize(bowl, x, opt, steps=6, gtol=None, bounds=[(-0.1, 0.7), (0, 2.1)])
    for _ in range(6):
        twin.update({"x": x}, {"x": bowl(x)[1]})
        x = np.clip(x, [-0.1, 0.0], [0.7, 2.1])
    assert result.x_last.tolist() == x.tolist()
    assert opt.state["x"]["v"].tolist() == twin.state["x"]["v"].tolist()


def test_the_same_minimum_as_l_bfgs_b():
    def rosen(x):
        return optimize.rosen(x), optimize.rosen_der(x)

    bounds = [(-2, 0.5), (None, 0.1)]
    theirs = optimize.minimize(rosen, [-1.0, 0.0], jac=True, method="L-BFGS-B", bounds=bounds)
    method = scipy_method(tw.Adam(lr=0.02))
    ours = optimize.minimize(rosen, [-1.0, 0.0], jac=True, method=method, bounds=bounds, options={"maxiter": 5000})
    assert theirs.success
    assert ours.success
    assert ours.x[1] == theirs.x[1] == 0.1
    # Along the bound the second derivative is 1200 x^2 - 40 + 2 = 94 at x = 0.3317; both gradients are within 1e-5.
    assert ours.x[0] == pytest.approx(theirs.x[0], abs=2.1e-5 / 94)


def test_an_element_held_by_a_bound_counts_as_far_as_it_can_move():
    def slope(x):
        return float(-3 * x), np.array(-3.0)

    bounds = Bounds(0, 1)
    assert minimize(slope, 1.0, tw.SGD(lr=0.1), bounds=bounds).nit == 0
    near = minimize(slope, 0.9, tw.SGD(lr=0.0), bounds=bounds, gtol=0.11, steps=1)
    far = minimize(slope, 0.9, tw.SGD(lr=0.0), bounds=bounds, gtol=0.09, steps=1)
    assert (near.nit, far.nit) == (0, 1)
    away = minimize(lambda x: (float(3 * x), np.array(3.0)), 1.0, tw.SGD(lr=0.0), bounds=bounds, gtol=0.9, steps=1)
    assert (away.nit, away.success) == (1, False)  # this one leads inside, by a whole 1
    assert float(near.jac) == -3.0  # jac is the gradient, whatever the bounds


def test_bounds_of_arrays_with_axes():
    x0 = np.zeros((2, 1), np.float32)
    for bounds in (Bounds([[-1.0], [-1.0]], [[0.5], [1.5]]), Bounds(-1, [[0.5], [1.5]]), [(-1, 0.5), (-1, 1.5)]):
        result = minimize(bowl, x0, tw.SGD(lr=0.5), bounds=bounds)
        assert result.x.tolist() == [[0.5], [1.5]]
        assert result.x.dtype == np.float32


def test_bounds_of_a_number():
    for bounds in (Bounds(0, 1), [(0, 1)], [(None, 1)]):
        result = minimize(lambda x: (-float(x), np.array(-1.0)), 0.25, tw.SGD(lr=10.0), bounds=bounds)
        assert (result.nit, float(result.x)) == (1, 1.0)


def test_bounds_beyond_float32_are_none():
    result = minimize(bowl, np.zeros(2, np.float32), tw.SGD(lr=1.0), bounds=Bounds(-1e300, 1e300))
    assert result.x.tolist() == [1.0, 2.0]


def test_bounds_may_be_too_far_apart_for_a_float():
    result = minimize(lambda x: (1.0, np.array(0.5)), 1e308, tw.SGD(lr=1.0), bounds=Bounds(-1e308, 1e308), gtol=0.5)
    assert (result.success, result.nit) == (True, 0)


def test_a_fixed_element_stays():
    result = minimize(bowl, [0.0, 0.0], tw.Adam(lr=0.1), bounds=[(0, 0), (None, None)], steps=2000)
    assert result.success
    assert result.x[0] == 0.0
    assert result.x[1] == pytest.approx(2.0, abs=1e-5)


def test_a_start_outside_is_clipped_with_a_warning():
    x0, seen = np.array([5.0, 0.0]), []

    def fun(x):
        seen.append(x.tolist())
        return bowl(x)

    def both():
        yield lambda: minimize(fun, x0, tw.SGD(lr=0.5), bounds=Bounds(-1, 0.5))
        yield lambda: optimize.minimize(fun, x0, jac=True, method=scipy_method(tw.SGD(lr=0.5)), bounds=[(-1, 0.5)] * 2)

    for call in both():
        seen.clear()
        with pytest.warns(optimize.OptimizeWarning, match="x0 is not within the bounds") as caught:
            call()
        assert seen[0] == [0.5, 0.0]
        assert x0.tolist() == [5.0, 0.0]
        assert [w.filename for w in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        minimize(fun, [0.5, -1.0], tw.SGD(lr=0.5), bounds=Bounds(-1, 0.5))


@pytest.mark.parametrize(
    "bounds, error, said",
    [
        (3, TypeError, r"bounds = 3; give scipy\.optimize\.Bounds\(low, high\), or a \(low, high\) pair"),
        ((0, 1), TypeError, r"bounds = \(0, 1\); give"),
        ([(0, 1, 2), (0, 1, 2)], TypeError, r"give scipy\.optimize\.Bounds"),
        ([("a", 1), (0, 1)], TypeError, r"give scipy\.optimize\.Bounds"),
        ([(0, [1, 2]), (0, 1)], TypeError, r"give scipy\.optimize\.Bounds"),
        ([], ValueError, r"bounds has 0 pairs and x has 2 elements"),
        ([(0, 1)], ValueError, r"bounds has 1 pairs and x has 2 elements"),
        ([(0, 1)] * 3, ValueError, r"bounds has 3 pairs and x has 2 elements"),
        (Bounds([0, 0, 0], 1), ValueError, r"bounds of shapes \(3,\) and \(3,\) do not go with x of shape \(2,\)"),
        ([(0, 1), (2, 1)], ValueError, r"the bounds of x\[1\] are 2\.0 and 1\.0; the first is at most the second"),
        ([(0, 1), (math.nan, 1)], ValueError, r"the bounds of x\[1\] are nan and 1\.0"),
        (Bounds(0, [1, math.nan]), ValueError, r"the bounds of x\[1\] are 0\.0 and nan"),
        (Bounds(1, 0), ValueError, r"the bounds of x\[0\] are 1\.0 and 0\.0"),
    ],
)
def test_bounds_are_checked(bounds, error, said):
    with pytest.raises(error, match=said):
        minimize(bowl, [0.0, 0.0], tw.SGD(lr=0.1), bounds=bounds)
    with pytest.raises(error, match=said):
        optimize.minimize(bowl, [0.0, 0.0], jac=True, method=scipy_method(tw.SGD(lr=0.1)), bounds=bounds)

"""minimize: the callback, what goes in, what fun returns, and what comes out."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

import thalweg as tw
from tests.minimize.functions import bowl, values_in_turn
from thalweg.minimization import minimize

optimize = pytest.importorskip("scipy.optimize", reason="SciPy is not installed")


# The callback --------------------------------------------------------------------------------------------------------


def test_the_callback_sees_every_step():
    seen, results = [], []

    def by_name(*, intermediate_result):
        results.append(intermediate_result)

    last = minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), steps=3, callback=seen.append)
    minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), 3, by_name)
    assert len(seen) == 3
    assert seen[-1].tolist() == last.x_last.tolist()
    assert [r.x.tolist() for r in results] == [x.tolist() for x in seen]
    assert [r.nit for r in results] == [1, 2, 3]
    assert all(type(r) is optimize.OptimizeResult and r.fun == bowl(r.x)[0] for r in results)
    assert all(r.jac.tolist() == bowl(r.x)[1].tolist() for r in results)


def stop(x):
    raise StopIteration


@pytest.mark.parametrize(
    "callback, said",
    [(stop, "raised `StopIteration`"), (lambda x: True, "returned True"), (lambda x: np.True_, "returned True")],
)
def test_the_callback_can_end_the_run(callback, said):
    result = minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), callback=callback)
    assert (result.nit, result.success, result.status, result.message) == (1, False, 99, f"`callback` {said}.")


@pytest.mark.parametrize("answer", [None, False, 1, "yes", [0]])
def test_other_answers_of_the_callback_do_not_end_the_run(answer):
    assert minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), steps=3, callback=lambda x: answer).nit == 3


def test_a_number_that_is_not_finite_is_told_before_the_callback_is_heard():
    result = minimize(values_in_turn([1.0, math.nan]), [0.0], tw.SGD(lr=1.0), callback=stop)
    assert (result.nit, result.status) == (1, 3)


def test_errors_of_fun_and_callback_are_their_own():
    def failing(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        minimize(failing, 1.0, tw.SGD(lr=0.1))
    with pytest.raises(KeyError, match="mine"):
        minimize(bowl, [1.0, 1.0], tw.SGD(lr=0.1), callback=failing)


def test_a_callback_without_a_signature():
    """Some classes have none that Python can read: `dict` is one in every Python so far."""
    with pytest.raises(ValueError, match="no signature"):
        __import__("inspect").signature(dict)
    result = minimize(lambda x: (1.0, np.ones((1, 2))), np.zeros((1, 2)), tw.SGD(lr=1.0), steps=2, callback=dict)
    assert result.nit == 2


# What goes in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x0, shape, dtype",
    [
        (2, (), np.float64),
        (2.5, (), np.float64),
        (np.float32(2.5), (), np.float32),
        ([2, -1], (2,), np.float64),
        (np.array([2, -1], np.int8), (2,), np.float64),
        (np.array([2.0, -1.0], np.float16), (2,), np.float64),
        (np.array([2.0, -1.0], np.longdouble), (2,), np.float64),
        (np.array([2.0, -1.0], ">f8"), (2,), np.float64),
        (np.array([[2.0], [-1.0]], np.float32), (2, 1), np.float32),
        (np.ones((2, 3, 4))[:, ::-1, ::2], (2, 3, 2), np.float64),
        (np.zeros((0, 3)), (0, 3), np.float64),
    ],
)
def test_x0_of_every_kind(x0, shape, dtype):
    seen = []

    def fun(x):
        seen.append((x.shape, x.dtype, x.dtype.isnative))
        return np.sum(x**2), 2 * x

    kept = np.array(x0)
    result = minimize(fun, x0, tw.SGD(lr=0.1), steps=3)
    assert set(seen) == {(shape, np.dtype(dtype), True)}
    assert (result.x.shape, result.x.dtype, result.x_last.dtype) == (shape, dtype, dtype)
    # Each step multiplies by 0.8; four roundings a step, three steps.
    np.testing.assert_allclose(result.x, kept.astype(dtype) * 0.8**3, rtol=12 * np.finfo(dtype).eps)
    assert np.array_equal(kept, x0)


def test_x0_is_not_written_to():
    x0 = np.array([2.0, -1.0])
    x0.flags.writeable = False
    assert minimize(bowl, x0, tw.SGD(lr=0.1), steps=3).nit == 3


def test_fun_and_callback_may_do_what_they_like_with_their_arrays():
    buffer = np.empty(2)

    def fun(x):
        value, buffer[:] = bowl(x)
        x[:] = 99.0
        return value, buffer

    def callback(*, intermediate_result):
        intermediate_result.x[:] = intermediate_result.jac[:] = 77.0

    # One element shrinks by 0.3 a step and the other grows by 1.1: the best point is neither the first nor the last.
    result = minimize(fun, [1.0, 0.01], tw.SGD(lr=0.7), steps=10, callback=callback)
    clean = minimize(bowl, [1.0, 0.01], tw.SGD(lr=0.7), steps=10)
    assert "that of step 4" in clean.message
    assert result.x.tolist() == clean.x.tolist()
    assert result.jac.tolist() == clean.jac.tolist()


def test_the_gradient_may_be_x_itself():
    result = minimize(lambda x: (0.5 * x @ x, x), [1.0, 2.0], tw.SGD(lr=0.5), steps=2)
    assert result.x.tolist() == [0.25, 0.5]


@pytest.mark.parametrize("gradient", [[2, -3], (2.0, -3.0), np.array([2, -3], np.int8), np.array([2, -3], np.float32)])
def test_gradients_of_every_kind(gradient):
    result = minimize(lambda x: (np.array([1.0]), gradient), [0.0, 0.0], tw.SGD(lr=0.5), steps=1)
    assert result.x_last.tolist() == [-1.0, 1.5]
    assert type(result.fun) is float


@pytest.mark.parametrize(
    "returned, error, said",
    [
        (1.0, TypeError, r"fun returns \(value, gradient\), and it returned an object of type float"),
        (np.ones(2), TypeError, r"it returned an object of type ndarray"),
        ((1.0, np.ones(2), 3.0), TypeError, r"it returned an object of type tuple"),
        ((1.0, np.ones(3)), ValueError, r"the gradient has shape \(3,\) and x has shape \(2,\)"),
        ((1.0, np.ones((2, 1))), ValueError, r"the gradient has shape \(2, 1\)"),
        ((1.0, 1.0), ValueError, r"the gradient has shape \(\)"),
        ((1.0, None), ValueError, r"the gradient has shape \(\)"),
        ((1.0, np.ones(2, complex)), TypeError, r"its dtype is complex128"),
        ((1.0, ["a", "b"]), TypeError, r"its dtype is <U1"),
        ((np.ones(2), np.ones(2)), TypeError, r"one real number, and it is float64 of shape \(2,\)"),
        ((1j, np.ones(2)), TypeError, r"one real number, and it is complex128"),
        ((None, np.ones(2)), TypeError, r"one real number, and it is object"),
    ],
)
def test_what_fun_returns_is_checked(returned, error, said):
    with pytest.raises(error, match=said):
        minimize(lambda x: returned, [1.0, 2.0], tw.SGD(lr=0.1))


@pytest.mark.parametrize(
    "x0, error, said",
    [
        ([1j], TypeError, r"dtype is complex128"),
        (["a"], TypeError, r"dtype is <U1"),
        ([True], TypeError, r"dtype is bool"),
        ([None], TypeError, r"dtype is object"),
        ([1.0, math.nan], ValueError, r"x0 holds a NaN or an infinity"),
        (math.inf, ValueError, r"x0 holds a NaN or an infinity"),
    ],
)
def test_x0_is_checked(x0, error, said):
    with pytest.raises(error, match=said):
        minimize(bowl, x0, tw.SGD(lr=0.1))


@pytest.mark.parametrize(
    "given, error, said",
    [
        ({"opt": tw.SGD}, TypeError, r"minimize works with an optimizer.*SGD\(\.\.\.\) makes one"),
        ({"opt": "adam"}, TypeError, r"minimize works with an optimizer.*'adam' is none"),
        ({"steps": -1}, ValueError, r"steps = -1; it is a whole number, 0 or more"),
        ({"steps": 2.0}, ValueError, r"steps = 2\.0"),
        ({"steps": True}, ValueError, r"steps = True"),
        ({"gtol": -1e-5}, ValueError, r"gtol = -1e-05; it is a number, 0 or more, or None"),
        ({"gtol": math.nan}, ValueError, r"gtol = nan"),
        ({"ftol": "1e-3"}, ValueError, r"ftol = '1e-3'"),
        ({"ftol": True}, ValueError, r"ftol = True"),
        ({"ftol_steps": 0}, ValueError, r"ftol_steps = 0; it is a whole number, 1 or more"),
        ({"callback": 3}, TypeError, r"callback = 3"),
    ],
)
def test_arguments_are_checked_before_fun_is_called(given, error, said):
    def never(x):
        raise AssertionError

    with pytest.raises(error, match=said):
        minimize(**{"fun": never, "x0": [1.0], "opt": tw.SGD(lr=0.1)} | given)


# What comes out ------------------------------------------------------------------------------------------------------


def test_the_result_is_scipys_own_and_prints():
    result = minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), steps=2)
    assert type(result) is optimize.OptimizeResult
    assert "optimizer: SGD(lr=0.1" in repr(result)
    assert result["nit"] == result.nit == 2


def test_disp_prints_what_scipys_methods_print(capsys):
    minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), steps=2)
    assert capsys.readouterr().out == ""
    optimize.minimize(bowl, [2.0, -1.0], jac=True, method="BFGS", options={"disp": True})
    theirs = [line.split(":")[0] for line in capsys.readouterr().out.splitlines()[1:]]
    result = minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1), steps=2, disp=True)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == result.message
    assert [line.split(":")[0] for line in lines] == theirs
    assert [float(line.split(":")[1]) for line in lines] == pytest.approx([result.fun, 2, 3, 3], abs=1e-6)


def test_without_scipy_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match=r"SciPy cannot be imported; install it with pip install scipy"):
        minimize(bowl, [2.0, -1.0], tw.SGD(lr=0.1))


def test_importing_it_does_not_import_scipy():
    code = "import sys, thalweg.minimization; assert not [m for m in sys.modules if m.split('.')[0] == 'scipy']"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

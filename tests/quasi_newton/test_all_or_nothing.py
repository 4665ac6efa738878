"""Whatever is raised in a call, not a bit of parameters and state has changed, and the next calls are as without it."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading

import numpy as np
import pytest

import thalweg as tw
from tests.processes.instructions import Interrupted, some_instructions
from tests.quasi_newton.functions import PROBLEMS, Counted, bits, picture, run

F, START, _ = PROBLEMS["rosenbrock in 10"]
ARGUMENTS = {"wolfe": dict(max_iter=5), "fixed": dict(max_iter=5, max_eval=9, line_search=None, lr=0.1)}


class BrokenError(Exception):
    """Raised by the caller's own code."""


def raising(kind):
    def spoil(value, grads):
        raise kind

    return spoil


def with_gradient(change):
    return lambda value, grads: (value, {"w": change(grads["w"])})


def put(place, number):
    def change(g):
        g[place] = number
        return g

    return change


FAULTS = {
    "an error": (raising(BrokenError), BrokenError, None),
    "Ctrl-C": (raising(KeyboardInterrupt), KeyboardInterrupt, None),
    "a value that is NaN": (lambda value, grads: (np.nan, grads), tw.NonFiniteError, "the value is nan"),
    "a value that is infinite": (lambda value, grads: (np.inf, grads), tw.NonFiniteError, "the value is inf"),
    "a gradient with a NaN": (
        with_gradient(put(3, np.nan)), tw.NonFiniteError, r"the gradient of 'w' is nan at \[3\]"
    ),
    "a gradient with an infinity": (
        with_gradient(put(9, -np.inf)), tw.NonFiniteError, r"the gradient of 'w' is -inf at \[9\]"
    ),
    "a gradient beyond float64": (
        with_gradient(lambda g: np.full(10, np.longdouble(10) ** 400)), tw.NonFiniteError, "too large for float64"
    ),
    "another shape": (with_gradient(lambda g: g[:9]), ValueError, r"'w' has shape \(9,\)"),
    "another dtype": (with_gradient(lambda g: g.astype(int)), TypeError, "'w' has dtype int64"),
    "a list": (with_gradient(list), TypeError, "'w' is a list"),
    "no gradient": (lambda value, grads: (value, {}), ValueError, "no gradient for 'w'"),
    "another name": (lambda value, grads: (value, {"v": grads["w"]}), ValueError, "no gradient for 'w'.*'v'"),
    "no gradients": (lambda value, grads: (value, None), TypeError, "grads is a dict"),
    "no pair": (lambda value, grads: value, TypeError, r"a closure returns \(value, grads\).*float"),
    "a value that is an array": (lambda value, grads: (np.ones(2), grads), TypeError, r"of type ndarray.*float\("),
    "a value that is a bool": (lambda value, grads: (True, grads), TypeError, "of type bool"),
}  # fmt: skip
# Evaluations of the second call: the first, and two in line searches. In each an iteration has begun.
PLACES = [1, 2, 5]


@functools.cache
def expected(name, calls):
    return picture(*run(F, START, calls, **ARGUMENTS[name])[:2])


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_changes_nothing(fault, place, name):
    spoil, kind, message = FAULTS[fault]
    opt, params, _ = run(F, START, 1, **ARGUMENTS[name])
    array = params["w"]
    with pytest.raises(kind, match=message) as caught:
        opt.update(params, closure=Counted(F, {place: spoil}))
    assert picture(opt, params) == expected(name, 1)
    assert params["w"] is array
    if kind is tw.NonFiniteError:
        assert "nothing has changed" in str(caught.value)
        assert (f"at evaluation {place} of this call" in str(caught.value)) is (place > 1)
    opt.update(params, closure=Counted(F))
    assert picture(opt, params) == expected(name, 2)


def test_a_step_that_leaves_the_numbers():
    params = {"w": np.array([1e308]), "v": np.ones(2)}
    before = bits(params)
    opt = tw.LBFGS(line_search=None)
    closure = lambda p: (0.0, {"w": np.array([-1e308]), "v": np.zeros(2)})  # noqa: E731
    opt.lr = 1e308
    with pytest.raises(tw.NonFiniteError, match=r"takes 'w' to inf at \[0\]; nothing has changed"):
        opt.update(params, closure=closure)
    assert bits(params) == before
    assert opt.t == 0


def test_python_numbers_are_back_too():
    params, calls = {"x": 3.0, "deep": [np.float32(2), 5]}, []

    def closure(p):
        calls.append((p["x"], *p["deep"]))
        if len(calls) == 3:
            raise BrokenError
        return p["x"] ** 4 + p["deep"][0] ** 2, {"x": 4 * p["x"] ** 3, "deep": [2 * p["deep"][0], 0.0]}

    before = bits(params)
    with pytest.raises(BrokenError):
        tw.LBFGS().update(params, closure=closure)
    assert len({x for x, _, _ in calls}) == 3
    assert bits(params) == before


INTERRUPTED = pytest.mark.skipif(
    threading.current_thread() is not threading.main_thread()
    or signal.getsignal(signal.SIGINT) is not signal.default_int_handler,
    reason="Python interrupts the main thread alone, and not where the shell has said to ignore it",
)


@INTERRUPTED
@pytest.mark.parametrize("calls", [0, 1])
def test_an_interrupt_at_any_instruction(calls):
    """The call has been made or not, and the next one works."""
    f, start, _ = PROBLEMS["rosenbrock in 2"]
    make = functools.partial(run, f, start, max_iter=2)
    pictures = [picture(*make(calls + k)[:2]) for k in range(3)]

    def update(opt, params):
        return functools.partial(opt.update, params, closure=Counted(f))

    seen = [0, 0]
    for place in some_instructions(update(*make(calls)[:2]), at_the_end=30, before=20):
        opt, params, _ = make(calls)
        one = Interrupted(update(opt, params), place)
        if not one.arrived:  # where arrays lie decides about a few instructions of the gate
            continue
        assert one.raised is not None, one.where
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler, one.where
        found = picture(opt, params)
        assert found in pictures[:2], f"torn by an interrupt at {one.where}"
        whole = found == pictures[1]
        seen[whole] += 1
        update(opt, params)()
        assert picture(opt, params) == pictures[whole + 1], one.where
    assert min(seen) > 0


@INTERRUPTED
def test_an_interrupt_while_everything_is_put_back():
    """The function fails, and Ctrl-C comes on top, wherever."""
    f, start, _ = PROBLEMS["rosenbrock in 2"]
    make = functools.partial(run, f, start, max_iter=2)
    before = picture(*make(1)[:2])

    def failing(opt, params):
        def update():
            with contextlib.suppress(BrokenError):
                opt.update(params, closure=Counted(f, {2: raising(BrokenError)}))

        return update

    for place in some_instructions(failing(*make(1)[:2]), at_the_end=30, before=5):
        opt, params, _ = make(1)
        one = Interrupted(failing(opt, params), place)
        assert not one.arrived or isinstance(one.raised, KeyboardInterrupt), one.where
        assert picture(opt, params) == before, one.where


def in_thread(function):
    """Run a function in another thread to its end; return what it raised, or None."""
    caught = []

    def work():
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    return caught[0] if caught else None


def test_one_call_at_a_time():
    opt, params = tw.LBFGS(), {"w": START.copy()}
    acts = {
        "update": lambda: opt.update({"w": START.copy()}, closure=Counted(F)),
        "state_dict": opt.state_dict,
        "load": lambda: opt.load_state_dict(tw.LBFGS().state_dict()),
    }
    refused = []

    def closure(p):
        if not refused:
            refused.extend((name, where(act)) for name, act in acts.items() for where in (in_thread, here))
        return Counted(F)(p)

    def here(act):
        try:
            act()
        except RuntimeError as error:
            return error
        return None

    opt.update(params, closure=closure)
    assert len(refused) == 6
    for name, error in refused:
        assert isinstance(error, RuntimeError), name
        assert "under way" in str(error)
    alone, others, _ = run(F, START, 1)
    assert picture(opt, params) == picture(alone, others)
    assert in_thread(acts["update"]) is None

"""After any error not a bit of parameters, state or numbers has changed, and the next steps are as without it."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import NAMES, RULES, World, differences, some_grads

LAST = NAMES[-1]  # float32, shape (7,)


class BrokenError(Exception):
    """Raised by the caller's own code."""


def put(which, name, value):
    """A fault: another object in the place of one gradient or parameter."""

    def fault(world, grads):
        target = {"grads": grads, "params": dict(world.params)}
        target[which][name] = value(target[which][name]) if callable(value) else value
        return target["params"], target["grads"]

    return fault


def without(name):
    return lambda world, grads: (world.params, {k: g for k, g in grads.items() if k != name})


def renamed(world, grads):
    return world.params, {{LAST: "p1l"}.get(name, name): g for name, g in grads.items()}


def bad_at(position, value):
    def spoil(g):
        g[position] = value
        return g

    return spoil


def read_only(w):
    w = w.copy()
    w.flags.writeable = False
    return w


def schedule(value):
    """A fault: a rate that is a function of t, which goes wrong just now."""

    def fault(world, grads):
        world.opt.lr = value if callable(value) else lambda t: value
        return world.params, grads

    return fault


def interrupted(t):
    raise KeyboardInterrupt


def broken(t):
    raise BrokenError("by the caller")


FAULTS = {
    "no gradient": (without(LAST), ValueError, rf"no gradient for '{LAST}'"),
    "an unexpected gradient": (put("grads", "q", np.ones(3)), ValueError, r"for no parameter: 'q'"),
    "a misspelt name": (renamed, ValueError, rf"no gradient for '{LAST}'.*'p1l' \(for '{LAST}'\?\)"),
    "no gradients": (lambda world, grads: (world.params, None), TypeError, "grads is a dict"),
    "a list of gradients": (lambda world, grads: (world.params, list(grads.values())), TypeError, "type list"),
    "parameters in a set": (lambda world, grads: (set(world.params), grads), TypeError, "params is a dict.*type set"),
    "a name that is a number": (
        lambda world, grads: (world.params | {1: np.ones(2)}, grads | {1: np.ones(2)}),
        TypeError,
        "names of parameters are strings; 1 is of type int",
    ),
    "another shape": (put("grads", LAST, np.ones(8, "f4")), ValueError, rf"'{LAST}' has shape \(8,\).*\(7,\)"),
    "a shape that would broadcast": (put("grads", LAST, np.ones(1, "f4")), ValueError, "nothing is broadcast"),
    "another shape of as many": (put("grads", LAST, np.ones((1, 7), "f4")), ValueError, r"\(1, 7\)"),
    "integers": (put("grads", LAST, np.ones(7, int)), TypeError, f"'{LAST}' has dtype int64"),
    "truth values": (put("grads", LAST, np.ones(7, bool)), TypeError, f"'{LAST}' has dtype bool"),
    "complex numbers": (put("grads", LAST, np.ones(7, complex)), TypeError, "complex"),
    "objects": (put("grads", LAST, np.ones(7, object)), TypeError, f"'{LAST}' has dtype object"),
    "a list": (put("grads", LAST, [1.0] * 7), TypeError, f"'{LAST}' is a list"),
    "a masked array": (put("grads", LAST, np.ma.ones(7)), TypeError, "mask"),
    "a NaN": (put("grads", LAST, bad_at(6, np.nan)), tw.NonFiniteError, rf"'{LAST}' is nan at \[6\]"),
    "an infinity": (put("grads", LAST, bad_at(0, -np.inf)), tw.NonFiniteError, rf"'{LAST}' is -inf at \[0\]"),
    "a parameter of integers": (put("params", LAST, np.ones(7, int)), TypeError, f"'{LAST}' has dtype int64"),
    "a read-only parameter": (put("params", LAST, read_only), ValueError, f"'{LAST}' is read-only"),
    "a parameter over itself": (
        put("params", LAST, lambda w: np.lib.stride_tricks.as_strided(w, (7,), (0,))),
        ValueError,
        f"'{LAST}' overlaps itself",
    ),
    "two names over one memory": (
        lambda world, grads: (world.params | {"q": world.params[LAST][:3]}, grads | {"q": np.ones(3, "f4")}),
        ValueError,
        rf"'{LAST}' and 'q' lie over the same memory",
    ),
    "a rate that is NaN": (schedule(np.nan), ValueError, "lr = nan from its schedule at t = "),
    "a rate that is negative": (schedule(-0.1), ValueError, "lr = -0.1 from its schedule at t = "),
    "a rate that is a text": (schedule("0.1"), TypeError, "lr = '0.1' from its schedule at t = "),
    "a schedule that breaks": (schedule(broken), BrokenError, "by the caller"),
    "an interruption": (schedule(interrupted), KeyboardInterrupt, None),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_has_changed(fault, rule, steps):
    make, kind, message = FAULTS[fault]
    world, untouched = World(rule, steps), World(rule, steps)
    before, rate = world.everything(), world.opt.lr
    params, grads = make(world, some_grads(world.params, 5))
    given = {name: g for name, g in dict(grads).items() if type(g) is np.ndarray} if isinstance(grads, dict) else {}
    kept = {name: g.tobytes() for name, g in given.items()}
    with pytest.raises(kind, match=message):
        world.opt.update(params, grads)
    assert differences(world.everything(), before) == []
    assert {name: g.tobytes() for name, g in given.items()} == kept
    world.opt.lr = rate
    for other in (world, untouched):
        other.steps(2)
    assert differences(world.everything(), untouched.everything()) == []


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("fault", ["a NaN", "a rate that is NaN", "another shape", "an unexpected gradient"])
def test_a_name_first_seen_in_a_step_that_fails_is_new_in_the_next(fault, rule):
    make, kind, _ = FAULTS[fault]
    world, other = World(rule, 2), World(rule, 2)
    for w in (world, other):
        w.params = {"new": np.full((2, 3), 0.5)} | w.params
    params, grads = make(world, some_grads(world.params, 5))
    with pytest.raises(kind):
        world.opt.update(params | {"new": world.params["new"]}, grads)
    assert "new" not in world.opt.state
    world.opt.lr = other.opt.lr
    for w in (world, other):
        w.steps(2)
    assert differences(world.everything(), other.everything()) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_that_was_none_and_is_nan_when_it_first_comes(rule):
    world, other = World(rule), World(rule)
    for w in (world, other):
        w.opt.update(w.params, some_grads(w.params, 1) | {LAST: None})
    with pytest.raises(tw.NonFiniteError, match=LAST):
        world.opt.update(world.params, some_grads(world.params, 2) | {LAST: np.full(7, np.nan, "f4")})
    assert differences(world.everything(), other.everything()) == []
    for w in (world, other):
        w.steps(2)
    assert differences(world.everything(), other.everything()) == []


NUMBER_FAULTS = {
    # a number that every tensor needs: computed before the kernels
    "of the step": (
        "def faulty(w, g, m, *, lr=0.1):\n    m = m + g\n    w = w - sqrt(0.5 - lr) * m\n    return w, m",
        0.7,
    ),
    # a number of a tensor: computed between two passes of the kernels
    "of a tensor": (
        "def faulty(w, g, m, *, lr=0.1):\n    m = m + g\n    w = w - lr / (sum(g) - sum(g)) * m\n    return w, m",
        0.7,
    ),
    # a number of the model
    "of the model": (
        "def faulty(w, g, m, *, lr=0.1):\n    m = m + g\n    w = w - sqrt(lr - total(norm(g))) * m\n    return w, m",
        1e-6,
    ),
}


@pytest.mark.parametrize("fault", NUMBER_FAULTS)
def test_a_number_that_cannot_be_computed(fault):
    text, lr = NUMBER_FAULTS[fault]
    world = World(tw.rule(text), lr=lr)
    before = world.everything()
    with pytest.raises(tw.NumberError, match=r"faulty, line 3.*\n *w = w - "):
        world.steps(1)
    assert differences(world.everything(), before) == []
    assert dict(world.opt.state) == {}


def test_only_the_last_of_the_tensors_has_no_number():
    """A gradient of zero divides by its own norm; the eleven before it would do."""
    rule = tw.rule("def unit(w, g, m, *, lr=0.1):\n    m = m + 1.0 / norm(g) * g\n    w = w - lr * m\n    return w, m")
    world, other = World(rule, 2), World(rule, 2)
    before = world.everything()
    with pytest.raises(tw.NumberError, match=r"unit, line 2.*zero"):
        world.opt.update(world.params, some_grads(world.params, 1) | {LAST: np.zeros(7, "f4")})
    assert differences(world.everything(), before) == []
    for w in (world, other):
        w.steps(2)
    assert differences(world.everything(), other.everything()) == []


def test_a_closure_that_fails():
    world = World("adam", 2)
    before = world.everything()

    def closure(params):
        raise BrokenError

    with pytest.raises(BrokenError):
        world.opt.update(world.params, closure=closure)
    assert differences(world.everything(), before) == []
    world.steps(1)
    assert world.opt.t == 3

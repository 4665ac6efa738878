"""The diagonal of the Hessian: given with a step or not, checked before anything changes."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw


def begun():
    params = {"W": np.arange(6.0).reshape(2, 3) + 1, "b": np.array([1.0, -2.0])}
    opt = tw.Sophia(lr=0.1)
    opt.update(params, grads_of(params), hessian=grads_of(params))
    return opt, params


def grads_of(params):
    return {name: np.cos(w) + 2 for name, w in params.items()}


def everything(opt, params):
    state = {(n, s): np.asarray(x).tobytes() for n, slots in opt.state.items() for s, x in slots.items()}
    return {n: w.tobytes() for n, w in params.items()} | state | {"t": opt.t}


ONES = {"W": np.ones((2, 3)), "b": np.ones(2)}
BAD = {
    "a parameter without one": (
        {"W": ONES["W"]},
        ValueError,
        r"^no diagonal for 'b'\. hessian has the names",
    ),
    "None for one": (ONES | {"b": None}, ValueError, "hessian lacks 'b'; give it for every parameter"),
    "a name too many": (ONES | {"c": np.ones(1)}, ValueError, "a diagonal for no parameter: 'c'"),
    "a list for a dict": ([ONES["W"], ONES["b"]], TypeError, "hessian is a dict with the names of params, and this is"),
    "another shape": (ONES | {"W": np.ones((3, 2))}, ValueError, r"hessian\['W'\] is float64 of shape \(3, 2\)"),
    "a shape that would be broadcast": (ONES | {"b": np.ones(1)}, ValueError, r"hessian\['b'\].*\(1,\)"),
    "complex numbers": (ONES | {"b": np.ones(2, complex)}, ValueError, r"hessian\['b'\] is complex128"),
    "NaN": (ONES | {"b": np.array([1.0, np.nan])}, tw.NonFiniteError, r"hessian\['b'\] holds a NaN"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_does_not_fit_is_refused_and_nothing_has_changed(bad):
    hessian, kind, message = BAD[bad]
    opt, params = begun()
    before = everything(opt, params)
    with pytest.raises(kind, match=message):
        opt.update(params, grads_of(params), hessian=hessian)
    assert everything(opt, params) == before
    opt.update(params, grads_of(params))
    assert opt.t == 2


def test_a_rule_without_a_place_for_it_says_so():
    params = {"w": np.ones(2)}
    with pytest.raises((TypeError, ValueError), match=r"hessian"):
        tw.Adam().update(params, {"w": np.ones(2)}, hessian={"w": np.ones(2)})
    assert params["w"].tolist() == [1.0, 1.0]


def test_a_step_without_one_uses_the_last():
    """beta2 averages diagonals over the steps that have one, not over all."""
    opt, params = begun()
    h = opt.state["W"]["h"].copy()
    opt.update(params, grads_of(params))
    assert (opt.state["W"]["h"] == h).all()
    opt.update(params, grads_of(params), hessian=ONES)
    assert (opt.state["W"]["h"] != h).any()

"""What can be seen of an optimizer's memory: state by parameter and slot, and the numbers of the whole model."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from tests.optimizer.worlds import bits


@tw.rule(state={"a": tw.full(3.0), "b": tw.number(7.0)})
def kept(w, g, a, b, *, lr=0.1):
    a = a + g
    b = b + 1.0
    w = w - lr * a * b
    return w, a, b


def test_before_the_first_step_there_is_nothing():
    for opt in (tw.Adam(), tw.Optimizer(prodigy)):
        assert (dict(opt.state), dict(opt.shared), opt.t, opt.skipped) == ({}, {}, 0, 0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_like_the_parameter_and_numbers(order):
    params = {"w": np.ones((3, 4), np.float32, order=order), "s": np.ones(()), "e": np.ones((0, 2))}
    grads = {name: np.ones_like(w) for name, w in params.items()}
    shapes = {name: (w.shape, w.dtype) for name, w in params.items()}
    for rule, slots in [(tw.RULES["adam"], ["m", "v"]), (tw.RULES["adagrad"], ["h"]), (prodigy, ["m", "v", "s", "x0"])]:
        opt = tw.Optimizer(rule)
        opt.update(params, grads)
        assert {name: list(own) for name, own in opt.state.items()} == dict.fromkeys(params, slots)
        for name, own in opt.state.items():
            assert all((a.shape, a.dtype) == shapes[name] for a in own.values())
    opt = tw.Optimizer(novograd)
    opt.update(params, grads)
    assert {name: type(own["v"]) for name, own in opt.state.items()} == dict.fromkeys(params, float)
    assert opt.state["w"]["v"] == pytest.approx(12.0)


def test_rows_columns_and_shared():
    opt, params = tw.Optimizer(adafactor), {"w": np.ones((2, 3, 5), np.float32)}
    opt.update(params, {"w": np.ones((2, 3, 5), np.float32)})
    assert {slot: (a.shape, a.dtype) for slot, a in opt.state["w"].items()} == {
        "r": ((2, 3, 1), np.float32),
        "c": ((2, 1, 5), np.float32),
    }
    opt = tw.Optimizer(prodigy, d0=0.25)
    opt.update({"w": np.ones(3)}, {"w": np.zeros(3)})
    assert dict(opt.shared) == {"r": 0.0, "d": 0.25}
    assert all(type(x) is float for x in opt.shared.values())


def test_starts():
    """A copy of the parameter as it was before its first step, the value of a hyper-parameter, a number."""
    opt, w = tw.Optimizer(prodigy), np.array([1.0, 2.0])
    for _ in range(2):
        opt.update({"w": w}, {"w": np.ones(2)})
    assert opt.state["w"]["x0"].tolist() == [1.0, 2.0]
    assert w.tolist() != [1.0, 2.0]
    opt = tw.AdaGrad(convention="torch", initial_accumulator=0.25)
    opt.update({"w": w}, {"w": np.zeros(2)})
    assert opt.state["w"]["h"].tolist() == [0.25, 0.25]
    opt = tw.Optimizer(kept)
    opt.update({"w": w}, {"w": np.ones(2)})
    assert opt.state["w"]["a"].tolist() == [4.0, 4.0]
    assert opt.state["w"]["b"] == 8.0


def test_a_start_that_is_a_schedule_is_read_at_the_first_step():
    opt = tw.AdaGrad(convention="torch", initial_accumulator=lambda t: 10.0 * t)
    w = {"a": np.ones(1)}
    opt.update(w, {"a": np.zeros(1)})
    w["b"] = np.ones(1)
    opt.update(w, {"a": np.zeros(1), "b": np.zeros(1)})
    assert (opt.state["a"]["h"][0], opt.state["b"]["h"][0]) == (10.0, 20.0)


def test_a_start_that_float32_cannot_hold_is_an_infinity_and_no_warning():
    opt = tw.AdaGrad(convention="torch", initial_accumulator=1e300)
    w = np.ones(1, np.float32)
    opt.update({"w": w}, {"w": np.ones(1, np.float32)})
    assert opt.state["w"]["h"][0] == np.inf
    assert w[0] == 1


def test_the_arrays_are_those_in_use():
    opt, w = tw.Momentum(lr=1.0, momentum=0.5), np.zeros(2)
    opt.update({"w": w}, {"w": np.zeros(2)})
    velocity = opt.state["w"]["v"]
    velocity[...] = [2.0, -4.0]
    opt.update({"w": w}, {"w": np.zeros(2)})
    assert w.tolist() == [1.0, -2.0]
    assert np.shares_memory(opt.state["w"]["v"], velocity)
    assert velocity.tolist() == [1.0, -2.0]


def test_nothing_else_can_be_put_there():
    opt = tw.Optimizer(novograd)
    opt.update({"w": np.ones(2)}, {"w": np.ones(2)})
    for where in (opt.state, opt.state["w"], opt.shared):
        with pytest.raises(TypeError, match="does not support item assignment"):
            where["v"] = 1.0
    for name in ("state", "shared"):
        with pytest.raises(AttributeError, match=f"`{name}`"):
            setattr(opt, name, {})


def test_state_is_memory_of_its_own():
    params = {"a": np.ones(3), "b": np.ones(3)}
    opt = tw.Optimizer(prodigy)
    opt.update(params, {"a": np.ones(3), "b": np.ones(3)})
    arrays = [*params.values(), *(a for slots in opt.state.values() for a in slots.values())]
    for i, a in enumerate(arrays):
        assert not any(np.shares_memory(a, b) for b in arrays[:i])


def test_two_optimizers_share_nothing():
    first, second = tw.Adam(), tw.Adam()
    a, b = np.ones(3), np.ones(3)
    first.update({"w": a}, {"w": np.ones(3)})
    first.update({"w": a}, {"w": np.ones(3)})
    second.update({"w": b}, {"w": np.ones(3)})
    assert (first.t, second.t) == (2, 1)
    second.update({"w": b}, {"w": np.ones(3)})
    assert bits(a) == bits(b)


def test_a_parameter_in_the_memory_of_state_is_refused():
    opt, params = tw.Momentum(lr=1.0), {"a": np.zeros(3)}
    opt.update(params, {"a": np.ones(3)})
    velocity = opt.state["a"]["v"]
    with pytest.raises(ValueError, match=r"'b' lies in the memory of the optimizer's own state.*\.copy\(\)"):
        opt.update({"a": params["a"], "b": velocity[1:]}, {"a": np.ones(3), "b": np.ones(2)})
    assert (velocity.tolist(), params["a"].tolist(), opt.t) == ([-1.0] * 3, [-1.0] * 3, 1)


@pytest.mark.parametrize("copying", [copy.copy, copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))])
def test_a_copy_goes_on_alone(copying):
    opt, w = tw.Momentum(lr=1.0, momentum=0.5), np.zeros(2)
    opt.update({"w": w}, {"w": np.ones(2)})
    other, own = copying(opt), w.copy()
    assert type(other) is tw.Momentum
    assert not np.shares_memory(other.state["w"]["v"], opt.state["w"]["v"])
    other.update({"w": own}, {"w": np.zeros(2)})
    assert (other.t, opt.t) == (2, 1)
    assert (own.tolist(), w.tolist()) == ([-1.5, -1.5], [-1.0, -1.0])
    assert opt.state["w"]["v"].tolist() == [-1.0, -1.0]
    opt.update({"w": w}, {"w": np.zeros(2)})
    assert bits(w) == bits(own)

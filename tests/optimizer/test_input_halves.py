"""float16 and bfloat16 parameters in use: float32 state, and the master copy that small steps add up in."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, prodigy
from tests.optimizer.worlds import bits, rng

HALVES = {"float16": np.dtype(np.float16), "bfloat16": np.dtype(ml_dtypes.bfloat16)}
half = pytest.mark.parametrize("dtype", HALVES.values(), ids=HALVES)
RULES = {"sgd": "sgd", "adam": "adam", "adafactor": adafactor, "prodigy": prodigy}


def drawn(shape, dtype, *seed):
    return np.array(rng(seed).standard_normal(shape)).astype(dtype)


@half
@pytest.mark.parametrize("rule", RULES)
def test_without_a_master_each_step_is_that_of_float32_from_the_rounded_parameter(dtype, rule):
    opt, wide = tw.Optimizer(RULES[rule]), tw.Optimizer(RULES[rule])
    w = drawn((3, 5), dtype, 1)
    for step in range(4):
        g = drawn((3, 5), dtype, 2, step)
        other = w.astype(np.float32)
        opt.update({"w": w}, {"w": g})
        wide.update({"w": other}, {"w": g.astype(np.float32)})
        assert bits(w) == bits(other.astype(dtype))
    for slot, value in wide.state["w"].items():
        assert bits(np.asarray(opt.state["w"][slot])) == bits(np.asarray(value))
    assert dict(opt.shared) == dict(wide.shared)


@half
@pytest.mark.parametrize("rule", RULES)
def test_with_a_master_the_parameter_is_the_rounded_float32_parameter(dtype, rule):
    opt, wide = tw.Optimizer(RULES[rule], master=True), tw.Optimizer(RULES[rule])
    w = drawn((3, 5), dtype, 1)
    other = w.astype(np.float32)
    for step in range(6):
        g = drawn((3, 5), dtype, 2, step)
        opt.update({"w": w}, {"w": g})
        wide.update({"w": other}, {"w": g.astype(np.float32)})
        assert bits(w) == bits(other.astype(dtype))
        assert bits(opt.state["w"]["master"]) == bits(other)


@half
def test_steps_too_small_for_the_parameter_add_up_in_the_master(dtype):
    results = []
    for master in (False, True):
        opt, w = tw.SGD(lr=1.0, master=master), np.ones(2, dtype)
        for _ in range(1000):
            opt.update({"w": w}, {"w": np.full(2, 1e-4, np.float32)})
        results.append(float(w[0]))
    assert results[0] == 1.0
    assert results[1] == pytest.approx(0.9, rel=2.0**-8)


@half
@pytest.mark.parametrize("order", ["C", "F"])
def test_what_the_caller_changes_between_steps_counts(dtype, order):
    opt, w = tw.SGD(lr=1.0, master=True), np.array(np.ones((2, 3)), dtype, order=order)
    small = np.full((2, 3), 2.0**-14, np.float32)
    opt.update({"w": w}, {"w": small})
    w[0, 1], w[1, 2] = 5.0, 0.25
    opt.update({"w": w}, {"w": small})
    expected = np.full((2, 3), 1 - 2.0**-13, np.float32)
    expected[0, 1], expected[1, 2] = 5 - 2.0**-14, 0.25 - 2.0**-14
    assert opt.state["w"]["master"].tolist() == expected.tolist()
    assert bits(w) == bits(expected.astype(dtype))


@half
def test_a_parameter_replaced_by_another_array_counts(dtype):
    opt = tw.SGD(lr=1.0, master=True)
    opt.update({"w": np.ones(3, dtype)}, {"w": np.full(3, 2.0**-14, np.float32)})
    other = np.full(3, 2.0, dtype)
    opt.update({"w": other}, {"w": np.full(3, 0.5, np.float32)})
    assert other.tolist() == [1.5] * 3


@half
def test_after_an_error_the_master_is_as_it_was_even_if_the_caller_had_changed_something(dtype):
    opt, w = tw.SGD(lr=1.0, master=True), np.ones(3, dtype)
    opt.update({"w": w}, {"w": np.full(3, 2.0**-14, np.float32)})
    master, before = opt.state["w"]["master"].copy(), w.copy()
    w[1] = 7
    with pytest.raises(tw.NonFiniteError):
        opt.update({"w": w}, {"w": np.array([0, 0, np.nan], np.float32)})
    assert bits(opt.state["w"]["master"]) == bits(master)
    assert w.tolist() == [float(before[0]), 7, float(before[2])]
    w[1] = before[1]
    opt.update({"w": w}, {"w": np.zeros(3, np.float32)})
    assert bits(opt.state["w"]["master"]) == bits(master)


@half
def test_a_parameter_that_is_nan_stays_so_and_the_others_go_on(dtype):
    opt, w = tw.SGD(lr=0.5, master=True), np.array([np.nan, 1.0, np.inf], dtype)
    for _ in range(2):
        opt.update({"w": w}, {"w": np.ones(3, dtype)})
    assert [str(float(x)) for x in w] == ["nan", "0.0", "inf"]


def test_only_half_parameters_have_a_master():
    opt = tw.Adam(master=True)
    params = {"h": np.ones(2, np.float16), "s": np.ones(2, np.float32), "d": np.ones(2)}
    opt.update(params, {name: np.ones_like(w) for name, w in params.items()})
    assert [name for name, slots in opt.state.items() if "master" in slots] == ["h"]


@half
def test_a_gradient_that_only_float32_can_hold_is_finite(dtype):
    w = np.zeros(2, dtype)
    tw.SGD(lr=1e-3).update({"w": w}, {"w": np.array([1e5, -1e5])})
    assert np.allclose(w.astype(np.float64), [-100, 100])
    with pytest.raises(tw.NonFiniteError, match=r"'w' is 1e\+39 at \[1\], too large for float32"):
        tw.SGD().update({"w": w}, {"w": np.array([0.0, 1e39])})


@pytest.mark.filterwarnings("error")
@half
def test_a_result_too_large_for_the_parameter_is_an_infinity(dtype):
    largest = ml_dtypes.finfo(dtype).max
    w = np.array([largest, 0], dtype)
    tw.SGD(lr=1.0).update({"w": w}, {"w": np.array([-float(largest), 0], np.float32)})
    assert [str(float(x)) for x in w] == ["inf", "0.0"]


@half
def test_several_dtypes_side_by_side(dtype):
    together, alone = tw.Adam(), {}
    params = {"h": np.ones(3, dtype), "s": np.ones(3, np.float32), "d": np.ones(3), "h2": np.ones((), dtype)}
    other = {name: w.copy() for name, w in params.items()}
    for step in range(3):
        grads = {name: drawn(w.shape, w.dtype, 9, step) for name, w in params.items()}
        together.update(params, grads)
        for name, w in other.items():
            alone.setdefault(name, tw.Adam()).update({name: w}, {name: grads[name]})
    assert {name: bits(w) for name, w in params.items()} == {name: bits(w) for name, w in other.items()}

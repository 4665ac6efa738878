"""Values worked by hand, both ends of every schedule, and step counts of any size."""

from __future__ import annotations

import math

import numpy as np
import pytest

import thalweg as tw
from tests.schedules.every import EVERY
from thalweg import schedules as s


def first(schedule, n):
    return [schedule(t) for t in range(1, n + 1)]


def test_by_hand():
    assert first(s.constant(3), 3) == [3.0, 3.0, 3.0]
    assert first(s.step(8, every=2, gamma=0.5), 6) == [8, 8, 4, 4, 2, 2]
    assert first(s.multi_step(8, milestones=[1, 4], gamma=0.25), 6) == [8, 2, 2, 2, 0.5, 0.5]
    assert first(s.multi_step(8, milestones=[]), 2) == [8, 8]
    assert first(s.exponential(8, gamma=0.5), 4) == [8, 4, 2, 1]
    assert first(s.exponential(8, gamma=0.25, every=2, final=1.5), 5) == [8, 4, 2, 1.5, 1.5]
    assert first(s.exponential(1, gamma=4, every=2, staircase=True, final=6), 6) == [1, 1, 4, 4, 6, 6]
    assert first(s.polynomial(9, steps=4, final=1), 6) == [9, 7, 5, 3, 1, 1]
    assert first(s.polynomial(1, steps=4, final=9, power=2), 6) == [1, 4.5, 7, 8.5, 9, 9]
    assert first(s.polynomial(8, steps=6, warmup=2, start=4), 7) == [4, 6, 8, 6, 4, 2, 0]
    assert first(s.inverse_sqrt(6), 4) == pytest.approx([6, 6 / math.sqrt(2), 6 / math.sqrt(3), 3], rel=1e-15)
    assert s.inverse_sqrt(6, timescale=4)(13) == 3
    assert s.inverse_sqrt(6, warmup=4, start=2)(3) == 4
    assert s.inverse_sqrt(6, warmup=4, start=2)(5) == 6
    assert s.inverse_sqrt(6, warmup=4)(17) == 3
    assert s.inverse_sqrt(6, warmup=4, timescale=12)(41) == 3
    assert first(s.cosine(8, steps=2), 4) == [8, 4, 0, 0]
    assert s.cosine(8, steps=2, exponent=2)(2) == 2
    assert first(s.cosine(8, steps=4, warmup=2, start=4, final=2), 6) == [4, 6, 8, 5, 2, 2]
    assert first(s.warm_restarts(8, period=2, final=2), 5) == [8, 5, 8, 5, 8]
    assert first(s.warm_restarts(8, period=1, growth=2), 4)[:3:2] == [8, 4]
    assert first(s.cyclic(1, 3, up=2), 6) == [1, 2, 3, 2, 1, 2]
    assert first(s.cyclic(1, 3, up=1, down=2, mode="triangular2"), 7) == [1, 3, 2, 1, 2, 1.5, 1]
    assert first(s.cyclic(1, 3, up=1, mode="exp_range", gamma=0.5), 5) == [1, 2, 1, 1.25, 1]
    assert first(s.one_cycle(8, steps=7, pct_start=3 / 7, div_factor=4, final_div_factor=8), 8) == pytest.approx(
        [2, 5, 8, 0.25 + 7.75 * math.cos(math.pi / 8) ** 2, 4.125, 0.25 + 7.75 * math.sin(math.pi / 8) ** 2, 0.25, 0.25]
    )
    assert first(s.one_cycle(8, steps=5, pct_start=0.4, div_factor=4, anneal="linear", final_div_factor=2), 6) == (
        pytest.approx([2, 8, 17 / 3, 10 / 3, 1, 1])
    )
    assert first(s.warmup(s.step(8, every=1, gamma=0.5), steps=2), 5) == [0, 4, 8, 4, 2]
    assert first(s.warmup(lambda t: 10 * t, steps=2, start=6), 4) == [6, 8, 10, 20]
    assert first(s.warmup_stable_decay(8, steps=6, warmup=1, decay=2, start=1, final=4), 8) == [1, 8, 8, 8, 8, 6, 4, 4]
    assert s.warmup_stable_decay(8, steps=6, warmup=0, decay=4, shape="sqrt")(4) == 4
    assert s.warmup_stable_decay(8, steps=6, warmup=0, decay=2, shape="cosine", final=2)(6) == 5
    assert first(s.join([5, s.step(8, every=1, gamma=0.5), lambda t: -t], milestones=[1, 3]), 5) == [5, 8, 4, -1, -2]


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_a_python_float_at_any_t(schedule):
    for t in (1, 2, 999, 10**6, 2**53 + 1, 10**400):
        value = schedule(t)
        assert type(value) is float
        assert math.isfinite(value)
        assert schedule(t) == value, "a pure function of t"
    assert schedule(np.int64(7)) == schedule(7)


@pytest.mark.parametrize("bad", [0, -1, -(10**400), np.int64(0)])
@pytest.mark.parametrize("schedule", [s.constant(1), s.reduce_on_plateau(0.1)], ids=repr)
def test_steps_are_counted_from_1(schedule, bad):
    with pytest.raises(ValueError, match=r"was called with t = .*counted from 1"):
        schedule(bad)


@pytest.mark.parametrize("bad", [1.0, True, np.True_, "1", None, [1], np.ones(1), 1j])
def test_a_step_count_is_whole(bad):
    with pytest.raises(TypeError, match=r"cosine\(0.1, steps=9\) was called with t = .*t is a whole number"):
        s.cosine(0.1, steps=9)(bad)


# Every value here has an exact first value, and the last one exactly: no rounding is left over.
@pytest.mark.parametrize("value, final", [(0.1, 0.001), (0.3, 0.1), (1e-3, 0.7), (0.7, 0.7), (1 / 3, 1e-9)])
def test_both_ends_are_exact(value, final):
    for make in (s.cosine, s.polynomial):
        for steps in (1, 3, 7, 1000):
            schedule = make(value, steps=steps, final=final)
            assert schedule(1) == value
            assert schedule(steps + 1) == schedule(steps + 2) == schedule(10**30) == final
            assert make(value, steps=steps + 5, warmup=5, start=final)(6) == value
            assert make(value, steps=steps + 5, warmup=5, start=final)(1) == final
    assert s.warmup_stable_decay(value, steps=9, warmup=2, decay=3, final=final)(10) == final
    assert s.warm_restarts(value, period=7, final=final)(8) == value
    assert s.cyclic(final, value, up=3)(4) == value
    assert s.one_cycle(value, steps=100, pct_start=0.5)(50) == value


def test_steps_include_the_warmup():
    whole = s.cosine(0.1, steps=1000, warmup=100, start=0.01, final=0.002)
    parts = s.warmup(s.cosine(0.1, steps=900, final=0.002), steps=100, start=0.01)
    assert first(whole, 1100) == first(parts, 1100)


def test_small_values_keep_their_digits():
    """One step before the end a cosine is the square of a small angle; (1 + cos) would have 9 digits left."""
    assert s.cosine(1, steps=10**5)(10**5) == pytest.approx((math.pi / 2e5) ** 2, rel=1e-9)


def test_too_large_for_a_float_is_infinite():
    for t in (10**6, 10**400):
        assert s.exponential(0.1, gamma=2)(t) == math.inf
        assert s.exponential(-0.1, gamma=2)(t) == -math.inf
        assert s.exponential(0, gamma=2)(t) == 0
        assert s.exponential(0.1, gamma=2, final=5)(t) == 5
        assert s.step(0.1, every=1, gamma=0.5)(t) == 0


def test_any_hyper_parameter_may_have_one():
    opt = tw.Momentum(lr=s.cosine(0.5, steps=4), momentum=s.step(0.5, every=1, gamma=0.5))
    params, seen = {"w": np.zeros(1)}, []
    v = w = 0.0
    for lr, momentum in ((0.5, 0.5), (s.cosine(0.5, steps=4)(2), 0.25), (0.25, 0.125)):
        opt.update(params, {"w": np.ones(1)})
        v = momentum * v - lr
        w += v
        seen.append((opt.lr, opt.momentum))
        assert seen[-1] == (lr, momentum)
        assert params["w"][0] == w
    assert "lr=cosine(0.5, steps=4)" in repr(opt)


def test_a_function_inside_must_return_a_number():
    with pytest.raises(TypeError, match=r"gives '5' at t = 1; a schedule returns a number"):
        s.warmup(lambda t: "5", steps=3)(1)
    with pytest.raises(TypeError, match=r"gives None at t = 2"):
        s.join([1, lambda t: None], milestones=[3])(5)
    assert s.join([np.float32(0.5), lambda t: np.float64(t) / 2], milestones=[1])(2) == 0.5

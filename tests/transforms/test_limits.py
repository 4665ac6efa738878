"""Chains at their limits: bounds that cross, windows with other names, rules that keep numbers of the whole model."""

import numpy as np
import pytest

import thalweg as tw


@tw.rule(state={"d": tw.shared(1e-3)})
def doubling(w, g, d, *, lr=0.1):
    d = 2 * d
    w = w - lr * d * g
    return w, d


@tw.rule
def unscaled(w, g, *, rate=0.1):
    w = w - rate * g
    return w


def test_bounds_never_cross():
    opt = tw.chain(tw.SGD(lr=0.1), tw.bounds(0, 1))
    with pytest.raises(ValueError, match=r"low = 5\.0 is not below high = 1\.0"):
        opt.low = 5.0
    opt.high = 9.0
    opt.low = 5.0
    assert (opt.low, opt.high) == (5.0, 9.0)
    for low, high in ((np.float32(3), np.float32(1)), (np.int64(1), 1)):
        with pytest.raises(ValueError, match="is not below"):
            tw.chain(tw.SGD(), tw.bounds(low, high))
    with pytest.raises(ValueError, match="is not below"):
        tw.chain(tw.SGD(), tw.bounds(0, 1), groups={"a": {"low": 3.0}})
    opt, w = tw.chain(tw.SGD(), tw.bounds(lambda t: 2.0 * t, 1)), np.ones(1)
    with pytest.raises(ValueError, match="is not below"):
        opt.update({"w": w}, {"w": np.ones(1)})
    assert (w.tolist(), opt.t) == ([1.0], 0)


def test_what_has_gathered_is_given_until_the_step():
    opt, a = tw.chain(tw.accumulate(2), tw.SGD(lr=1.0)), np.zeros(1)
    opt.update({"a": a}, {"a": np.ones(1)})
    with pytest.raises(ValueError, match="'a' has gathered gradients since the last step, and is not given now"):
        opt.update({"b": np.zeros(1)}, {"b": np.ones(1)})
    assert opt.gathered == 1
    opt.update({"a": a, "b": np.zeros(1)}, {"a": None, "b": np.ones(1)})
    assert (a.tolist(), opt.t) == ([-0.5], 1)


def test_a_measure_behind_a_rule_with_a_number_of_the_model():
    opt, w = tw.chain(tw.Optimizer(doubling), tw.clip_global_norm(1e-4)), np.ones(3)
    opt.update({"w": w}, {"w": np.ones(3)})
    assert np.linalg.norm(1 - w) == pytest.approx(1e-4)
    assert opt.shared["d"] == 2e-3


@pytest.mark.parametrize("link", [tw.adaptive_clip(), tw.centralize()])
def test_two_forms_and_one_number_do_not_go_together(link):
    with pytest.raises(ValueError, match=f"{link.name} works on matrices and on vectors in two ways, and Doubling"):
        tw.chain(link, tw.Optimizer(doubling))


def test_decay_by_lr_needs_one():
    with pytest.raises(ValueError, match="decoupled_decay scales by lr, which Unscaled does not have"):
        tw.chain(tw.Optimizer(unscaled), tw.decoupled_decay(0.1))
    opt, w = tw.chain(tw.Optimizer(unscaled), tw.decoupled_decay(0.5, scale="absolute")), np.ones(1)
    opt.update({"w": w}, {"w": np.zeros(1)})
    assert w.tolist() == [0.5]


def test_what_is_shown_is_as_it_is_now():
    opt = tw.chain(tw.clip_norm(1.0), tw.SGD())
    opt.max_norm = 9.0
    assert "clip_norm(max_norm=9.0" in repr(opt)
    assert "clip_norm(max_norm=9.0" in repr(opt.links[0])


def test_averages_that_cannot_be_taken_away_shut_nothing():
    opt, a, b = tw.chain(tw.SGD(lr=1.0), tw.ema(0.5)), np.ones(1), np.ones(1)
    for _ in range(2):
        opt.update({"a": a, "b": b}, {"a": np.ones(1), "b": np.ones(1)})
    with pytest.raises(ValueError, match="read-only"), opt.averaged():
        a.flags.writeable = False
    a.flags.writeable = True
    assert b.tolist() == [-1.0]
    opt.update({"a": a, "b": b}, {"a": np.ones(1), "b": np.ones(1)})
    with pytest.raises(ValueError, match="none of these parameters has an average: 'z'"), opt.averaged({"z": a}):
        pass


def test_a_plateau_inside_of_a_schedule_is_still_fed_after_a_load():
    lr = tw.schedules.reduce_on_plateau(0.1, patience=0)
    opt, w = tw.SGD(lr=tw.schedules.warmup(lr, steps=2)), np.ones(1)
    for _ in range(4):
        opt.update({"w": w}, {"w": np.ones(1)})
    opt.load_state_dict(opt.state_dict())
    lr.feed(1.0)
    lr.feed(2.0)
    assert opt.lr == lr.state.current == pytest.approx(0.01)

"""Frozen parameters: their memory, names that come and go, patterns in each other's shadow, options of a group."""

import numpy as np
import pytest

import thalweg as tw


def test_a_frozen_parameter_over_the_memory_of_another_is_refused():
    x = np.ones(4)
    opt = tw.SGD(0.1, groups={"emb": None})
    with pytest.raises(ValueError, match="'emb' lies over the same memory as 'tied'"):
        opt.update({"emb": x, "tied": x[:2]}, {"emb": None, "tied": np.ones(2)})
    assert (x.tolist(), opt.t) == ([1.0] * 4, 0)
    opt.update({"emb": x[::2], "tied": x[1::2]}, {"emb": None, "tied": np.ones(2)})
    assert x.tolist() == [1.0, 0.9, 1.0, 0.9]


def test_a_frozen_name_may_be_left_out_later():
    opt, a = tw.SGD(lr=1.0, groups={"emb.*": None}), np.zeros(1)
    opt.update({"emb.w": np.ones(2), "a": a}, {"emb.w": None, "a": np.ones(1)})
    opt.update({"a": a}, {"a": np.ones(1)})
    assert a.tolist() == [-2.0]


def test_options_belong_to_the_whole_optimizer():
    for options in ({"master": True}, {"nonfinite": "skip"}):
        with pytest.raises(ValueError, match="nonfinite and master are those of the whole optimizer"):
            tw.Adam(groups={"b": tw.SGD(0.1, **options)})


def test_a_schedule_of_a_group_can_be_fed():
    lr = tw.schedules.reduce_on_plateau(0.1, patience=0)
    opt = tw.SGD(groups={"b": {"lr": lr}})
    opt.groups["b"].schedules["lr"].feed(1.0)
    opt.groups["b"].schedules["lr"].feed(2.0)
    assert opt.groups["b"].lr == lr.state.current == pytest.approx(0.01)

"""The hyper-parameters of groups: read, set live, as functions of t, and refused."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from thalweg import schedules


def params(names):
    return {name: np.ones((2, 3)) for name in names}


def grads(own):
    return {name: np.ones_like(w) for name, w in own.items()}


def test_views_are_read_and_set_live_and_follow_where_they_have_no_number():
    own = params(["W", "b"])
    opt = tw.Adam(groups={"b": {"lr": 0.5}})
    group = opt.groups["b"]
    assert (group.lr, group.beta1, opt.lr) == (0.5, 0.9, 0.001)
    opt.beta1 = 0.75
    assert (group.beta1, group.hyperparams["beta1"]) == (0.75, 0.75)
    group.beta1 = 0.25
    opt.beta1 = 0.5
    assert (group.beta1, opt.beta1) == (0.25, 0.5)
    opt.lr = 0.125
    assert group.lr == 0.5
    group.lr = 0.0
    before = own["b"].copy()
    opt.update(own, grads(own))
    assert np.array_equal(own["b"], before)
    assert not np.array_equal(own["W"], np.ones((2, 3)))
    assert group.rule is opt.rule
    assert {"lr", "beta1", "hyperparams", "rule"} <= set(dir(group))


def test_bad_numbers_of_groups_are_refused_by_name_when_made_and_when_set():
    for value, kind in [
        (-1, ValueError),
        (np.nan, ValueError),
        ("0.1", TypeError),
        (None, TypeError),
        (True, TypeError),
    ]:
        with pytest.raises(kind, match=r"Adam: lr = "):
            tw.Adam(groups={"*.b": {"lr": value}})
        opt = tw.Adam(groups={"*.b": {"lr": 0.5}})
        with pytest.raises(kind, match=r"Adam: lr = "):
            opt.groups["*.b"].lr = value
        assert opt.groups["*.b"].lr == 0.5
    with pytest.raises(TypeError, match=r"no `lrr`; did you mean `lr`"):
        tw.Adam(groups={"*.b": {"lrr": 0.5}})
    for attempt in ("lrr", "t", "rule", "hyperparams"):
        with pytest.raises(AttributeError, match=rf"{attempt}"):
            setattr(tw.Adam(groups={"*.b": {}}).groups["*.b"], attempt, 0.5)
    with pytest.raises(AttributeError, match=r"`learning_rate` is `lr=`"):
        tw.Adam(groups={"*.b": {}}).groups["*.b"].learning_rate  # noqa: B018


def test_a_schedule_of_a_group_and_one_of_the_others_that_it_follows():
    own = params(["W", "b", "c"])
    opt = tw.SGD(lr=schedules.step(1.0, every=1, gamma=0.5), groups={"b": {"lr": lambda t: 1.0 * t}, "c": {}})
    for _ in range(3):
        opt.update(own, grads(own))
    assert [float(own[n][0, 0]) for n in "Wbc"] == [1 - 1.75, 1 - 6.0, 1 - 1.75]
    assert (opt.groups["b"].lr, opt.groups["c"].lr, opt.lr) == (3.0, 0.25, 0.25)


def test_a_schedule_of_a_group_that_goes_wrong_changes_nothing():
    own = params(["W", "b"])
    opt = tw.Adam(groups={"b": {"lr": lambda t: 0.1 if t < 3 else -0.1}})
    for _ in range(2):
        opt.update(own, grads(own))
    before = {name: w.copy() for name, w in own.items()}
    with pytest.raises(ValueError, match=r"lr = -0\.1 from its schedule at t = 3"):
        opt.update(own, grads(own))
    assert opt.t == 2
    assert all(np.array_equal(own[name], w) for name, w in before.items())


def test_groups_as_they_are_shown():
    opt = tw.Adam(groups={"*.b": {"lr": 0.5}, "frozen.*": None})
    assert opt.groups["frozen.*"] is None
    assert repr(opt.groups["*.b"]).startswith("<group of Adam: lr=0.5, beta1=0.9")
    assert "groups={'*.b': ..., 'frozen.*': ...}" in repr(opt)
    assert list(opt.groups) == ["*.b", "frozen.*"]
    with pytest.raises(TypeError):
        opt.groups["*.b"] = {}
    assert dict(tw.Adam().groups) == {}
    assert repr(tw.Adam(groups={"b": tw.SGD(lr=0.25)}).groups["b"]) == "<group of SGD: lr=0.25>"

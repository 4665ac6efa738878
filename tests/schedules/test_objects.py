"""A schedule is a value: it can be compared, printed, hashed, copied and pickled, and not be changed."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import thalweg as tw
from tests.schedules.every import EVERY
from thalweg import schedules as s

STEPS = (1, 2, 5, 8, 9, 10, 11, 30, 51, 91, 500)


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_copies_are_equal(schedule):
    copies = [copy.copy(schedule), copy.deepcopy(schedule), eval(repr(schedule), vars(s))]
    copies += [pickle.loads(pickle.dumps(schedule, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in copies:
        assert other == schedule
        assert repr(other) == repr(schedule)
        assert [other(t) for t in STEPS] == [schedule(t) for t in STEPS]


@pytest.mark.parametrize("schedule", EVERY, ids=repr)
def test_it_cannot_be_changed(schedule):
    for name in vars(schedule):
        with pytest.raises(AttributeError):
            setattr(schedule, name, 3)
        with pytest.raises(AttributeError):
            delattr(schedule, name)


def test_schedules_differ_if_an_argument_does():
    assert len({repr(one) for one in EVERY}) == len(EVERY)
    for i, one in enumerate(EVERY):
        assert [one == other for other in EVERY] == [i == j for j in range(len(EVERY))]
    assert s.cosine(0.1, steps=9) != s.polynomial(0.1, steps=9)
    assert s.constant(0.1) != 0.1
    assert len({s.cosine(0.1, steps=9), s.cosine(0.1, steps=9), s.cosine(0.1, steps=8)}) == 2


def test_lists_that_were_given_can_change_later():
    milestones, parts = [3], [1, 2]
    schedule = s.join(parts, milestones=milestones)
    milestones.append(4)
    parts[0] = 9
    assert schedule == s.join((1, 2), milestones=(3,))


def test_printed_as_written():
    assert repr(s.cosine(0.001, steps=1000, warmup=100)) == "cosine(0.001, steps=1000, warmup=100)"
    assert repr(s.cyclic(0.1, 0.2)) == "cyclic(0.1, 0.2)"
    assert (
        repr(s.join([0.1, s.warmup(0.2, steps=3)], milestones=[5]))
        == "join([0.1, warmup(0.2, steps=3)], milestones=[5])"
    )
    assert repr(s.reduce_on_plateau(0.1, patience=3)) == "reduce_on_plateau(0.1, patience=3)"


def test_the_caller_sees_one_object():
    """What is fed acts on the optimizer that has it."""
    lr = s.reduce_on_plateau(0.5, factor=0.5, patience=0)
    opt, params = tw.SGD(lr=lr), {"w": np.zeros(1)}
    steps = []
    for loss in (3.0, 3.0, 2.0, 2.5):
        before = params["w"][0]
        opt.update(params, {"w": np.ones(1)})
        steps.append(before - params["w"][0])
        lr.feed(loss)
    assert steps == [0.5, 0.5, 0.25, 0.25]
    assert opt.lr == 0.125

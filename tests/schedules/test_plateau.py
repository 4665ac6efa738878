"""reduce_on_plateau against torch, bit by bit: both multiply the same numbers in the same order."""

from __future__ import annotations

import copy
import itertools
import math
from decimal import Decimal

import numpy as np
import pytest

from tests.schedules.tables import draws, log_uniform
from thalweg import schedules as s

MODES = list(itertools.product(("min", "max"), ("rel", "abs")))


def metrics(rng, n=1000):
    """A curve with a trend that comes to rest, noise, negative values, NaN and the infinity that is never better."""
    noise, turn, sign = log_uniform(rng, 1e-3, 1), rng.randint(50, 600), rng.choice([-1, 1])
    curve = [sign * (3 * math.exp(-min(i, turn) / 100) - 0.5) + rng.gauss(0, noise) for i in range(n)]
    for i in rng.sample(range(n), 30):
        curve[i] = math.nan
    return curve


@pytest.mark.parametrize("mode, threshold_mode", MODES)
@pytest.mark.parametrize("rng", draws(5), ids=range(5))
def test_against_torch(rng, mode, threshold_mode):
    torch = pytest.importorskip("torch", reason="oracle torch is not installed")
    options = dict(
        mode=mode, threshold_mode=threshold_mode, factor=rng.uniform(0.1, 0.95), patience=rng.randint(0, 12),
        threshold=rng.choice([0.0, 1e-4, 0.1]), cooldown=rng.choice([0, 3, 20]), eps=rng.choice([0.0, 1e-8, 1e-3]),
    )  # fmt: skip
    lowest = rng.choice([0.0, 1e-3, 0.05])
    opt = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, min_lr=lowest, **options)
    ours = s.reduce_on_plateau(0.1, final=lowest, **options)
    curve = metrics(rng)
    curve[3] = math.inf if mode == "min" else -math.inf
    seen = set()
    for i, metric in enumerate(curve):
        theirs.step(metric)
        value = ours.feed(metric)
        assert value == ours(1) == ours(i + 2) == opt.param_groups[0]["lr"], i
        assert ours.state.bad_epochs == theirs.num_bad_epochs
        assert ours.state.resting == theirs.cooldown_counter
        assert ours.state.best == (theirs.best if math.isfinite(theirs.best) else None)
        seen.add(value)
    assert len(seen) > 1, "a case that stays constant shows nothing"


def test_by_hand():
    lr = s.reduce_on_plateau(8, factor=0.5, patience=1, cooldown=1, threshold=0)
    found = [lr.feed(metric) for metric in (5, 5, 5, 5, 5, 5, 4, 4, 3)]
    #         the best, bad 1, bad 2: falls, at rest, bad 1, bad 2: falls, at rest and better, bad 1, better
    assert found == [8, 8, 4, 4, 4, 2, 2, 2, 2]


@pytest.mark.parametrize("infinite, mode", [(-math.inf, "min"), (math.inf, "max")])
def test_an_infinite_metric_is_never_better(infinite, mode):
    """Unlike in torch, where nothing could ever be better than it again."""
    lr = s.reduce_on_plateau(0.1, mode=mode, patience=1)
    lr.feed(1.0)
    assert lr.feed(infinite) == 0.1
    assert lr.state.best == 1.0
    assert lr.feed(10**400 if mode == "max" else -(10**400)) < 0.1


@pytest.mark.parametrize(
    "bad", [True, "3", None, [1.0], np.ones(1), np.ones((2, 2)), 1j, np.complex128(1), np.True_, b"1"]
)
def test_a_metric_is_one_number(bad):
    lr = s.reduce_on_plateau(0.1)
    lr.feed(2.0)
    before = copy.copy(lr)
    with pytest.raises(TypeError, match=r"the metric is of type .*; feed one real number"):
        lr.feed(bad)
    assert lr == before


def test_kinds_of_metrics():
    lr = s.reduce_on_plateau(0.1)
    for metric in (3, np.float32(2.5), np.array(2.0), np.int64(1), Decimal("0.5")):
        lr.feed(metric)
        assert type(lr.state.best) is float
        assert lr.state.best == metric


def test_copies_part():
    lr = s.reduce_on_plateau(0.1, patience=0)
    lr.feed(1.0)
    for other in (copy.copy(lr), copy.deepcopy(lr)):
        assert other == lr
        other.feed(1.0)
        assert (other(1), lr(1)) == (0.1 * 0.1, 0.1)
        assert other != lr
        assert repr(other) == f"reduce_on_plateau(0.1, patience=0) now at {0.1 * 0.1!r}"
    with pytest.raises(TypeError, match=r"unhashable"):
        hash(lr)


@pytest.mark.parametrize(
    "state, says",
    [
        (dict(current=0.2), r"state: current = 0.2 cannot be with these arguments; it lies from 0.01 to 0.1"),
        (dict(current=0.001), r"state: current = 0.001"),
        (dict(current=math.nan), r"state: current = nan is out of range"),
        (dict(current=0.1, best=math.inf), r"state: best = inf is out of range"),
        (dict(current=0.1, bad_epochs=3), r"state: bad_epochs = 3 cannot be .* from 0 to 2"),
        (dict(current=0.1, bad_epochs=-1), r"state: bad_epochs = -1"),
        (dict(current=0.1, resting=5), r"state: resting = 5 cannot be .* from 0 to 4"),
    ],
)
def test_a_state_that_cannot_be(state, says):
    options = dict(final=0.01, patience=2, cooldown=4)
    with pytest.raises(ValueError, match=says):
        s.reduce_on_plateau(0.1, **options, state=s.PlateauState(**state))
    lr = s.reduce_on_plateau(0.1, **options)
    with pytest.raises(ValueError, match=says):
        lr.resume(s.PlateauState(**state))
    assert lr == s.reduce_on_plateau(0.1, **options)


def test_resume():
    lr, held = s.reduce_on_plateau(0.1, patience=1), s.reduce_on_plateau(0.1, patience=1)
    for metric in (1.0, 2.0, 3.0, 2.0):
        lr.feed(metric)
    held.resume(lr.state)
    assert held == lr
    assert held.feed(5.0) == lr.feed(5.0) < lr.value * 0.1
    with pytest.raises(TypeError, match=r"state = None; give a PlateauState"):
        lr.resume(None)

"""A NaN or an infinity in a gradient: an error that says where, a step left out, or nobody looks."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import NAMES, RULES, World, differences, some_grads

BAD = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shown", BAD)
@pytest.mark.parametrize("name", NAMES[:6])
def test_the_error_names_parameter_value_and_place(name, shown, rule):
    world = World(rule, 1)
    grads = some_grads(world.params, 3)
    place = tuple(n - 1 for n in grads[name].shape)
    grads[name][place] = BAD[shown]
    before = world.everything()
    where = f" at \\[{', '.join(map(str, place))}\\]" if place else ""
    with pytest.raises(
        tw.NonFiniteError, match=rf"the gradient of '{name}' is {shown}{where}; nothing has changed"
    ) as e:
        world.opt.update(world.params, grads)
    assert isinstance(e.value, FloatingPointError)
    assert '"skip"' in str(e.value)
    assert '"allow"' in str(e.value)
    assert differences(world.everything(), before) == []


LAYOUTS = {
    "C": lambda g: g,
    "F": lambda g: np.array(g, order="F"),
    "transposed": lambda g: np.ascontiguousarray(g.T).T,
    "backwards": lambda g: g[::-1, ::-1].copy()[::-1, ::-1],
    "sliced": lambda g: np.repeat(g, 2, axis=1)[:, ::2],
    "float16": lambda g: g.astype(np.float16),
    "float32": lambda g: g.astype(np.float32),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("rule", ["sgd", "novograd"])
def test_the_place_is_that_in_the_gradient_whatever_the_layout(layout, order, rule):
    for place in np.ndindex(3, 4):
        w, g = np.zeros((3, 4), order=order), np.ones((3, 4))
        g[place] = np.inf
        shown = ", ".join(map(str, place))
        with pytest.raises(tw.NonFiniteError, match=rf"'w' is inf at \[{shown}\]"):
            tw.Optimizer(RULES[rule]).update({"ok": np.zeros(2), "w": w}, {"ok": np.zeros(2), "w": LAYOUTS[layout](g)})


def test_one_of_several_is_named():
    g = np.ones((50, 3))
    g[7, 1] = g[40, 2] = np.nan
    with pytest.raises(tw.NonFiniteError, match=r"'b' is nan at \[(7, 1|40, 2)\]"):
        tw.SGD().update({"a": np.zeros(2), "b": np.zeros((50, 3))}, {"a": np.ones(2), "b": g})


@pytest.mark.parametrize("nonfinite", ["raise", "skip"])
def test_a_gradient_that_its_parameter_cannot_hold(nonfinite):
    """1e300 is an infinity in float32, and would make one of the parameter."""
    params, opt = {"w": np.ones(2, np.float32)}, tw.SGD(nonfinite=nonfinite)
    grads = {"w": np.array([1.0, 1e300])}
    if nonfinite == "raise":
        with pytest.raises(tw.NonFiniteError, match=r"'w' .*\[1\]"):
            opt.update(params, grads)
    else:
        opt.update(params, grads)
        assert opt.skipped == 1
    assert params["w"].tolist() == [1, 1]
    assert opt.t == 0


@pytest.mark.parametrize("rule", RULES)
def test_a_skipped_step_changes_nothing_and_is_counted(rule):
    world, other = World(rule, nonfinite="skip"), World(rule)
    seen = []
    for w, rates in ((world, seen), (other, [])):
        w.opt.lr = lambda t, rates=rates: rates.append(t) or 0.5 / t
    for step, bad in enumerate([True, False, True, True, False, False]):
        before = world.everything()
        grads = some_grads(world.params, step)
        if bad:
            grads[NAMES[-1]][2] = np.nan
            assert world.opt.update(world.params, grads) is None
            assert differences(world.everything(), before) == ["skipped"]
            assert world.opt.skipped == before["skipped"] + 1
        else:
            world.opt.update(world.params, grads)
            other.opt.update(other.params, grads)
    assert (world.opt.t, world.opt.skipped, other.opt.skipped) == (3, 3, 0)
    assert differences(world.everything(), other.everything()) == ["skipped"]
    assert max(seen) == 3


@pytest.mark.parametrize("rule", RULES)
def test_a_name_first_seen_in_a_skipped_step_is_new_in_the_next(rule):
    world, other = World(rule, 2, nonfinite="skip"), World(rule, 2)
    for w in (world, other):
        w.params |= {"new": np.full(3, 0.5)}
    grads = some_grads(world.params, 5)
    grads["new"][1] = np.inf
    world.opt.update(world.params, grads)
    assert "new" not in world.opt.state
    for w in (world, other):
        w.steps(2)
    assert differences(world.everything(), other.everything()) == ["skipped"]


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_that_was_none_and_is_skipped_when_it_first_comes(rule):
    last = NAMES[-1]
    world, other = World(rule, nonfinite="skip"), World(rule)
    for w in (world, other):
        w.opt.update(w.params, some_grads(w.params, 1) | {last: None})
    world.opt.update(world.params, some_grads(world.params, 2) | {last: np.full(7, np.nan, "f4")})
    assert world.opt.skipped == 1
    for w in (world, other):
        w.steps(2)
    assert differences(world.everything(), other.everything()) == ["skipped"]


def test_allowed_they_go_where_the_rule_takes_them():
    opt, w = tw.Momentum(lr=1.0, nonfinite="allow"), np.zeros(3)
    opt.update({"w": w}, {"w": np.array([np.nan, np.inf, 1.0])})
    assert np.isnan(w[0])
    assert w[1:].tolist() == [-np.inf, -1.0]
    assert np.isnan(opt.state["w"]["v"][0])
    assert (opt.t, opt.skipped) == (1, 0)


def test_it_can_be_changed_at_any_time():
    opt, w, bad = tw.SGD(), np.zeros(2), {"w": np.array([1.0, np.nan])}
    opt.nonfinite = "skip"
    opt.update({"w": w}, bad)
    assert (opt.nonfinite, opt.t, opt.skipped) == ("skip", 0, 1)
    opt.nonfinite = "allow"
    opt.update({"w": w}, bad)
    assert (opt.t, np.isnan(w).tolist()) == (1, [False, True])
    opt.nonfinite = "raise"
    with pytest.raises(tw.NonFiniteError):
        opt.update({"w": w}, bad)


@pytest.mark.parametrize("value", ["ignore", None, True, 0])
def test_anything_else_is_refused(value):
    with pytest.raises(ValueError, match=r"nonfinite = .*'raise', 'skip', 'allow'"):
        tw.Adam(nonfinite=value)
    opt = tw.Adam()
    with pytest.raises(ValueError, match=r"nonfinite = .*'raise', 'skip', 'allow'"):
        opt.nonfinite = value
    assert opt.nonfinite == "raise"


@pytest.mark.parametrize("rule", ["sgd", "adam"])
def test_parameters_and_state_that_are_not_finite_are_nobodys_business(rule):
    params, opt = {"w": np.array([np.nan, np.inf, 1.0])}, tw.Optimizer(rule)
    opt.update(params, {"w": np.ones(3)})
    assert np.isnan(params["w"][0])
    assert params["w"][1] == np.inf
    assert params["w"][2] < 1


@pytest.mark.parametrize("n", [1, 40_000, 1_000_001])
def test_the_last_of_many(n):
    g = np.ones(n, np.float32)
    g[-1] = np.nan
    with pytest.raises(tw.NonFiniteError, match=rf"\[{n - 1}\]"):
        tw.SGD().update({"w": np.zeros(n, np.float32)}, {"w": g})

"""Parameters by name: those left alone, those that come later, those that go, and several networks."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import novograd, prodigy
from tests.optimizer.worlds import RULES, World, all_bits, bits, differences, rng, some_grads

ALONE = ["sgd", "adam", "novograd"]  # rules whose tensors know nothing of each other


def grads_of(shape, steps, seed=0):
    return [np.array(rng([seed, step]).standard_normal(shape)) for step in range(steps)]


@pytest.mark.parametrize("rule", RULES)
def test_a_gradient_of_none_leaves_its_parameter_alone(rule):
    world = World(rule, 2)
    for step in range(3):
        before, grads = world.everything(), some_grads(world.params, step)
        world.opt.update(world.params, grads | {"p03": None, "p11": None})
        changed = differences(world.everything(), before)
        assert not [where for where in changed if "p03" in where or "p11" in where]
        assert {name for name in world.params if name in changed} == set(world.params) - {"p03", "p11"}


@pytest.mark.parametrize("rule", ALONE)
@pytest.mark.parametrize("missing", [[0], [1], [0, 1, 2], [1, 3, 4], [5], range(6)])
def test_its_steps_are_as_if_those_had_not_been(rule, missing):
    """For a rule with corrections this shows the count too."""
    gradients = grads_of((2, 3), 6)
    opt, alone = (tw.Optimizer(RULES[rule]) for _ in range(2))
    params, single = {"a": np.ones((2, 3)), "b": np.ones((2, 3))}, {"b": np.ones((2, 3))}
    for step, g in enumerate(gradients):
        opt.update(params, {"a": g, "b": None if step in missing else g})
        if step not in missing:
            alone.update(single, {"b": g})
        assert bits(params["b"]) == bits(single["b"])
    assert opt.t == 6


@pytest.mark.parametrize("rule", RULES)
def test_gradients_that_come_and_go_and_come(rule):
    """Every pattern of presence over three names in turn, through one optimizer."""
    results = []
    for order in ("abc", "cba"):
        opt = tw.Optimizer(RULES[rule])
        params = {name: np.full(5, ord(name) / 100) for name in "abc"}
        for step in range(24):
            g = rng([7, step]).standard_normal(5)
            present = {name: g if step >> i & 1 else None for i, name in enumerate("abc")}
            opt.update(params, present if order == "abc" else dict(reversed(present.items())))
        results.append(all_bits(params))
    assert results[0] == results[1]
    assert opt.t == 24


@pytest.mark.parametrize("rule", RULES)
def test_no_gradient_at_all_is_a_step_that_moves_nothing(rule):
    world = World(rule, 2)
    before = world.everything()
    world.opt.update(world.params, dict.fromkeys(world.params))
    assert [w for w in differences(world.everything(), before) if w != "step count"] in ([], ["d", "r"], ["r"])
    assert all_bits(world.params).items() <= before.items()
    assert world.opt.t == 3


@pytest.mark.parametrize("rule", ALONE)
def test_a_name_first_seen_later_starts_as_in_a_new_optimizer(rule):
    opt, fresh = (tw.Optimizer(RULES[rule]) for _ in range(2))
    params, single = {"a": np.ones(3)}, {"b": np.full((2, 2), 0.5)}
    for g in grads_of(3, 4):
        opt.update(params, {"a": g})
    params = {"b": np.full((2, 2), 0.5)} | params
    for step, g in enumerate(grads_of((2, 2), 4, seed=1)):
        opt.update(params, {"a": np.ones(3) * step, "b": g})
        fresh.update(single, {"b": g})
        assert bits(params["b"]) == bits(single["b"])
    assert (opt.t, fresh.t) == (8, 4)


def test_where_a_step_is_shared_all_count_the_optimizers():
    """Prodigy's corrections belong to the model: a late name takes those of the optimizer's t."""
    opt, params = tw.Optimizer(prodigy, d0=1e-3), {"a": np.ones(3)}
    for g in grads_of(3, 3):
        opt.update(params, {"a": g})
    params["b"] = np.full(2, 0.25)
    opt.update(params, {"a": np.ones(3), "b": np.ones(2)})
    assert opt.state["b"]["x0"].tolist() == [0.25, 0.25]
    m, v, d, t = 0.1 * 1e-3, 0.001 * 1e-6, 1e-3, 4
    rate = d * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    assert opt.shared["d"] >= d
    expected = 0.25 - rate * m / (np.sqrt(v) + opt.shared["d"] * 1e-8)
    assert params["b"] == pytest.approx([expected] * 2, rel=1e-3)


@pytest.mark.parametrize("rule", ALONE)
def test_a_name_that_goes_away_and_comes_back_goes_on_where_it_was(rule):
    with_none, without = (tw.Optimizer(RULES[rule]) for _ in range(2))
    one, other = ({"a": np.ones(3), "b": np.ones(3)} for _ in range(2))
    for step, g in enumerate(grads_of(3, 7)):
        away = step in (2, 3, 5)
        with_none.update(one, {"a": g, "b": None if away else -g})
        without.update({"a": other["a"]} if away else other, {"a": g} if away else {"a": g, "b": -g})
        assert all_bits(one) == all_bits(other)
        assert set(without.state) == {"a", "b"}


@pytest.mark.parametrize("rule", ALONE)
def test_two_parameters_in_one_dict_are_two_dicts(rule):
    opt, first, second = (tw.Optimizer(RULES[rule]) for _ in range(3))
    params, a, b = {"a": np.ones(3), "b": np.zeros(4)}, {"a": np.ones(3)}, {"b": np.zeros(4)}
    for step in range(3):
        ga, gb = rng([1, step]).standard_normal(3), rng([2, step]).standard_normal(4)
        opt.update(params, {"a": ga, "b": gb})
        first.update(a, {"a": ga})
        second.update(b, {"b": gb})
    assert all_bits(params) == all_bits(a | b)


def test_a_rule_without_state_serves_several_networks_in_turn():
    opt = tw.SGD(lr=0.5)
    networks = [{"w": np.zeros(3)}, {"w": np.zeros((2, 2), np.float32)}, {"w": np.zeros(3), "b": np.zeros(1)}]
    for _ in range(3):
        for params in networks:
            opt.update(params, {name: np.ones_like(w) for name, w in params.items()})
    assert opt.t == 9
    assert all((w == -1.5).all() for params in networks for w in params.values())


@pytest.mark.parametrize("rule", ["adam", "novograd", "prodigy"])
@pytest.mark.parametrize("other", [np.ones(4), np.ones((3, 1)), np.ones(3, np.float32)])
def test_a_rule_with_state_does_not(rule, other):
    opt, params = tw.Optimizer(RULES[rule]), {"a": np.ones(2), "w": np.ones(3)}
    opt.update(params, {name: np.ones_like(w) for name, w in params.items()})
    before = all_bits(params)
    with pytest.raises(ValueError, match=rf"'w' is {other.dtype} of shape .*float64 of shape \(3,\); use a new"):
        opt.update(params | {"w": other}, {"a": np.ones(2), "w": np.ones_like(other)})
    assert all_bits(params) == before
    assert (other == 1).all()
    assert opt.t == 1
    opt.update(params, {"a": np.ones(2), "w": np.ones(3)})
    assert opt.t == 2


@pytest.mark.parametrize("rule", RULES)
def test_arrays_may_be_replaced_by_others_of_the_same_shape_and_dtype(rule):
    world, other = World(rule), World(rule)
    for step in range(4):
        grads = some_grads(world.params, step)
        world.params = {name: np.array(w) for name, w in world.params.items()}
        world.opt.update(world.params, grads)
        other.opt.update(other.params, grads)
    assert differences(world.everything(), other.everything()) == []


def test_names_may_be_any_strings():
    names = ["", "W 1", "лес", "a.b", "0", "__class__"]
    params = {name: np.ones(2) for name in names}
    opt = tw.Adam()
    opt.update(params, {name: np.ones(2) for name in names})
    assert list(opt.state) == names
    assert len({bits(w) for w in params.values()}) == 1


def test_many_missing_names_are_listed_in_a_readable_way():
    params = {f"W{i}": np.ones(1) for i in range(100)}
    with pytest.raises(ValueError, match=r"no gradient for 'W3', 'W7'") as e:
        tw.SGD().update(params, {name: g for name, g in params.items() if name not in ("W3", "W7")})
    assert len(str(e.value)) < 300


def test_novograds_number_is_kept_by_name():
    opt, params = tw.Optimizer(novograd), {"a": np.ones(2), "b": np.ones(2)}
    opt.update(params, {"a": np.array([3.0, 4.0]), "b": None})
    assert opt.state["a"]["v"] == 25.0
    assert "b" not in opt.state
    opt.update(params, {"a": None, "b": np.array([5.0, 12.0])})
    assert (opt.state["a"]["v"], opt.state["b"]["v"]) == (25.0, 169.0)


def test_a_gradient_that_a_dict_makes_up_is_missing_all_the_same():
    grads = defaultdict(lambda: np.ones(1), {"typo": np.ones(2)})
    params = {"w": np.zeros(1)}
    with pytest.raises(ValueError, match=r"no gradient for 'w'.*'typo'"):
        tw.SGD().update(params, grads)
    assert (params["w"].tolist(), list(grads)) == ([0.0], ["typo"])

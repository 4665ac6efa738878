"""Groups with rules of their own: each is an optimizer of its own, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from thalweg import schedules


def run(opt, own, steps=4, seed=0):
    for step in range(steps):
        g = {n: np.random.default_rng([seed, step, i]).standard_normal(w.shape) for i, (n, w) in enumerate(own.items())}
        opt.update(own, g)
    return {name: w.tobytes() for name, w in own.items()}


def alone(make, own, name, steps=4):
    """Return one parameter of several after the same steps by an optimizer of its own."""
    opt = make()
    for step in range(steps):
        i = list(own).index(name)
        opt.update({name: own[name]}, {name: np.random.default_rng([0, step, i]).standard_normal(own[name].shape)})
    return own[name].tobytes()


@pytest.mark.parametrize(
    "first, second",
    [
        (lambda: tw.Adam(lr=0.1), lambda: tw.SGD(lr=0.5)),
        (lambda: tw.SGD(lr=0.5), lambda: tw.Adam(lr=0.1)),
        (tw.Adam, lambda: tw.Adam(convention="torch", lr=0.1)),
        (tw.Momentum, lambda: tw.Optimizer(novograd)),
        (tw.Adam, lambda: tw.Optimizer(adafactor)),
        (tw.AdaGrad, lambda: tw.Adam(lr=schedules.step(0.1, every=2))),
        (tw.Adam, lambda: tw.Optimizer(prodigy, d0=1e-3)),
    ],
)
def test_another_rule_in_a_group_is_another_optimizer_bit_for_bit(first, second):
    rng = np.random.default_rng(5)
    own = {name: rng.standard_normal((3, 4)) for name in ("W", "b", "V")}
    opt = first()
    opt = type(opt)(**_given(opt), groups={"b": second()})
    both = {name: w.copy() for name, w in own.items()}
    ends = run(opt, both)
    assert ends["b"] == alone(second, {n: w.copy() for n, w in own.items()}, "b")
    assert ends["W"] == alone(first, {n: w.copy() for n, w in own.items()}, "W")
    assert list(opt.state["b"]) == [s for s in second().rule.slots if second().rule.slots[s].shape != "shared"]


def _given(opt):
    return opt.hyperparams


def test_two_groups_of_one_rule_are_two_optimizers_bit_for_bit():
    rng = np.random.default_rng(6)
    own = {name: rng.standard_normal((3, 4)) for name in ("a", "b", "c")}
    both = {name: w.copy() for name, w in own.items()}
    ends = run(tw.Adam(lr=0.1, groups={"a": {"lr": 0.5, "beta1": 0.5}, "b": {"eps": 0.1}}), both)
    for name, make in {
        "a": lambda: tw.Adam(lr=0.5, beta1=0.5),
        "b": lambda: tw.Adam(lr=0.1, eps=0.1),
        "c": lambda: tw.Adam(lr=0.1),
    }.items():
        assert ends[name] == alone(make, {n: w.copy() for n, w in own.items()}, name)


def test_an_optimizer_as_a_group_has_its_own_numbers_and_follows_nobody():
    opt = tw.Adam(lr=0.5, groups={"b": tw.Adam(), "c": tw.SGD(lr=0.25)})
    opt.lr = 0.75
    assert opt.groups["c"].lr == 0.25
    assert opt.groups["c"].rule.name == "sgd"
    assert not hasattr(opt.groups["c"], "beta1")


def test_a_rule_with_another_one_for_vectors():
    matrices = tw.rule(
        "def halves(w, g, *, lr=1.0):\n    w = w - lr * (g - mean(g, axis=-1))\n    return w", vectors=tw.RULES["sgd"]
    )
    own = {"W": np.zeros((2, 2)), "b": np.zeros(2), "W2": np.zeros((2, 2)), "b2": np.zeros(2)}
    g = np.array([[1.0, 3.0], [5.0, 5.0]])
    opt = tw.SGD(lr=1.0, groups={"*2": tw.Optimizer(matrices, lr=0.5)})
    opt.update(own, {"W": g, "b": g[0], "W2": g, "b2": g[0]})
    assert own["W"].tolist() == (-g).tolist()
    assert own["W2"].tolist() == [[0.5, -0.5], [0.0, 0.0]]
    assert own["b2"].tolist() == [-0.5, -1.5]


def test_a_number_of_the_whole_model_cannot_differ_between_groups():
    for name in ("beta2", "d0"):
        with pytest.raises(ValueError, match=rf"'b'.*`{name}` belongs to a number.*whole model"):
            tw.Optimizer(prodigy, groups={"b": {name: 0.5}})
    opt = tw.Optimizer(prodigy, groups={"b": {"eps": 1e-3}})
    with pytest.raises(ValueError, match=r"`beta2` belongs to a number.*cannot differ between groups"):
        opt.groups["b"].beta2 = 0.5
    assert opt.groups["b"].beta2 == opt.beta2 == 0.999
    opt.beta2 = 0.75
    assert opt.groups["b"].beta2 == 0.75


def test_two_rules_that_keep_the_same_number_for_the_whole_model():
    other = tw.rule(
        "def other(w, g, d, *, lr=0.1):\n    d = d + total(sum(g))\n    w = w - lr * d * g\n    return w, d",
        state={"d": tw.shared(0.0)},
    )
    with pytest.raises(ValueError, match=r"both keep `d` for the whole model; use an optimizer for each"):
        tw.Optimizer(prodigy, groups={"b": tw.Optimizer(other)})


@pytest.mark.parametrize(
    "groups, kind, message",
    [
        ([("*.b", {})], TypeError, "groups is a dict"),
        ("*.b", TypeError, "groups is a dict"),
        ({3: {}}, TypeError, "a pattern is a string.*3 is of type int"),
        ({None: {}}, TypeError, "a pattern is a string"),
        ({"*.b": 0.1}, TypeError, "'\\*.b' is of type float; give a dict"),
        ({"*.b": "freeze"}, TypeError, "'\\*.b' is of type str"),
        ({"*.b": tw.SGD}, TypeError, "'\\*.b' is of type type"),
        ({"*.b": tw.RULES["sgd"]}, TypeError, "'\\*.b' is of type Rule"),
        ({"*.b": tw.chain(tw.l2(0.1), tw.SGD())}, ValueError, "links go around the whole chain"),
        ({"*.b": tw.SGD(groups={"x": None})}, ValueError, "with a rule and its numbers alone"),
    ],
)
def test_bad_groups(groups, kind, message):
    with pytest.raises(kind, match=message):
        tw.Adam(groups=groups)


@pytest.mark.usefixtures("kernels")
def test_by_kernels():
    rng = np.random.default_rng(7)
    own = {name: rng.standard_normal((30, 40)).astype(np.float32) for name in ("W", "b", "V", "s")}
    both = {name: w.copy() for name, w in own.items()}
    groups = {"b": tw.SGD(lr=0.5), "V": {"lr": 0.25}, "s": None}
    opt = tw.Adam(lr=0.1, groups=groups)
    for step in range(4):
        g = {name: np.random.default_rng([step, i]).standard_normal(w.shape) for i, (name, w) in enumerate(own.items())}
        opt.update(both, g)
    for name, make in {
        "W": lambda: tw.Adam(lr=0.1),
        "b": lambda: tw.SGD(lr=0.5),
        "V": lambda: tw.Adam(lr=0.25),
    }.items():
        single, alone = make(), {name: own[name].copy()}
        for step in range(4):
            g = np.random.default_rng([step, list(own).index(name)]).standard_normal((30, 40))
            single.update(alone, {name: g})
        assert alone[name].tobytes() == both[name].tobytes()
    assert both["s"].tobytes() == own["s"].tobytes()

"""A rule of the user's own, rules that need the loss, and update with a closure."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.optimizer.worlds import World, all_bits, some_grads, some_params
from thalweg.words import total


@tw.rule(source="Bernstein et al. 2018, arXiv:1802.04434, Algorithm 2", ranges={"share": "[0, 1]"})
def signum(w, g, m, *, lr=0.01, beta=0.9, share=1.0):
    m = beta * m + (1 - beta) * g
    w = w - lr * (share * np.sign(m) + (1 - share) * m)
    return w, m


@tw.rule(source="Polyak 1987, section 5.3: the step that would reach the value `target` on a straight slope")
def polyak(w, g, *, value, target=0.0, largest=1.0):
    slope = total(np.sum(g * g))
    rate = np.minimum((value - target) / slope, largest) if slope > 0 else 0.0
    w = w - rate * g
    return w


@tw.rule
def needs_a_rate(w, g, *, lr):
    w = w - lr * g
    return w


def test_a_rule_with_a_decorator():
    opt, w = tw.Optimizer(signum, lr=0.5, share=0.5), np.array([1.0, -1.0, 0.0])
    opt.update({"w": w}, {"w": np.array([2.0, -4.0, 0.0])})
    # m = 0.1 g; w - 0.5 * (0.5 sign(m) + 0.5 m)
    assert w == pytest.approx([1 - 0.25 - 0.05, -1 + 0.25 + 0.1, 0.0], rel=1e-12)
    assert opt.rule is signum
    assert (opt.rule.name, opt.rule.title, opt.rule.convention_name) == ("signum", "Signum", "paper")
    assert opt.hyperparams == {"lr": 0.5, "beta": 0.9, "share": 0.5}
    assert repr(opt).startswith("Signum(lr=0.5, beta=0.9, share=0.5")
    opt.share = 1.0
    with pytest.raises(ValueError, match="0 <= share <= 1"):
        opt.share = 1.1


def test_the_same_as_a_text():
    text = tw.rule(
        """
        def signum(w, g, m, *, lr=0.01, beta=0.9, share=1.0):
            m = beta * m + (1 - beta) * g
            w = w - lr * (share * sign(m) + (1 - share) * m)
            return w, m
        """
    )
    first, second = World(signum, 3), World(text, 3)
    assert all_bits(first.params) == all_bits(second.params)


def test_a_hyper_parameter_without_a_default_has_to_be_given():
    with pytest.raises(TypeError, match=r"NeedsARate: `lr` has no default; give it"):
        tw.Optimizer(needs_a_rate)
    w = np.ones(1)
    tw.Optimizer(needs_a_rate, 0.25).update({"w": w}, {"w": np.ones(1)})
    assert w[0] == 0.75


def test_names_that_every_optimizer_has_are_refused():
    rule = tw.rule("def bad(w, g, *, state=0.1):\n    w = w - state * g\n    return w")
    with pytest.raises(ValueError, match=r"every optimizer has a `state`"):
        tw.Optimizer(rule)


def loss(params):
    return sum(float((w.astype(np.float64) ** 2).sum()) for w in params.values())


def test_a_rule_that_needs_the_loss():
    opt, params = tw.Optimizer(polyak), {"a": np.array([3.0]), "b": np.array([4.0])}
    grads = {name: 2 * w for name, w in params.items()}
    opt.update(params, grads, value=25.0)
    # rate = 25 / (4 * 25) = 1/4, so w - 2 w / 4 = w / 2
    assert (params["a"][0], params["b"][0]) == (1.5, 2.0)
    opt.update(params, {name: 2 * w for name, w in params.items()}, value=np.float32(6.25))
    assert (params["a"][0], params["b"][0]) == (0.75, 1.0)


@pytest.mark.parametrize(
    "value, kind, message",
    [
        (None, TypeError, r"Polyak needs the loss of the step: update\(params, grads, value=loss\)"),
        (np.nan, tw.NonFiniteError, "the loss .* is nan"),
        (-np.inf, tw.NonFiniteError, "the loss .* is -inf"),
        ("1.0", TypeError, "loss"),
        (True, TypeError, "loss"),
        (1j, TypeError, "loss"),
        (np.ones(2), TypeError, "loss"),
    ],
)
def test_a_loss_that_is_none(value, kind, message):
    opt, params = tw.Optimizer(polyak), some_params()
    opt.update(params, some_grads(params, 0), value=1.0)
    before = all_bits(params)
    with pytest.raises(kind, match=message):
        opt.update(params, some_grads(params, 0), value=value)
    assert (all_bits(params), opt.t) == (before, 1)


def test_a_loss_for_a_rule_that_needs_none_is_ignored():
    first, second = some_params(), some_params()
    tw.Adam().update(first, some_grads(first, 0), value=3.0)
    tw.Adam().update(second, some_grads(second, 0))
    assert all_bits(first) == all_bits(second)


@pytest.mark.parametrize("rule", [polyak, "adam"])
def test_a_closure_gives_value_and_gradients(rule):
    opt, other = tw.Optimizer(rule), tw.Optimizer(rule)
    params, twin = some_params(), some_params()
    asked = []

    def closure(given):
        asked.append(given)
        return loss(given), {name: 2 * np.asarray(w) for name, w in given.items()}

    for _ in range(3):
        value, grads = loss(twin), {name: 2 * np.asarray(w) for name, w in twin.items()}
        assert opt.update(params, closure=closure) == value
        assert other.update(twin, grads, value=value) is None
    assert all_bits(params) == all_bits(twin)
    assert len(asked) == 3
    assert all(given is params for given in asked)


def test_a_closure_takes_the_place_of_gradients_and_value():
    params, opt = {"w": np.ones(1)}, tw.SGD()
    for extra in (dict(grads={"w": np.ones(1)}), dict(value=1.0)):
        with pytest.raises(TypeError, match="closure"):
            opt.update(params, closure=lambda p: (0.0, p), **extra)
    assert (params["w"][0], opt.t) == (1.0, 0)

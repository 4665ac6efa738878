"""A rule for matrices that names another one for vectors: two rules in one step, which is still all or nothing."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.extra_rules import adafactor
from tests.optimizer.worlds import all_bits, bits, rng
from thalweg.words import mean, norm, sqrt


@tw.rule
def root(w, g, m, *, lr=0.1, scale=1.0):
    m = m + g
    w = w - lr * sqrt(scale - norm(g)) * m
    return w, m


@tw.rule(state={"r": tw.rows()}, vectors=root)
def by_rows(w, g, r, *, t, lr=0.1, damping=0.5):
    r = r + mean(g * g, axis=-1) / t
    w = w - lr / damping * g / (1 + sqrt(r))
    return w, r


@tw.rule(vectors=root)
def whole(w, g, m, *, lr=0.1):
    m = m + g @ g.T @ g
    w = w - lr * m
    return w, m


PARAMS = {"W": (3, 4), "b": (4,), "s": (), "V": (2, 2, 3), "c": (1,)}


def start(seed=1):
    return {name: np.array(rng([seed, i]).standard_normal(shape)) for i, (name, shape) in enumerate(PARAMS.items())}


def small(seed):
    return {name: np.array(0.01 * g) for name, g in start(seed).items()}


@pytest.mark.parametrize("rule", [by_rows, whole])
def test_each_parameter_gets_the_rule_of_its_shape(rule):
    opt, params = tw.Optimizer(rule), start()
    matrices, vectors = tw.Optimizer(rule), tw.Optimizer(root)
    apart = start()
    for step in range(3):
        grads = small(step + 5)
        opt.update(params, grads)
        for other, names in ((matrices, "WV"), (vectors, "bsc")):
            other.update({name: apart[name] for name in names}, {name: grads[name] for name in names})
    assert all_bits(params) == all_bits(apart)
    assert {name: list(slots) for name, slots in opt.state.items()} == {
        name: list((rule if len(shape) > 1 else root).slots) for name, shape in PARAMS.items()
    }


def test_the_numbers_of_both_rules_are_the_optimizers():
    opt = tw.Optimizer(by_rows, 0.5, damping=0.25, scale=2.0)
    assert opt.hyperparams == {"lr": 0.5, "damping": 0.25, "scale": 2.0}
    opt.lr, opt.scale = 0.125, 4.0
    w = {"b": np.ones(1)}
    opt.update(w, {"b": np.array([3.0])})
    # sqrt(4 - 3) = 1, m = 3
    assert w["b"].tolist() == [1 - 0.125 * 3]


@pytest.mark.parametrize("rule", [by_rows, whole])
@pytest.mark.parametrize("steps", [0, 2])
def test_the_other_rules_error_leaves_both_as_they_were(rule, steps):
    """The norm of the last vector is too large for its root; the matrices could have gone on."""
    opt, params, other, twin = tw.Optimizer(rule), start(), tw.Optimizer(rule), start()
    for step in range(steps):
        opt.update(params, small(step))
        other.update(twin, small(step))
    before = all_bits(params), {(n, s): bits(a) for n, slots in opt.state.items() for s, a in slots.items()}, opt.t
    with pytest.raises(tw.NumberError, match=r"root, line \d+"):
        opt.update(params, small(9) | {"c": np.array([100.0])})
    assert before == (
        all_bits(params),
        {(n, s): bits(a) for n, slots in opt.state.items() for s, a in slots.items()},
        opt.t,
    )
    for step in range(2):
        opt.update(params, small(step))
        other.update(twin, small(step))
    assert all_bits(params) == all_bits(twin)


@pytest.mark.parametrize("name", PARAMS)
def test_a_gradient_that_is_not_finite_is_found_in_either(name):
    opt, params = tw.Optimizer(by_rows), start()
    before = all_bits(params)
    grads = small(3)
    grads[name][(0,) * grads[name].ndim] = np.nan
    with pytest.raises(tw.NonFiniteError, match=f"'{name}' is nan"):
        opt.update(params, grads)
    assert (all_bits(params), dict(opt.state)) == (before, {})
    opt.nonfinite = "skip"
    opt.update(params, grads)
    assert (all_bits(params), opt.skipped, opt.t) == (before, 1, 0)


def test_vectors_without_a_rule_are_refused_before_anything_changes():
    opt, params = tw.Optimizer(adafactor), {"W": np.ones((2, 3)), "b": np.ones(3)}
    with pytest.raises(ValueError, match=r"'b' has shape \(3,\); .*vectors="):
        opt.update(params, {"W": np.ones((2, 3)), "b": np.ones(3)})
    assert (params["W"] == 1).all()
    assert (opt.t, dict(opt.state)) == (0, {})
    opt.update(params, {"W": np.ones((2, 3)), "b": None})
    assert opt.t == 1

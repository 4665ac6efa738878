"""Chains against torch: its clipping, its decay, its averages, and rules of it with a few lines around them."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import distance
from tests.transforms.chains import DTYPES, STEPS, TOLERANCE, Torch, apart, gradients, start

torch = pytest.importorskip("torch", reason="oracle torch is not installed")
pytestmark = pytest.mark.usefixtures("meaning")
clip_value, clip_norm = torch.nn.utils.clip_grad_value_, torch.nn.utils.clip_grad_norm_

LR = 0.07
# name -> (our rule in torch's convention, torch's class, its numbers)
RULES = {
    "sgd": (lambda: tw.SGD(lr=LR, convention="torch"), "SGD", dict(lr=LR)),
    "momentum": (lambda: tw.Momentum(lr=LR, convention="torch"), "SGD", dict(lr=LR, momentum=0.9)),
    "nesterov": (lambda: tw.Nesterov(lr=LR, convention="torch"), "SGD", dict(lr=LR, momentum=0.9, nesterov=True)),
    "adagrad": (lambda: tw.AdaGrad(lr=LR, convention="torch"), "Adagrad", dict(lr=LR)),
    "rmsprop": (lambda: tw.RMSprop(lr=LR, convention="torch"), "RMSprop", dict(lr=LR)),
    "adam": (lambda: tw.Adam(lr=LR, eps=1e-3, convention="torch"), "Adam", dict(lr=LR, eps=1e-3)),
}
every_rule = pytest.mark.parametrize("rule", RULES)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def each(leaves, limit):
    for leaf in leaves.values():
        clip_norm([leaf], limit)


BEFORE = {
    "clip_value": (lambda: tw.clip_value(0.4), lambda leaves, t: clip_value(leaves.values(), 0.4)),
    "clip_norm": (lambda: tw.clip_norm(0.9, eps=1e-6), lambda leaves, t: each(leaves, 0.9)),
    "clip_global_norm": (
        lambda: tw.clip_global_norm(1.3, eps=1e-6),
        lambda leaves, t: clip_norm(leaves.values(), 1.3),
    ),
}


@pytest.mark.parametrize("link", BEFORE)
@every_rule
@dtypes
def test_clipping(link, rule, dtype):
    ours, theirs = BEFORE[link]
    make, cls, numbers = RULES[rule]
    oracle = Torch(start(dtype), cls, before=theirs, **numbers)
    assert apart(tw.chain(ours(), make()), oracle, dtype) <= TOLERANCE[dtype]


@every_rule
@dtypes
def test_l2_is_the_weight_decay_of_every_rule_but_adamw(rule, dtype):
    make, cls, numbers = RULES[rule]
    oracle = Torch(start(dtype), cls, weight_decay=0.3, **numbers)
    assert apart(tw.chain(tw.l2(0.3), make()), oracle, dtype) <= TOLERANCE[dtype]


@dtypes
def test_decoupled_decay_makes_adamw_of_adam(dtype):
    make, _, numbers = RULES["adam"]
    oracle = Torch(start(dtype), "AdamW", weight_decay=0.3, **numbers)
    assert apart(tw.chain(make(), tw.decoupled_decay(0.3)), oracle, dtype) <= TOLERANCE[dtype]
    assert apart(tw.chain(tw.decoupled_decay(0.3), make()), oracle_of_adamw(dtype), dtype) <= TOLERANCE[dtype]


def oracle_of_adamw(dtype):
    return Torch(start(dtype), "AdamW", weight_decay=0.3, lr=LR, eps=1e-3)


@pytest.mark.parametrize("scale", ["lr", "absolute"])
@every_rule
@dtypes
def test_decoupled_decay_of_every_rule_shrinks_the_parameter_before_the_step(scale, rule, dtype):
    make, cls, numbers = RULES[rule]
    factor = 1 - (0.02 if scale == "absolute" else LR * 0.02)

    def shrink(leaves, t):
        for leaf in leaves.values():
            leaf.mul_(factor)

    oracle = Torch(start(dtype), cls, before=shrink, **numbers)
    assert apart(tw.chain(make(), tw.decoupled_decay(0.02, scale)), oracle, dtype) <= TOLERANCE[dtype]


@every_rule
@dtypes
def test_bounds_are_a_clamp_behind_the_step(rule, dtype):
    make, cls, numbers = RULES[rule]
    for low, high in ((-0.5, 0.8), (None, 0.8), (-0.5, None)):

        def clamp(leaves, t, low=low, high=high):
            for leaf in leaves.values():
                leaf.clamp_(low, high)

        oracle = Torch(start(dtype), cls, behind=clamp, **numbers)
        assert apart(tw.chain(make(), tw.bounds(low, high)), oracle, dtype) <= TOLERANCE[dtype]


@every_rule
@dtypes
def test_accumulate_is_the_mean_of_the_gradients_that_backward_adds_up(rule, dtype):
    make, cls, numbers = RULES[rule]
    opt, params = tw.chain(tw.accumulate(4), make()), start(dtype)
    oracle, theirs = Torch(params, cls, **numbers), start(dtype)
    path, other = [], []
    given = gradients(STEPS, dtype)
    for k, grads in enumerate(given):
        opt.update(params, grads)
        if k % 4 == 3:
            means = {name: sum(g[name] / np.array(4, dtype) for g in given[k - 3 : k + 1]) for name in params}
            oracle.update(theirs, means)
        path.append({name: w.copy() for name, w in params.items()})
        other.append({name: w.copy() for name, w in theirs.items()})
    assert opt.t == STEPS // 4
    assert distance(path, other) <= TOLERANCE[dtype]


def averages(params, steps, dtype, **options):
    """The averages that torch.optim.swa_utils keeps of Adam's parameters, updated where `steps` says so."""
    module = torch.nn.ParameterDict({name: torch.tensor(w) for name, w in params.items()})
    averaged = torch.optim.swa_utils.AveragedModel(module, **options)
    opt = torch.optim.Adam(module.parameters(), lr=LR, eps=1e-3)
    path = []
    for t, grads in enumerate(gradients(STEPS, dtype), 1):
        for name, leaf in module.items():
            leaf.grad = torch.tensor(grads[name])
        opt.step()
        if t < min(steps, default=1):
            path.append({name: w.detach().numpy().copy() for name, w in module.items()})
            continue
        if t in steps:
            averaged.update_parameters(module)
        path.append({name: w.detach().numpy().copy() for name, w in averaged.module.items()})
    return path


def own_averages(link, dtype):
    params = start(dtype)
    opt = tw.chain(RULES["adam"][0](), link)
    path = []
    for grads in gradients(STEPS, dtype):
        opt.update(params, grads)
        with opt.averaged() as shown:
            path.append({name: w.copy() for name, w in shown.items()})
    return path


ALL = range(1, STEPS + 1)
AVERAGES = {
    "ema": (lambda: tw.ema(0.83), ALL, lambda: dict(multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.83))),
    "polyak": (tw.polyak, ALL, dict),
    "swa every step": (tw.swa, ALL, dict),
    "swa from 7": (lambda: tw.swa(start=7), range(7, STEPS + 1), dict),
    "swa every third from 7": (lambda: tw.swa(start=7, every=3), range(7, STEPS + 1, 3), dict),
}


@pytest.mark.parametrize("case", AVERAGES)
@dtypes
def test_averages_are_those_of_averaged_model(case, dtype):
    make, steps, options = AVERAGES[case]
    theirs = averages(start(dtype), steps, dtype, **options())
    assert distance(own_averages(make(), dtype), theirs) <= TOLERANCE[dtype]


@dtypes
def test_where_torch_rounds_as_we_do_the_bits_agree(dtype):
    """Clipping by value and bounds select, and -lr * g with lr = 2**-4 is exact: one rounding is left, the sum's."""
    make = lambda: tw.chain(tw.clip_value(0.4), tw.SGD(lr=2.0**-4), tw.bounds(-0.9, 0.7))  # noqa: E731
    params, theirs = start(dtype), start(dtype)
    oracle = Torch(
        theirs,
        "SGD",
        lr=2.0**-4,
        before=lambda leaves, t: clip_value(leaves.values(), 0.4),
        behind=lambda leaves, t: [leaf.clamp_(-0.9, 0.7) for leaf in leaves.values()],
    )
    opt = make()
    for grads in gradients(STEPS, dtype):
        opt.update(params, grads)
        oracle.update(theirs, grads)
    assert {name: w.tobytes() for name, w in params.items()} == {name: w.tobytes() for name, w in theirs.items()}

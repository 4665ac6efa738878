"""Rules against optax in float64: the convention "optax", and others where its form is one of ours."""

from __future__ import annotations

import pytest

import thalweg as tw
from tests.extra_rules import adafactor, novograd, prodigy
from tests.rules.sequences import distance, path_of, start, wide

jax = pytest.importorskip("jax", reason="oracle jax is not installed")
optax = pytest.importorskip("optax", reason="oracle optax is not installed")

STEPS = 40
# Later rules are compared in test_oracles.
CLASSIC = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
# 40 steps of some tens of roundings of 1.1e-16; optax takes the power of t in float32 (6e-8) for Adafactor's decay
TOLERANCE = {"adafactor": 1e-7}
DOUBLE = 1e-13


def cases():
    """(our optimizer, optax's transformation): never the defaults of either alone."""
    contrib, own = pytest.importorskip("optax.contrib"), {"convention": "optax"}
    adam = dict(lr=0.3, beta1=0.8, beta2=0.97, eps=1e-3, eps_root=1e-4)
    theirs = optax.adam(0.3, b1=0.8, b2=0.97, eps=1e-3, eps_root=1e-4)
    return {
        "sgd": (tw.SGD(lr=0.3, **own), optax.sgd(0.3)),
        "momentum": (tw.Momentum(lr=0.3, momentum=0.7, **own), optax.sgd(0.3, 0.7)),
        "nesterov": (tw.Nesterov(lr=0.3, momentum=0.7, **own), optax.sgd(0.3, 0.7, nesterov=True)),
        "adagrad": (
            tw.AdaGrad(lr=0.3, initial_accumulator=0.2, eps=1e-3, **own),
            optax.adagrad(0.3, initial_accumulator_value=0.2, eps=1e-3),
        ),
        "adagrad defaults": (tw.AdaGrad(lr=0.3, **own), optax.adagrad(0.3)),
        "adagrad eps 0": (
            tw.AdaGrad(lr=0.3, initial_accumulator=0.0, eps=0.0, **own),
            optax.adagrad(0.3, initial_accumulator_value=0.0, eps=0.0),
        ),
        "rmsprop": (
            tw.RMSprop(lr=0.3, decay_rate=0.7, eps=1e-3, initial_accumulator=0.2, momentum=0.6, **own),
            optax.rmsprop(0.3, 0.7, eps=1e-3, initial_scale=0.2, momentum=0.6),
        ),
        "rmsprop defaults": (tw.RMSprop(lr=0.3, **own), optax.rmsprop(0.3)),
        "rmsprop eps outside": (
            tw.RMSprop(lr=0.3, decay_rate=0.7, eps=1e-3, convention="paper"),
            optax.rmsprop(0.3, 0.7, eps=1e-3, eps_in_sqrt=False),
        ),
        "adam": (tw.Adam(**adam, **own), theirs),
        "adam defaults": (tw.Adam(lr=0.3, **own), optax.adam(0.3)),
        "adam paper": (tw.Adam(**adam, convention="paper"), theirs),
        "adam torch": (tw.Adam(**adam, convention="torch"), theirs),
        "novograd": (
            tw.Optimizer(novograd, lr=0.03, beta1=0.8, beta2=0.6, eps=1e-3, weight_decay=0.07),
            optax.novograd(0.03, b1=0.8, b2=0.6, eps=1e-3, weight_decay=0.07),
        ),
        "prodigy": (
            tw.Optimizer(prodigy, lr=0.7, beta1=0.8, beta2=0.97, eps=1e-3, d0=1e-4),
            contrib.prodigy(0.7, betas=(0.8, 0.97), eps=1e-3, estim_lr0=1e-4),
        ),
        "adafactor": (
            tw.Optimizer(adafactor, decay=0.7, clipping=0.9, eps1=1e-9),
            optax.adafactor(1e-2, min_dim_size_to_factor=1, decay_rate=0.7, clipping_threshold=0.9, eps=1e-9),
        ),
    }


class Optax:
    """A gradient transformation with our call."""

    def __init__(self, transformation, params):
        self.update_, self.state = transformation.update, transformation.init(jax.tree.map(jax.numpy.asarray, params))

    def update(self, params, grads):
        """Take one step and copy the result into params."""
        updates, self.state = self.update_(
            jax.tree.map(jax.numpy.asarray, grads), self.state, jax.tree.map(jax.numpy.asarray, params)
        )
        for name, step in updates.items():
            assert step.dtype == "float64"
            params[name][...] += step


@pytest.fixture
def double():
    """jax computes in float32 unless it is told otherwise."""
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        yield


NAMES = (
    "sgd", "momentum", "nesterov", "novograd", "prodigy", "adafactor",
    "adagrad", "adagrad defaults", "adagrad eps 0", "rmsprop", "rmsprop defaults", "rmsprop eps outside",
    "adam", "adam defaults", "adam paper", "adam torch",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_forty_steps(name, double):
    opt, transformation = cases()[name]
    matrices = {key: w for key, w in start().items() if w.ndim == 2 or name != "adafactor"}
    gradients = wide(STEPS, decades=6, shapes={key: w.shape for key, w in matrices.items()})
    params = {key: w.copy() for key, w in matrices.items()}
    path = path_of(Optax(transformation, params), params, gradients)
    params = {key: w.copy() for key, w in matrices.items()}
    assert distance(path_of(opt, params, gradients), path) <= TOLERANCE.get(name, DOUBLE)


def test_every_rule_in_its_optax_convention_is_here():
    """With each of its numbers but eps_root where optax has one eps alone, inside of the root."""
    mine = cases()
    assert mine.keys() == set(NAMES)
    for name, rule in ((name, tw.RULES[name]) for name in CLASSIC):
        given = [opt for opt, _ in mine.values() if opt.rule is rule.conventions["optax"]]
        for number, default in rule.conventions["optax"].defaults.items():
            if number == "eps_root" and name != "adam":
                continue
            assert any(opt.hyperparams[number] != default for opt in given), (name, number)

"""The conventions "keras" and "sklearn" against the libraries, in float64: the same bits."""

from __future__ import annotations

import os

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import copied, path_of, start, wide

os.environ.setdefault("KERAS_BACKEND", "jax")
RMSPROP = dict(lr=0.7, decay_rate=0.6, momentum=0.3, eps=1e-3)
KERAS_RMSPROP = dict(learning_rate=0.7, rho=0.6, momentum=0.3, epsilon=1e-3)
ADAM = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3)
# Later rules are compared in test_oracles, up to rounding.
CLASSIC = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam")
# (rule, our numbers, Keras's class, its numbers): the defaults of both where Keras has them, then numbers that are none
CASES = {
    "sgd": ("sgd", {}, "SGD", {}),
    "sgd-numbers": ("sgd", dict(lr=0.37), "SGD", dict(learning_rate=0.37)),
    "momentum": ("momentum", {}, "SGD", dict(momentum=0.9)),
    "momentum-numbers": (
        "momentum", dict(lr=0.37, momentum=0.41),
        "SGD", dict(learning_rate=0.37, momentum=0.41),
    ),
    "nesterov": ("nesterov", {}, "SGD", dict(momentum=0.9, nesterov=True)),
    "nesterov-numbers": (
        "nesterov", dict(lr=0.37, momentum=0.41),
        "SGD", dict(learning_rate=0.37, momentum=0.41, nesterov=True),
    ),
    "adagrad": ("adagrad", {}, "Adagrad", {}),
    "adagrad-numbers": (
        "adagrad", dict(lr=0.7, initial_accumulator=0.3, eps=1e-3),
        "Adagrad", dict(learning_rate=0.7, initial_accumulator_value=0.3, epsilon=1e-3),
    ),
    "rmsprop": ("rmsprop", {}, "RMSprop", {}),
    "rmsprop-numbers": ("rmsprop", RMSPROP, "RMSprop", KERAS_RMSPROP),
    "rmsprop-centered": ("rmsprop", {}, "RMSprop", dict(centered=True)),
    "rmsprop-centered-numbers": ("rmsprop", RMSPROP, "RMSprop", KERAS_RMSPROP | dict(centered=True)),
    "adam": ("adam", {}, "Adam", {}),
    "adam-numbers": ("adam", ADAM, "Adam", dict(learning_rate=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3)),
}  # fmt: skip
# of these Keras has none
NOT_KERAS = {"eps_root", "initial_accumulator of rmsprop"}


@pytest.fixture
def keras():
    """Keras in float64, with JAX or NumPy below it; its learning rate is of its own float type too."""
    jax = pytest.importorskip("jax", reason="oracle jax is not installed")
    module = pytest.importorskip("keras", reason="oracle keras is not installed")
    if module.backend.backend() not in ("jax", "numpy"):
        pytest.skip("oracle keras runs on another backend")
    before = module.config.floatx()
    module.config.set_floatx("float64")
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        yield module
    module.config.set_floatx(before)


class Keras:
    """An optimizer of Keras, with our call."""

    def __init__(self, module, cls, numbers, params):
        self.variables = {name: module.Variable(w, dtype="float64") for name, w in params.items()}
        self.opt = getattr(module.optimizers, cls)(**numbers)

    def update(self, params, grads):
        """Take one step and copy the result into params."""
        self.opt.apply([grads[name] for name in self.variables], list(self.variables.values()))
        for name, variable in self.variables.items():
            params[name][...] = np.asarray(variable.value)


class ScikitLearn:
    """The Adam of scikit-learn's networks, with our call."""

    def __init__(self, params, **numbers):
        module = pytest.importorskip(
            "sklearn.neural_network._stochastic_optimizers", reason="oracle sklearn is not installed"
        )
        self.opt = module.AdamOptimizer(list(params.values()), **numbers)

    def update(self, params, grads):
        """Take one step in place."""
        self.opt.update_params(list(params.values()), list(grads.values()))


def assert_same_bits(path, other):
    for point, expected in zip(path, other, strict=True):
        assert {k: w.tobytes() for k, w in point.items()} == {k: w.tobytes() for k, w in expected.items()}


@pytest.mark.parametrize("case", CASES)
def test_keras_over_12_decades_with_exact_zeros(case, keras):
    name, numbers, cls, theirs = CASES[case]
    gradients, params = wide(40), start()
    path = path_of(Keras(keras, cls, theirs, params), copied(params), gradients)
    form = "keras-centered" if "centered" in theirs else "keras"
    assert_same_bits(path_of(tw.Optimizer(name, convention=form, **numbers), params, gradients), path)


@pytest.mark.parametrize(
    "numbers, theirs",
    [
        ({}, {}),
        (ADAM, dict(learning_rate_init=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3)),
    ],
)
def test_sklearn_over_12_decades_with_exact_zeros(numbers, theirs):
    gradients, params = wide(40), start()
    others = copied(params)
    path = path_of(ScikitLearn(others, **theirs), others, gradients)
    assert_same_bits(path_of(tw.Adam(convention="sklearn", **numbers), params, gradients), path)


@pytest.mark.parametrize("form", ["keras", "keras-centered"])
def test_every_rule_in_its_keras_convention_is_here_with_defaults_and_with_other_numbers(form):
    for name, rule in ((name, tw.RULES[name]) for name in CLASSIC):
        if form not in rule.conventions:
            continue
        cases = [case for case in CASES.values() if case[0] == name and ("centered" in case[3]) == (form != "keras")]
        given = [numbers for _, numbers, _, _ in cases]
        assert {} in given, name
        numbers = {number for number in rule.conventions[form].defaults if f"{number} of {name}" not in NOT_KERAS}
        assert set().union(*given) == numbers - NOT_KERAS, name

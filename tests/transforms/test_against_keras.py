"""Chains against Keras 3 on JAX, whose SGD, momentum and Adam are the book's."""

from __future__ import annotations

import numpy as np
import pytest

import thalweg as tw
from tests.rules.sequences import SHAPES, distance
from tests.transforms.chains import TOLERANCE, apart, gradients, start

pytest.importorskip("jax", reason="oracle jax is not installed")
keras = pytest.importorskip("keras", reason="oracle keras is not installed")
if keras.backend.backend() != "jax":
    pytest.skip("keras was imported with another backend", allow_module_level=True)
pytestmark = pytest.mark.usefixtures("meaning", "double", "floats")

LR = 0.0625
RULES = {
    "sgd": (lambda: tw.SGD(lr=LR), "SGD", {}),
    "momentum": (lambda: tw.Momentum(lr=LR, momentum=0.75), "SGD", dict(momentum=0.75)),
    "adam": (lambda: tw.Adam(lr=LR, beta1=0.75, beta2=0.875, eps=1e-3), "Adam", dict(
        beta_1=0.75, beta_2=0.875, epsilon=1e-3,
    )),
}  # fmt: skip
STEPS = 8


@pytest.fixture
def floats():
    before = keras.config.floatx()
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx(before)


class Keras:
    """A Keras optimizer with our call."""

    def __init__(self, cls, params, **numbers):
        # JAX may look at the memory of an array of NumPy without copying it.
        self.variables = {name: keras.Variable(w.copy(), dtype="float64") for name, w in params.items()}
        self.opt = getattr(keras.optimizers, cls)(learning_rate=LR, **numbers)
        self.opt.build(list(self.variables.values()))

    def update(self, params, grads):
        """Take one step and copy the result into params."""
        given = [keras.ops.convert_to_tensor(grads[name].copy()) for name in self.variables]
        self.opt.apply(given, list(self.variables.values()))
        for name, variable in self.variables.items():
            params[name][...] = np.asarray(variable)


CASES = {
    "clip_value": (lambda make: tw.chain(tw.clip_value(0.4), make()), dict(clipvalue=0.4)),
    "clip_norm": (lambda make: tw.chain(tw.clip_norm(0.9), make()), dict(clipnorm=0.9)),
    "clip_global_norm": (lambda make: tw.chain(tw.clip_global_norm(1.3), make()), dict(global_clipnorm=1.3)),
    "decoupled_decay": (lambda make: tw.chain(make(), tw.decoupled_decay(0.3)), dict(weight_decay=0.3)),
    "accumulate": (lambda make: tw.chain(tw.accumulate(3), make()), dict(gradient_accumulation_steps=3)),
    "ema overwrites": (
        lambda make: tw.chain(make(), tw.ema(0.7, overwrite=4)),
        dict(use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=4),
    ),
}


# Each operation of Keras is compiled for every shape once a process: the first cases take their time.
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", CASES)
def test_what_keras_does_around_a_rule(case, rule):
    (link, options), (make, cls, numbers) = CASES[case], RULES[rule]
    oracle = Keras(cls, start(), **numbers, **options)
    assert apart(link(make), oracle, "float64", steps=STEPS) <= TOLERANCE["float64"]


def test_its_average_is_what_averaged_shows():
    params = start()
    oracle = Keras("SGD", params, use_ema=True, ema_momentum=0.7)
    opt = tw.chain(tw.SGD(lr=LR), tw.ema(0.7))
    path, other = [], []
    for grads in gradients(STEPS):
        opt.update(params, grads)
        oracle.update(start(), grads)
        averages = oracle.opt._model_variables_moving_average
        other.append({name: np.asarray(a) for name, a in zip(SHAPES, averages, strict=True)})
        with opt.averaged() as shown:
            path.append({name: w.copy() for name, w in shown.items()})
    assert distance(path, other) <= TOLERANCE["float64"]

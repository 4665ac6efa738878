"""The book's six rules: by the book's own classes, by PennyLane and by TensorFlow, all of which are recorded."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tests.oracles.base import Params, case

# The book -------------------------------------------------------------------------------------------------------------

BOOK = "oreilly-japan/deep-learning-from-scratch@07b11618cdb5d5f78ad45464de0730efc07b0a4a"


def book(name: str, rule: str, ours: dict[str, float], cls: str) -> None:
    """Add a row of a class of the book's common/optimizer.py, whose call is ours, and whose eps is fixed."""

    def make(params: Params) -> Any:
        return getattr(importlib.import_module("common.optimizer"), cls)(**ours)

    case(name, rule, "book", ours, "common.optimizer", make, source=BOOK)


book("sgd book", "sgd", {}, "SGD")
book("sgd book numbers", "sgd", dict(lr=0.37), "SGD")
book("momentum book", "momentum", {}, "Momentum")
book("momentum book numbers", "momentum", dict(lr=0.37, momentum=0.41), "Momentum")
book("nesterov book", "nesterov", {}, "Nesterov")
book("nesterov book numbers", "nesterov", dict(lr=0.37, momentum=0.41), "Nesterov")
book("adagrad book", "adagrad", {}, "AdaGrad")
book("adagrad book numbers", "adagrad", dict(lr=0.7), "AdaGrad")
book("rmsprop book", "rmsprop", {}, "RMSprop")
book("rmsprop book numbers", "rmsprop", dict(lr=0.7, decay_rate=0.6), "RMSprop")
book("adam book", "adam", {}, "Adam")
book("adam book numbers", "adam", dict(lr=0.2, beta1=0.7, beta2=0.96), "Adam")

# PennyLane ------------------------------------------------------------------------------------------------------------


class PennyLane:
    """An optimizer of PennyLane, which takes lists of arrays that say that they are trained."""

    def __init__(self, params: Params, cls: str, numbers: dict[str, float]) -> None:
        library = importlib.import_module("pennylane")
        self.args = [library.numpy.array(w, requires_grad=True) for w in params.values()]
        self.opt = getattr(library, f"{cls}Optimizer")(**numbers)

    def update(self, params: Params, grads: Params, value: float | None = None) -> None:
        """Take one step and copy the result into params."""
        self.args = self.opt.apply_grad([grads[name] for name in params], list(self.args))
        for w, arg in zip(params.values(), self.args, strict=True):
            w[...] = arg


def pennylane(name: str, rule: str, ours: dict[str, float], cls: str, **numbers: float) -> None:
    """Add a row."""
    case(name, rule, "pennylane", ours, "pennylane", lambda params: PennyLane(params, cls, numbers))


ADAM = dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3)
pennylane("sgd pennylane", "sgd", {}, "GradientDescent")
pennylane("sgd pennylane numbers", "sgd", dict(lr=0.37), "GradientDescent", stepsize=0.37)
pennylane("momentum pennylane", "momentum", {}, "Momentum")
MOMENTUM = dict(lr=0.37, momentum=0.41)
pennylane("momentum pennylane numbers", "momentum", MOMENTUM, "Momentum", stepsize=0.37, momentum=0.41)
pennylane("adagrad pennylane", "adagrad", {}, "Adagrad")
pennylane("adagrad pennylane numbers", "adagrad", dict(lr=0.7, eps=1e-3), "Adagrad", stepsize=0.7, eps=1e-3)
pennylane("rmsprop pennylane", "rmsprop", {}, "RMSProp")
RMSPROP = dict(lr=0.7, decay_rate=0.6, eps=1e-3)
pennylane("rmsprop pennylane numbers", "rmsprop", RMSPROP, "RMSProp", stepsize=0.7, decay=0.6, eps=1e-3)
pennylane("adam pennylane", "adam", {}, "Adam")
pennylane("adam pennylane numbers", "adam", ADAM, "Adam", stepsize=0.2, beta1=0.7, beta2=0.96, eps=1e-3)

# TensorFlow -----------------------------------------------------------------------------------------------------------


class TensorFlow:
    """An optimizer of TensorFlow, in float64."""

    def __init__(self, params: Params, make: Callable[[Any], Any]) -> None:
        self.tf = importlib.import_module("tensorflow")
        self.variables = {name: self.tf.Variable(w, dtype="float64", name=name) for name, w in params.items()}
        self.opt = make(self.tf)

    def update(self, params: Params, grads: Params, value: float | None = None) -> None:
        """Take one step and copy the result into params."""
        self.opt.apply_gradients([(self.tf.constant(grads[name]), w) for name, w in self.variables.items()])
        for name, w in self.variables.items():
            params[name][...] = w.numpy()


def legacy(cls: str, **numbers: float) -> Callable[[Params], TensorFlow]:
    """Return the maker of a legacy Keras optimizer; as functions of tensors its numbers are not rounded to float32."""

    def make(tf: Any) -> Any:
        opt = getattr(importlib.import_module("tf_keras").optimizers.legacy, cls)(**numbers)
        opt._hyper = {name: partial(tf.constant, np.float64(value)) for name, value in opt._hyper.items()}
        return opt

    return lambda params: TensorFlow(params, make)


def rmsprop_of_1(lr: float, **numbers: float) -> Callable[[Params], TensorFlow]:
    """Return the maker of TensorFlow 1's RMSprop; as tensors its numbers are not rounded to float32."""

    def make(tf: Any) -> Any:
        exact = {name: tf.constant(np.float64(value)) for name, value in numbers.items()}
        return tf.compat.v1.train.RMSPropOptimizer(tf.constant(np.float64(lr)), **exact)

    return lambda params: TensorFlow(params, make)


# The numbers are TensorFlow's defaults, but for lr, which has none.
AS_FLOAT64 = dict(decay=0.9, momentum=0.0, epsilon=1e-10)
case("rmsprop tensorflow", "rmsprop", "tensorflow", {}, "tensorflow", rmsprop_of_1(1e-3, **AS_FLOAT64))
case(
    "rmsprop tensorflow numbers",
    "rmsprop",
    "tensorflow",
    dict(lr=0.13, decay_rate=0.6, momentum=0.7, eps=1e-3),
    "tensorflow",
    rmsprop_of_1(0.13, decay=0.6, momentum=0.7, epsilon=1e-3),
)
case("adagrad tensorflow", "adagrad", "tensorflow", {}, "tf_keras", legacy("Adagrad"))
case(
    "adagrad tensorflow numbers",
    "adagrad",
    "tensorflow",
    dict(lr=0.7, initial_accumulator=0.3, eps=1e-3),
    "tf_keras",
    legacy("Adagrad", learning_rate=0.7, initial_accumulator_value=0.3, epsilon=1e-3),
)
case("adam tensorflow", "adam", "tensorflow", {}, "tf_keras", legacy("Adam"))
case(
    "adam tensorflow numbers",
    "adam",
    "tensorflow",
    ADAM,
    "tf_keras",
    legacy("Adam", learning_rate=0.2, beta_1=0.7, beta_2=0.96, epsilon=1e-3),
)

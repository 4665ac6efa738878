"""AdaGrad and RMSprop in the forms of torch, Keras and optax; the others are in classic.py and momenta.py."""

from __future__ import annotations

from tests.oracles.base import case, keras, optax, torch

ADAGRAD = dict(lr=0.7, eps=1e-3)
STARTED = dict(lr=0.7, initial_accumulator=0.3, eps=1e-3)
RMSPROP = dict(lr=0.13, decay_rate=0.6, eps=1e-3)
WITH_MOMENTUM = RMSPROP | dict(momentum=0.7)
TORCH = dict(lr=0.13, alpha=0.6, eps=1e-3)
KERAS = dict(learning_rate=0.13, rho=0.6, momentum=0.7, epsilon=1e-3)

# torch's form is the paper's.
case("adagrad", "adagrad", "paper", {}, "torch", torch("Adagrad", eps=1e-8))
case("adagrad numbers", "adagrad", "paper", ADAGRAD, "torch", torch("Adagrad", **ADAGRAD))
case("adagrad torch", "adagrad", "torch", {}, "torch", torch("Adagrad"))
case(
    "adagrad torch numbers",
    "adagrad",
    "torch",
    STARTED | dict(lr_decay=0.31),
    "torch",
    torch("Adagrad", lr=0.7, lr_decay=0.31, initial_accumulator_value=0.3, eps=1e-3),
)
case("adagrad keras", "adagrad", "keras", {}, "keras", keras("Adagrad"))
case(
    "adagrad keras numbers",
    "adagrad",
    "keras",
    STARTED,
    "keras",
    keras("Adagrad", learning_rate=0.7, initial_accumulator_value=0.3, epsilon=1e-3),
)
case("adagrad optax", "adagrad", "optax", {}, "optax", optax(lambda o: o.adagrad(0.01)))
case(
    "adagrad optax numbers",
    "adagrad",
    "optax",
    STARTED,
    "optax",
    optax(lambda o: o.adagrad(0.7, initial_accumulator_value=0.3, eps=1e-3)),
)
case(
    "adagrad optax from zero",
    "adagrad",
    "optax",
    dict(initial_accumulator=0.0, eps=0.0),
    "optax",
    optax(lambda o: o.adagrad(0.01, initial_accumulator_value=0.0, eps=0.0)),
)

# torch's form is the lecture's.
case("rmsprop", "rmsprop", "paper", {}, "torch", torch("RMSprop", alpha=0.9))
case("rmsprop numbers", "rmsprop", "paper", RMSPROP, "torch", torch("RMSprop", **TORCH))
case("rmsprop torch", "rmsprop", "torch", {}, "torch", torch("RMSprop"))
case("rmsprop torch numbers", "rmsprop", "torch", WITH_MOMENTUM, "torch", torch("RMSprop", **TORCH, momentum=0.7))
case("rmsprop torch-centered", "rmsprop", "torch-centered", {}, "torch", torch("RMSprop", centered=True))
case(
    "rmsprop torch-centered numbers",
    "rmsprop",
    "torch-centered",
    WITH_MOMENTUM,
    "torch",
    torch("RMSprop", **TORCH, momentum=0.7, centered=True),
)
case("rmsprop keras", "rmsprop", "keras", {}, "keras", keras("RMSprop"))
case("rmsprop keras numbers", "rmsprop", "keras", WITH_MOMENTUM, "keras", keras("RMSprop", **KERAS))
case("rmsprop keras-centered", "rmsprop", "keras-centered", {}, "keras", keras("RMSprop", centered=True))
case(
    "rmsprop keras-centered numbers",
    "rmsprop",
    "keras-centered",
    WITH_MOMENTUM,
    "keras",
    keras("RMSprop", **KERAS, centered=True),
)
case("rmsprop optax", "rmsprop", "optax", {}, "optax", optax(lambda o: o.rmsprop(0.01)))
case(
    "rmsprop optax numbers",
    "rmsprop",
    "optax",
    WITH_MOMENTUM | dict(initial_accumulator=0.2),
    "optax",
    optax(lambda o: o.rmsprop(0.13, 0.6, eps=1e-3, initial_scale=0.2, momentum=0.7)),
)

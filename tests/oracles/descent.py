"""SGD, Momentum and Nesterov in the forms of torch, Keras and optax; the book's and PennyLane's are in classic.py."""

from __future__ import annotations

from tests.oracles.base import case, keras, optax, torch

SGD = dict(lr=0.37)
MOMENTUM = dict(lr=0.37, momentum=0.41)
KERAS = dict(learning_rate=0.37, momentum=0.41)

case("sgd", "sgd", "paper", {}, "torch", torch("SGD", lr=0.01))
case("sgd numbers", "sgd", "paper", SGD, "torch", torch("SGD", lr=0.37))
case("sgd torch", "sgd", "torch", {}, "torch", torch("SGD"))
case("sgd torch numbers", "sgd", "torch", SGD, "torch", torch("SGD", lr=0.37))
case("sgd keras", "sgd", "keras", {}, "keras", keras("SGD"))
case("sgd keras numbers", "sgd", "keras", SGD, "keras", keras("SGD", learning_rate=0.37))
case("sgd optax", "sgd", "optax", {}, "optax", optax(lambda o: o.sgd(0.01)))
case("sgd optax numbers", "sgd", "optax", SGD, "optax", optax(lambda o: o.sgd(0.37)))

# Keras' form is Sutskever's.
case("momentum", "momentum", "paper", {}, "keras", keras("SGD", momentum=0.9))
case("momentum numbers", "momentum", "paper", MOMENTUM, "keras", keras("SGD", **KERAS))
case("momentum torch", "momentum", "torch", {}, "torch", torch("SGD", momentum=0.9))
case(
    "momentum torch numbers",
    "momentum",
    "torch",
    MOMENTUM | dict(dampening=0.3),
    "torch",
    torch("SGD", **MOMENTUM, dampening=0.3),
)
case("momentum keras", "momentum", "keras", {}, "keras", keras("SGD", momentum=0.9))
case("momentum keras numbers", "momentum", "keras", MOMENTUM, "keras", keras("SGD", **KERAS))
case("momentum optax", "momentum", "optax", {}, "optax", optax(lambda o: o.sgd(0.01, 0.9)))
case("momentum optax numbers", "momentum", "optax", MOMENTUM, "optax", optax(lambda o: o.sgd(0.37, 0.41)))

# Keras' form is that of Bengio et al.
case("nesterov", "nesterov", "paper", {}, "keras", keras("SGD", momentum=0.9, nesterov=True))
case("nesterov numbers", "nesterov", "paper", MOMENTUM, "keras", keras("SGD", **KERAS, nesterov=True))
case("nesterov torch", "nesterov", "torch", {}, "torch", torch("SGD", momentum=0.9, nesterov=True))
case("nesterov torch numbers", "nesterov", "torch", MOMENTUM, "torch", torch("SGD", **MOMENTUM, nesterov=True))
case("nesterov keras", "nesterov", "keras", {}, "keras", keras("SGD", momentum=0.9, nesterov=True))
case("nesterov keras numbers", "nesterov", "keras", MOMENTUM, "keras", keras("SGD", **KERAS, nesterov=True))
case("nesterov optax", "nesterov", "optax", {}, "optax", optax(lambda o: o.sgd(0.01, 0.9, nesterov=True)))
case(
    "nesterov optax numbers",
    "nesterov",
    "optax",
    MOMENTUM,
    "optax",
    optax(lambda o: o.sgd(0.37, 0.41, nesterov=True)),
)

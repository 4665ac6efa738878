"""AdaDelta, MADGRAD and FTRL."""

from __future__ import annotations

from tests.oracles.base import case, keras, optax, torch

# AdaDelta -------------------------------------------------------------------------------------------------------------

ADADELTA = dict(lr=0.2, decay_rate=0.7, eps=1e-3)

case("adadelta torch", "adadelta", "torch", {}, "torch", torch("Adadelta"))
case("adadelta torch numbers", "adadelta", "torch", ADADELTA, "torch", torch("Adadelta", lr=0.2, rho=0.7, eps=1e-3))
# The paper's numbers, and its order.
case("adadelta", "adadelta", "paper", {}, "torch", torch("Adadelta", lr=1.0, rho=0.95, eps=1e-6))
case("adadelta numbers", "adadelta", "paper", ADADELTA, "torch", torch("Adadelta", lr=0.2, rho=0.7, eps=1e-3))
case("adadelta keras", "adadelta", "keras", {}, "keras", keras("Adadelta"))
case(
    "adadelta keras numbers",
    "adadelta",
    "keras",
    ADADELTA,
    "keras",
    keras("Adadelta", learning_rate=0.2, rho=0.7, epsilon=1e-3),
)
case("adadelta optax", "adadelta", "optax", {}, "optax", optax(lambda o: o.adadelta(1.0)))
case(
    "adadelta optax numbers",
    "adadelta",
    "optax",
    ADADELTA,
    "optax",
    optax(lambda o: o.adadelta(0.2, rho=0.7, eps=1e-3)),
)

# MADGRAD --------------------------------------------------------------------------------------------------------------

MADGRAD = dict(lr=0.2, momentum=0.7, eps=1e-3)

case("madgrad", "madgrad", "authors", {}, "madgrad", torch("MADGRAD", "madgrad"))
case("madgrad numbers", "madgrad", "authors", MADGRAD, "madgrad", torch("MADGRAD", "madgrad", **MADGRAD))
case("madgrad without eps", "madgrad", "authors", dict(eps=0.0), "madgrad", torch("MADGRAD", "madgrad", eps=0.0))


def madgrad(lr, **numbers):
    """optax's MADGRAD with a count of steps in float64: the root of an integer is a float32 number there."""

    def make(o):
        one = o.contrib.madgrad(lr, **numbers)

        def init(params):
            decay, state = one.init(params)
            return decay, state._replace(count=state.count.astype("float64"))

        return o.GradientTransformation(init, one.update)

    return optax(make)


case("madgrad optax", "madgrad", "optax", {}, "optax", madgrad(0.01))
case("madgrad optax numbers", "madgrad", "optax", MADGRAD, "optax", madgrad(0.2, momentum=0.7, eps=1e-3))

# FTRL -----------------------------------------------------------------------------------------------------------------

FTRL = dict(lr=0.2, lr_power=-0.7, initial_accumulator=0.3, l1=0.4, l2=0.06, l2_shrinkage=0.05, beta=1.3)


def ftrl(lr, lr_power, initial_accumulator, l1, l2, l2_shrinkage, beta):
    """Keras' Ftrl."""
    return keras(
        "Ftrl",
        learning_rate=lr,
        learning_rate_power=lr_power,
        initial_accumulator_value=initial_accumulator,
        l1_regularization_strength=l1,
        l2_regularization_strength=l2,
        l2_shrinkage_regularization_strength=l2_shrinkage,
        beta=beta,
    )


case("ftrl keras", "ftrl", "keras", {}, "keras", keras("Ftrl"))
case("ftrl keras numbers", "ftrl", "keras", FTRL, "keras", ftrl(**FTRL))
# Keras' form is the paper's where n starts at zero and its l2 is half of the paper's.
case("ftrl", "ftrl", "paper", {}, "keras", ftrl(1e-3, -0.5, 0.0, 0.0, 0.0, 0.0, 1.0))
case(
    "ftrl numbers",
    "ftrl",
    "paper",
    dict(lr=0.2, l1=0.4, l2=0.12, beta=1.3),
    "keras",
    ftrl(0.2, -0.5, 0.0, 0.4, 0.06, 0.0, 1.3),
)

"""Adafactor and SM3."""

from __future__ import annotations

from tests.oracles.base import case, keras, optax, torch

# Both eps are of the order of what they stand beside: squares of gradients over two decades, and the parameters
FACTOR = dict(lr=0.07, decay=0.6, eps1=0.3, eps2=1.1, clipping=1.7, weight_decay=0.02)
VECTORS = {"W1": (4, 3), "b1": (3,), "W2": (3, 5)}  # optax.sm3 does not know numbers without axes


def exact_adafactor(o, lr, decay, eps1, eps2, clipping, weight_decay):
    """optax.adafactor link by link, to give eps2, and with t**-decay in float64, where the alias takes float32."""
    return o.chain(
        o.scale_by_factored_rms(True, decay, 0, 1, eps1, lambda step, rate: 1.0 - (step + 1.0) ** -rate),
        o.clip_by_block_rms(clipping),
        o.scale_by_learning_rate(lr, flip_sign=False),
        o.scale_by_param_block_rms(eps2),
        o.add_decayed_weights(weight_decay),
        o.scale(-1),
    )


def relative(count):
    """The paper's relative step size."""
    return 1.0 / max(100.0, (count + 1.0) ** 0.5)


case("adafactor torch", "adafactor", "torch", {}, "torch", torch("Adafactor"))
case(
    "adafactor torch numbers",
    "adafactor",
    "torch",
    FACTOR,
    "torch",
    torch("Adafactor", lr=0.07, beta2_decay=-0.6, eps=(0.3, 1.1), d=1.7, weight_decay=0.02),
    decades=2.0,
)
# Keras takes means of float64 in float32 (6e-8), and v over 40 steps is off by no more than 40 times as much
FLOAT32 = dict(tolerance=40 * 6e-8)
case("adafactor keras", "adafactor", "keras", {}, "keras", keras("Adafactor"), **FLOAT32)
case(
    "adafactor keras numbers",
    "adafactor",
    "keras",
    FACTOR,
    "keras",
    keras(
        "Adafactor",
        learning_rate=0.07,
        beta_2_decay=-0.6,
        epsilon_1=0.3,
        epsilon_2=1.1,
        clip_threshold=1.7,
        weight_decay=0.02,
    ),
    decades=2.0,
    **FLOAT32,
)
case(
    "adafactor optax", "adafactor", "optax", FACTOR, "optax", optax(lambda o: exact_adafactor(o, **FACTOR)), decades=2.0
)
case(
    "adafactor optax defaults",
    "adafactor",
    "optax",
    {},
    "optax",
    optax(lambda o: exact_adafactor(o, 1.0, 0.8, 1e-30, 1e-3, 1.0, 0.0)),
)
# The paper is optax with the paper's rate
case(
    "adafactor paper",
    "adafactor",
    "paper",
    {},
    "optax",
    optax(lambda o: exact_adafactor(o, relative, 0.8, 1e-30, 1e-3, 1.0, 0.0)),
)
case(
    "adafactor paper numbers",
    "adafactor",
    "paper",
    dict(decay=0.6, eps1=0.3, eps2=1.1, clipping=1.7),
    "optax",
    optax(lambda o: exact_adafactor(o, relative, 0.6, 0.3, 1.1, 1.7, 0.0)),
    decades=2.0,
)
# The alias takes t**-decay in float32
case(
    "adafactor optax alias",
    "adafactor",
    "optax",
    FACTOR | dict(eps2=1e-3),
    "optax",
    optax(
        lambda o: o.adafactor(
            0.07, min_dim_size_to_factor=1, decay_rate=0.6, clipping_threshold=1.7, weight_decay_rate=0.02, eps=0.3
        )
    ),
    decades=2.0,
    **FLOAT32,
)
case(
    "adafactor optax alias defaults",
    "adafactor",
    "optax",
    {},
    "optax",
    optax(lambda o: o.adafactor(min_dim_size_to_factor=1)),
    **FLOAT32,
)

case("sm3 optax", "sm3", "optax", dict(lr=0.2), "optax", optax(lambda o: o.sm3(0.2)), shapes=VECTORS)
case(
    "sm3 optax numbers",
    "sm3",
    "optax",
    dict(lr=0.07, momentum=0.6, eps=1e-3),
    "optax",
    optax(lambda o: o.chain(o.scale_by_sm3(0.6, eps=1e-3), o.scale(-0.07))),
    shapes=VECTORS,
)
case(
    "sm3 paper",
    "sm3",
    "paper",
    {},
    "pytorch_optimizer",
    torch("SM3", "pytorch_optimizer", lr=0.1, momentum=0.9, beta=0.0, eps=1e-30),
    shapes=VECTORS,
)
case(
    "sm3 paper numbers",
    "sm3",
    "paper",
    dict(lr=0.07, momentum=0.6, eps=1e-3),
    "pytorch_optimizer",
    torch("SM3", "pytorch_optimizer", lr=0.07, momentum=0.6, beta=0.0, eps=1e-3),
    shapes=VECTORS,
)

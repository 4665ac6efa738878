"""Schedule-free rules, at the stored points and at the points of evaluation."""

from __future__ import annotations

import importlib

from tests.oracles.base import Torch, case, keras, optax

SGD = dict(lr=0.3, momentum=0.7, weight_decay=0.02, warmup=9.0, r=1.3, weight_lr_power=1.6)
ADAMW = dict(
    lr=0.03, beta1=0.8, beta2=0.93, eps=1e-3, weight_decay=0.02, warmup=9.0, r=1.3, weight_lr_power=1.6
)  # fmt: skip
OPTAX = dict(lr=0.03, beta1=0.8, beta2=0.93, eps=1e-3, weight_decay=0.02, warmup=9.0, weight_lr_power=1.6)


def schedulefree(cls, **numbers):
    """A class of the authors' package, told that it trains."""

    def make(leaves):
        opt = getattr(importlib.import_module("schedulefree"), cls)(leaves, **numbers)
        opt.train()
        return opt

    return lambda params: Torch(params, make)


def shown(state, params):
    """The points of evaluation of optax."""
    return importlib.import_module("optax.contrib").schedule_free_eval_params(state, params)


def exact_adamw(o, rate):
    """optax.contrib.schedule_free_adamw with a rate in float64, where its warm-up is float32."""
    adam = o.chain(
        o.scale_by_rms(0.93, 1e-3, eps_in_sqrt=False, bias_correction=True),
        o.add_decayed_weights(0.02),
        o.scale_by_learning_rate(rate),
    )
    return o.contrib.schedule_free(adam, rate, 0.8, 1.6)


def exact_sgd(o, rate):
    """optax.contrib.schedule_free_sgd with a rate in float64, where its warm-up is float32."""
    return o.contrib.schedule_free(o.chain(o.add_decayed_weights(0.02), o.sgd(rate)), rate, 0.7, 1.6)


def warmed(rate):
    """That rate after a warm-up of nine steps."""
    return lambda count: rate * (count.astype(float) / 9).clip(max=1.0)


ROWS = [
    (
        "schedulefreesgd optax",
        "schedulefreesgd",
        "optax",
        {},
        "optax",
        optax(lambda o: o.contrib.schedule_free_sgd(), shown),
    ),
    (
        "schedulefreesgd optax numbers",
        "schedulefreesgd",
        "optax",
        dict(lr=0.3, momentum=0.7, weight_decay=0.02, warmup=9.0, weight_lr_power=1.6),
        "optax",
        optax(lambda o: exact_sgd(o, warmed(0.3)), shown),
    ),
    ("schedulefreesgd authors", "schedulefreesgd", "authors", {}, "schedulefree", schedulefree("SGDScheduleFree")),
    (
        "schedulefreesgd authors numbers",
        "schedulefreesgd",
        "authors",
        SGD,
        "schedulefree",
        schedulefree(
            "SGDScheduleFree", lr=0.3, momentum=0.7, weight_decay=0.02, warmup_steps=9, r=1.3, weight_lr_power=1.6
        ),
    ),
    (
        "schedulefreeadamw authors",
        "schedulefreeadamw",
        "authors",
        {},
        "schedulefree",
        schedulefree("AdamWScheduleFree"),
    ),
    (
        "schedulefreeadamw authors numbers",
        "schedulefreeadamw",
        "authors",
        ADAMW,
        "schedulefree",
        schedulefree(
            "AdamWScheduleFree",
            lr=0.03,
            betas=(0.8, 0.93),
            eps=1e-3,
            weight_decay=0.02,
            warmup_steps=9,
            r=1.3,
            weight_lr_power=1.6,
        ),
    ),
    (
        "schedulefreeadamw optax",
        "schedulefreeadamw",
        "optax",
        {},
        "optax",
        optax(lambda o: o.contrib.schedule_free_adamw(), shown),
    ),
    (
        "schedulefreeadamw optax numbers",
        "schedulefreeadamw",
        "optax",
        OPTAX,
        "optax",
        optax(lambda o: exact_adamw(o, warmed(0.03)), shown),
    ),
]
for name, *row in ROWS:
    case(name, *row)
    case(f"{name} averaged", *row, averaged=True)

# The warm-up of the aliases is in float32: 6e-8, and x sums 40 steps of it
case(
    "schedulefreesgd optax alias",
    "schedulefreesgd",
    "optax",
    dict(lr=0.3, momentum=0.7, weight_decay=0.02, warmup=9.0, weight_lr_power=1.6),
    "optax",
    optax(lambda o: o.contrib.schedule_free_sgd(0.3, 9, b1=0.7, weight_decay=0.02, weight_lr_power=1.6)),
    tolerance=40 * 6e-8,
)
case(
    "schedulefreeadamw optax alias",
    "schedulefreeadamw",
    "optax",
    OPTAX,
    "optax",
    optax(
        lambda o: o.contrib.schedule_free_adamw(
            0.03, warmup_steps=9, b1=0.8, b2=0.93, eps=1e-3, weight_decay=0.02, weight_lr_power=1.6
        )
    ),
    tolerance=40 * 6e-8,
)
case("schedulefreeadamw keras", "schedulefreeadamw", "keras", {}, "keras", keras("ScheduleFreeAdamW"))
case(
    "schedulefreeadamw keras numbers",
    "schedulefreeadamw",
    "keras",
    dict(lr=0.03, beta1=0.8, beta2=0.93, eps=1e-3, weight_decay=0.02, warmup=9.0),
    "keras",
    keras(
        "ScheduleFreeAdamW",
        learning_rate=0.03,
        beta_1=0.8,
        beta_2=0.93,
        epsilon=1e-3,
        weight_decay=0.02,
        warmup_steps=9,
    ),
)

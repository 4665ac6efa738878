"""Schedule-free rules: no decay of the rate, but an average that is kept all along and shown for evaluation.

Gradients are taken at y = (1 - beta) z + beta x, where z takes the steps and x is its average. y is stored as the
parameter, z as a slot, and x is computed from both.
"""

from __future__ import annotations

from thalweg.language.state import copy, number
from thalweg.rule import rule, term
from thalweg.words import maximum, minimum, sqrt

DEFAZIO = "Defazio et al. 2024, arXiv:2405.15682"
CODE = "the authors' package schedulefree 1.4"
AVERAGED = {"z": copy("w"), "weight_sum": number(), "weight_max": number()}
NOT_NEGATIVE = "[0, inf)"
NUMBERS = {"warmup": NOT_NEGATIVE, "weight_lr_power": NOT_NEGATIVE, "weight_sum": NOT_NEGATIVE}


@term
def evaluation(w, z, momentum):
    return (w - (1 - momentum) * z) / momentum


@term
def evaluation_adamw(w, z, beta1):
    return (w - (1 - beta1) * z) / beta1


# The weight of a step is t**r times a power of the largest rate so far; weight_max holds that power, since the largest
# power is the power of the largest. Weight decay is part of the gradient, at y.
@rule(
    source=f"{DEFAZIO}, eq. (3) to (5), as in {CODE}; warmup is its warmup_steps",
    state=AVERAGED,
    ranges={**NUMBERS, "momentum": "(0, 1)"},
    title="ScheduleFreeSGD",
    convention="authors",
    average=evaluation,
)
def schedulefreesgd(
    w, g, z, weight_sum, weight_max, *, t, lr=1.0, momentum=0.9, weight_decay=0.0, warmup=0.0, r=0.0,
    weight_lr_power=2.0,
):  # fmt: skip
    rate = lr * (minimum(t / warmup, 1.0) if warmup > 0 else 1.0)
    weight_max = maximum(rate**weight_lr_power, weight_max)
    weight = t**r * weight_max
    weight_sum = weight_sum + weight
    share = weight / weight_sum if weight_sum > 0 else 0.0
    u = g + weight_decay * w
    w = w + (share * (z - w) + rate * (momentum * (1 - share) - 1) * u)
    z = z - rate * u
    return w, z, weight_sum, weight_max


# While it warms up, optax takes the rate of a step from the step before, which is 0 at first, and its weight from the
# step itself. There is no power of t.
@schedulefreesgd.convention(
    "optax",
    source="optax.contrib.schedule_free_sgd; momentum is its b1, warmup its warmup_steps",
    state=AVERAGED,
    ranges={**NUMBERS, "momentum": "(0, 1)"},
    average=evaluation,
)
def schedulefreesgd_optax(
    w, g, z, weight_sum, weight_max, *, t, lr=1.0, momentum=0.9, weight_decay=0.0, warmup=0.0, weight_lr_power=2.0
):
    rate = lr * (minimum((t - 1) / warmup, 1.0) if warmup > 0 else 1.0)
    next_rate = lr * (minimum(t / warmup, 1.0) if warmup > 0 else 1.0)
    weight_max = maximum(weight_max, next_rate**weight_lr_power)
    weight_sum = weight_sum + weight_max
    share = weight_max / weight_sum if weight_sum > 0 else 0.0
    x = (w - (1 - momentum) * z) / momentum
    z = z - rate * (g + weight_decay * w)
    x = (1 - share) * x + share * z
    y = momentum * x + (1 - momentum) * z
    w = w + (y - w)
    return w, z, weight_sum, weight_max


@rule(
    source=f"{DEFAZIO}, Algorithm 1, as in {CODE}; warmup is its warmup_steps",
    state=AVERAGED,
    ranges={**NUMBERS, "v": NOT_NEGATIVE, "beta1": "(0, 1)"},
    title="ScheduleFreeAdamW",
    convention="authors",
    average=evaluation_adamw,
)
def schedulefreeadamw(
    w, g, v, z, weight_sum, weight_max, *, t, lr=0.0025, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, warmup=0.0,
    r=0.0, weight_lr_power=2.0, eps_root=0.0,
):  # fmt: skip
    rate = lr * (minimum(t / warmup, 1.0) if warmup > 0 else 1.0)
    weight_max = maximum(rate**weight_lr_power, weight_max)
    weight = t**r * weight_max
    weight_sum = weight_sum + weight
    share = weight / weight_sum if weight_sum > 0 else 0.0
    v = beta2 * v + (1 - beta2) * g * g
    u = g / (sqrt(v / (1 - beta2**t) + eps_root) + eps) + weight_decay * w
    w = w + (share * (z - w) + rate * (beta1 * (1 - share) - 1) * u)
    z = z - rate * u
    return w, v, z, weight_sum, weight_max


# Every step has the same weight. Weight decay shrinks y alone, before all else, and at the rate without warm-up.
@schedulefreeadamw.convention(
    "keras",
    source="keras.optimizers.ScheduleFreeAdamW; warmup is its warmup_steps",
    state={"z": copy("w")},
    ranges={"v": NOT_NEGATIVE, "warmup": NOT_NEGATIVE, "beta1": "(0, 1)"},
    average=evaluation_adamw,
)
def schedulefreeadamw_keras(
    w, g, v, z, *, t, lr=0.0025, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, warmup=0.0, eps_root=0.0
):
    rate = lr * (minimum(t / warmup, 1.0) if warmup > 0 else 1.0)
    w = w - w * weight_decay * lr
    x = (w - (1 - beta1) * z) / beta1
    v = v + (g**2 - v) * (1 - beta2)
    z = z - rate * g / (sqrt(v / (1 - beta2**t) + eps_root) + eps)
    x = (1 - 1 / t) * x + 1 / t * z
    y = (1 - beta1) * z + beta1 * x
    w = w + (y - w)
    return w, v, z


# Rates and weights as in optax's ScheduleFreeSGD.
@schedulefreeadamw.convention(
    "optax",
    source="optax.contrib.schedule_free_adamw; warmup is its warmup_steps",
    state=AVERAGED,
    ranges={**NUMBERS, "v": NOT_NEGATIVE, "beta1": "(0, 1)"},
    average=evaluation_adamw,
)
def schedulefreeadamw_optax(
    w, g, v, z, weight_sum, weight_max, *, t, lr=0.0025, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, warmup=0.0,
    weight_lr_power=2.0, eps_root=0.0,
):  # fmt: skip
    rate = lr * (minimum((t - 1) / warmup, 1.0) if warmup > 0 else 1.0)
    next_rate = lr * (minimum(t / warmup, 1.0) if warmup > 0 else 1.0)
    weight_max = maximum(weight_max, next_rate**weight_lr_power)
    weight_sum = weight_sum + weight_max
    share = weight_max / weight_sum if weight_sum > 0 else 0.0
    x = (w - (1 - beta1) * z) / beta1
    v = beta2 * v + (1 - beta2) * g**2
    z = z - rate * (1 / (sqrt(v / (1 - beta2**t) + eps_root) + eps) * g + weight_decay * w)
    x = (1 - share) * x + share * z
    y = beta1 * x + (1 - beta1) * z
    w = w + (y - w)
    return w, v, z, weight_sum, weight_max

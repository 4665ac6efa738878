"""Schedule-free rules: the gradient is taken at y, which is stored; steps go from z, and x is the average."""

from __future__ import annotations

from mpmath import mpf, sqrt

from tests.transcribed.base import paper


def begin(y, s, t):
    """Everything starts at the parameter."""
    if t == 1:
        s["z"] = s["x"] = y


def warmed(lr, t, warmup):
    """lr after a linear warm-up of so many steps; from t = 1 on it is above zero."""
    return lr * min(mpf(t) / warmup, mpf(1)) if warmup else lr


def move(s, step, c, beta):
    """Take the step from z, average, and return the new y. c: the weight of the new z in the average."""
    s["z"] = s["z"] - step
    s["x"] = (1 - c) * s["x"] + c * s["z"]
    return (1 - beta) * s["z"] + beta * s["x"]


def share(s, weight):
    """The weight of this step among those so far."""
    s["sum"] += weight
    return weight / s["sum"] if s["sum"] else mpf(0)


def weight_of(s, lr, t, r, power):
    """The weight of step t: a power of t by a power of the largest rate so far."""
    s["lr_max"] = max(s["lr_max"], lr)
    return mpf(t) ** r * s["lr_max"] ** power


def normalised(g, s, t, beta2, eps, eps_root):
    """The gradient over the root of its corrected second moment."""
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    return g / (sqrt(s["v"] / (1 - beta2**t) + eps_root) + eps)


@paper(
    "schedulefreesgd",
    "authors",
    equation="Defazio et al. 2024, arXiv:2405.15682, eq. (3)-(5); schedulefree 1.4.1, sgd_schedulefree.py",
    other=dict(lr=0.23, momentum=0.71, weight_decay=0.17, warmup=7.0, r=0.6, weight_lr_power=1.3),
    average="x",
    later=dict(lr=0.16),
    edges=[dict(lr=0.0)],
)
def schedulefreesgd(y, g, s, t, lr, momentum, weight_decay, warmup, r, weight_lr_power):
    begin(y, s, t)
    lr = warmed(lr, t, warmup)
    c = share(s, weight_of(s, lr, t, r, weight_lr_power))
    return move(s, lr * (g + weight_decay * y), c, momentum)


# The steps are by the rate one step earlier, which is zero at first where there is a warm-up; the weights are not.
@paper(
    "schedulefreesgd",
    "optax",
    equation="optax/contrib/_schedule_free.py, schedule_free_sgd and update_fn",
    other=dict(lr=0.23, momentum=0.71, weight_decay=0.17, warmup=7.0, weight_lr_power=1.3),
    average="x",
    later=dict(lr=0.16),
    edges=[dict(lr=0.0)],
)
def schedulefreesgd_optax(y, g, s, t, lr, momentum, weight_decay, warmup, weight_lr_power):
    begin(y, s, t)
    c = share(s, weight_of(s, warmed(lr, t, warmup), t, 0, weight_lr_power))
    return move(s, warmed(lr, t - 1, warmup) * (g + weight_decay * y), c, momentum)


@paper(
    "schedulefreeadamw",
    "authors",
    equation="Defazio et al. 2024, arXiv:2405.15682, Algorithm 1; schedulefree 1.4.1, adamw_schedulefree.py",
    other=dict(
        lr=0.23,
        beta1=0.71,
        beta2=0.964,
        eps=5e-3,
        weight_decay=0.17,
        warmup=7.0,
        r=0.6,
        weight_lr_power=1.3,
        eps_root=0.04,
    ),
    average="x",
    later=dict(lr=0.16),
    edges=[dict(lr=0.0)],
)
def schedulefreeadamw(y, g, s, t, lr, beta1, beta2, eps, weight_decay, warmup, r, weight_lr_power, eps_root):
    begin(y, s, t)
    lr = warmed(lr, t, warmup)
    c = share(s, weight_of(s, lr, t, r, weight_lr_power))
    return move(s, lr * (normalised(g, s, t, beta2, eps, eps_root) + weight_decay * y), c, beta1)


# All steps weigh the same. The stored y decays, by the rate without its warm-up, and x is found from what is left.
@paper(
    "schedulefreeadamw",
    "keras",
    equation="keras/src/optimizers/schedule_free_adamw.py, update_step; base_optimizer.py, _apply_weight_decay",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.17, warmup=7.0, eps_root=0.04),
    average="x",
)
def schedulefreeadamw_keras(y, g, s, t, lr, beta1, beta2, eps, weight_decay, warmup, eps_root):
    begin(y, s, t)
    y = y - y * weight_decay * lr
    s["x"] = (y - (1 - beta1) * s["z"]) / beta1
    return move(s, warmed(lr, t, warmup) * normalised(g, s, t, beta2, eps, eps_root), 1 / mpf(t), beta1)


# Rates and weights are those of the one above for SGD.
@paper(
    "schedulefreeadamw",
    "optax",
    equation="optax/contrib/_schedule_free.py, schedule_free_adamw and update_fn",
    other=dict(
        lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.17, warmup=7.0, weight_lr_power=1.3, eps_root=0.04
    ),
    average="x",
    later=dict(lr=0.16),
    edges=[dict(lr=0.0)],
)
def schedulefreeadamw_optax(y, g, s, t, lr, beta1, beta2, eps, weight_decay, warmup, weight_lr_power, eps_root):
    begin(y, s, t)
    c = share(s, weight_of(s, warmed(lr, t, warmup), t, 0, weight_lr_power))
    step = normalised(g, s, t, beta2, eps, eps_root) + weight_decay * y
    return move(s, warmed(lr, t - 1, warmup) * step, c, beta1)

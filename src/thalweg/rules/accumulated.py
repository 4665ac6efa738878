"""Rules that accumulate over all of the past: AdaDelta its own steps, MADGRAD and FTRL a sum of gradients."""

from __future__ import annotations

from thalweg.language.state import copy, full
from thalweg.rule import rule
from thalweg.words import abs, cbrt, clip, power, sign, sqrt, where  # noqa: A004

SQUARES = "[0, inf)"
BOTH = {"v": SQUARES, "u": SQUARES}


# v averages squared gradients and u squared steps. The paper has no lr: 1. eps_root is added to eps in both roots.
@rule(
    source="Zeiler 2012, arXiv:1212.5701, Algorithm 1; the numbers of its section 4.1",
    ranges=BOTH,
    title="AdaDelta",
    default="torch",
)
def adadelta(w, g, v, u, *, lr=1.0, decay_rate=0.95, eps=1e-6, eps_root=0.0):
    v = decay_rate * v + (1 - decay_rate) * g**2
    d = sqrt(u + eps + eps_root) / sqrt(v + eps + eps_root) * g
    u = decay_rate * u + (1 - decay_rate) * d**2
    w = w - lr * d
    return w, v, u


@adadelta.convention("torch", source="torch.optim.Adadelta; decay_rate is its rho", ranges=BOTH)
def adadelta_torch(w, g, v, u, *, lr=1.0, decay_rate=0.9, eps=1e-6, eps_root=0.0):
    v = decay_rate * v + (1 - decay_rate) * g * g
    d = sqrt(u + eps + eps_root) / sqrt(v + eps + eps_root) * g
    u = decay_rate * u + (1 - decay_rate) * d * d
    w = w - lr * d
    return w, v, u


@adadelta.convention("keras", source="keras.optimizers.Adadelta; decay_rate is its rho", ranges=BOTH)
def adadelta_keras(w, g, v, u, *, lr=1e-3, decay_rate=0.95, eps=1e-7, eps_root=0.0):
    v = decay_rate * v + (1 - decay_rate) * g**2
    d = sqrt(u + eps + eps_root) * g / sqrt(v + eps + eps_root)
    u = decay_rate * u + (1 - decay_rate) * d**2
    w = w - lr * d
    return w, v, u


adadelta.also("optax", source="optax.adadelta; decay_rate is its rho", decay_rate=0.9)


# Dual averaging: x0 is where the parameter started, and z where the weighted sum s of all gradients leads from there.
# The authors add eps to lr as well, unless lr is zero, and where v and eps are zero there is no step.
@rule(
    source="Defazio & Jelassi 2021, arXiv:2101.11075, Algorithm 1; the authors' package madgrad 1.3",
    state={"x0": copy("w")},
    ranges={"v": SQUARES},
    title="MADGRAD",
    convention="authors",
)
def madgrad(w, g, v, s, x0, *, t, lr=0.01, momentum=0.9, eps=1e-6, eps_root=0.0):
    rate = (lr + eps if lr > 0 else 0.0) * sqrt(t)
    v = v + rate * g * g
    s = s + rate * g
    root = power(v + eps_root, 1 / 3) + eps
    z = x0 - where(root > 0, s / root, 0.0)
    w = w - (1 - momentum) * (w - z)
    return w, v, s, x0


@madgrad.convention(
    "optax",
    source="optax.contrib.madgrad, which has no default lr",
    state={"x0": copy("w")},
    ranges={"v": SQUARES},
)
def madgrad_optax(w, g, v, s, x0, *, t, lr=0.01, momentum=0.9, eps=1e-6, eps_root=0.0):
    rate = (lr + eps) * sqrt(t)
    v = v + rate * g**2
    s = s + rate * g
    z = x0 - s / (cbrt(v + eps_root) + eps)
    w = w - (1 - momentum) * (w - z)
    return w, v, s, x0


# The parameter follows from n and z alone, whatever it was before; links on the step have nothing to hold on to. The
# paper's lr is alpha, for which it has no default. Where |z| <= l1 the parameter is exactly zero.
@rule(
    source="McMahan et al. 2013, Ad Click Prediction: a View from the Trenches, Algorithm 1",
    ranges={"n": SQUARES, "lr": "(0, inf)", "l1": "[0, inf)", "l2": "[0, inf)", "beta": "[0, inf)"},
    title="FTRL",
)
def ftrl(w, g, n, z, *, lr=1e-3, l1=0.0, l2=0.0, beta=1.0, eps_root=0.0):
    sigma = (sqrt(n + g**2 + eps_root) - sqrt(n + eps_root)) / lr
    z = z + g - sigma * w
    n = n + g**2
    w = where(abs(z) > l1, -(z - sign(z) * l1) / ((beta + sqrt(n + eps_root)) / lr + l2), 0.0)
    return w, n, z


# n starts above zero, its power is free, and l2 counts twice. l2_shrinkage is in z only and not in n.
@ftrl.convention(
    "keras",
    source="keras.optimizers.Ftrl; lr_power is its learning_rate_power, l1, l2 and l2_shrinkage end on its "
    "regularization_strength, initial_accumulator on value",
    state={"n": full("initial_accumulator")},
    ranges={
        "n": SQUARES,
        "lr": "(0, inf)",
        "lr_power": "(-inf, 0]",
        "initial_accumulator": SQUARES,
        "l1": "[0, inf)",
        "l2": "[0, inf)",
        "l2_shrinkage": "[0, inf)",
        "beta": "[0, inf)",
    },
)
def ftrl_keras(
    w, g, n, z, *, lr=1e-3, lr_power=-0.5, initial_accumulator=0.1, l1=0.0, l2=0.0, l2_shrinkage=0.0, beta=0.0,
    eps_root=0.0,
):  # fmt: skip
    before = power(n + eps_root, -lr_power)
    n = n + g**2
    after = power(n + eps_root, -lr_power)
    z = z + (g + 2 * l2_shrinkage * w - (after - before) / lr * w)
    w = (clip(z, -l1, l1) - z) / (after / lr + 2 * (l2 + beta / (2 * lr)))
    return w, n, z

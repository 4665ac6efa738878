"""Rules without a learning rate to choose: it follows from the distance to the start, or from the loss."""

from __future__ import annotations

from thalweg.language.state import copy, shared
from thalweg.rule import rule
from thalweg.words import abs, maximum, minimum, sqrt, sum, total  # noqa: A004

SQUARES = "[0, inf)"
POSITIVE = "(0, inf)"
DEFAZIO = "Defazio & Mishchenko 2023, arXiv:2301.07733"
MISHCHENKO = "Mishchenko & Defazio 2023, arXiv:2306.06101"
LIMITED = {"d": POSITIVE, "growth_rate": "[1, inf)"}

# The authors' growth_rate, by which d grows at most in a step, is infinite by default; 1e300 is as good.
# Sums are of all parameters. As long as every gradient has been zero d stays what it is: there the codes return early,
# or divide zero by zero.


# g0 is the norm of the first gradient that is not zero. The authors' code adds weight decay to the gradient, as a link
# `l2` does, but has it left out of g0.
@rule(
    source=f"{DEFAZIO}, Algorithm 4, as in the authors' package dadaptation 3.2",
    state={"x0": copy("w"), "r": shared(), "d": shared("d0"), "g0": shared()},
    ranges={**LIMITED, "g0": SQUARES},
    title="DAdaptSGD",
    convention="authors",
)
def dadaptsgd(w, g, s, x0, r, d, g0, *, lr=1.0, momentum=0.0, d0=1e-6, growth_rate=1e300):
    size = sqrt(total(sum(g * g)))
    g0 = g0 if g0 > 0 else size
    rate = d * lr / g0 if g0 > 0 else 0.0
    r = r + rate * total(sum(g * s))
    s = s + rate * g
    length = sqrt(total(sum(s * s)))
    d_hat = 2 * r / length if length > 0 else d
    d = maximum(d, minimum(d_hat, d * growth_rate))
    w = w - (1 - momentum) * (w - (x0 - s))
    return w, s, x0, r, d, g0


# eps > 0, since the first step divides s, which is zero, by a root that is zero.
@rule(
    source=f"{DEFAZIO}, Algorithm 5, as in the authors' package dadaptation 3.2 (decouple=True)",
    state={"r": shared(), "d": shared("d0")},
    ranges={**LIMITED, "v": SQUARES, "eps": POSITIVE},
    title="DAdaptAdam",
    convention="authors",
)
def dadaptadam(
    w, g, m, v, s, r, d, *, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, d0=1e-6, growth_rate=1e300,
    eps_root=0.0,
):  # fmt: skip
    beta3 = sqrt(beta2)
    rate = d * lr
    r = beta3 * r + (1 - beta3) * (rate * total(sum(g * (s / (sqrt(v + eps_root) + eps)))))
    m = beta1 * m + rate * (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    s = beta3 * s + rate * (1 - beta3) * g
    length = (1 - beta3) * total(sum(abs(s)))
    d_hat = r / length if length > 0 else d
    d = maximum(d, minimum(d_hat, d * growth_rate))
    w = w - weight_decay * rate * w
    w = w - m / (sqrt(v + eps_root) + eps)
    return w, m, v, s, r, d


# With the corrections of Adam in the rate, and without a limit of growth.
@dadaptadam.convention(
    "optax",
    source="optax.contrib.dadapt_adamw; d0 is its estim_lr0",
    state={"r": shared(), "d": shared("d0")},
    ranges={"d": POSITIVE, "v": SQUARES, "eps": POSITIVE},
)
def dadaptadam_optax(
    w, g, m, v, s, r, d, *, t, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, d0=1e-6, eps_root=0.0
):
    beta3 = sqrt(beta2)
    rate = d * lr * (sqrt(1 - beta2**t) / (1 - beta1**t))
    r = beta3 * r + (1 - beta3) * rate * total(sum(g * (s / (sqrt(v + eps_root) + eps))))
    m = beta1 * m + (1 - beta1) * rate * g
    v = beta2 * v + (1 - beta2) * g * g
    s = beta3 * s + (1 - beta3) * rate * g
    length = (1 - beta3) * total(sum(abs(s)))
    d_hat = r / length if length > 0 else d
    d = maximum(d, d_hat)
    w = w - (weight_decay * rate * w + m / (sqrt(v + eps_root) + eps))
    return w, m, v, s, r, d


# eps_root, like eps, is in units of the gradient, and v is in those of d * g.
@rule(
    source=f"{MISHCHENKO}, Algorithm 4",
    state={"x0": copy("w"), "r": shared(), "d": shared("d0")},
    ranges={"d": POSITIVE, "v": SQUARES},
    default="authors",
)
def prodigy(w, g, m, v, s, x0, r, d, *, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, d0=1e-6, eps_root=0.0):
    beta3 = sqrt(beta2)
    d_old = d
    m = beta1 * m + (1 - beta1) * d * g
    v = beta2 * v + (1 - beta2) * d**2 * g**2
    r = beta3 * r + (1 - beta3) * lr * d**2 * total(sum(g * (x0 - w)))
    s = beta3 * s + (1 - beta3) * lr * d**2 * g
    length = total(sum(abs(s)))
    d_hat = r / length if length > 0 else d
    d = maximum(d, d_hat)
    w = w - lr * d_old * m / (sqrt(v + d_old**2 * eps_root) + d_old * eps)
    return w, m, v, s, x0, r, d


# r and s are divided by d0, so that they do not become too small. eps is multiplied by the new d. Where growth is
# limited d follows the largest estimate so far.
@prodigy.convention(
    "authors",
    source="the authors' package prodigyopt 1.1",
    state={"x0": copy("w"), "r": shared(), "d": shared("d0"), "d_max": shared("d0")},
    ranges={**LIMITED, "v": SQUARES, "d_max": POSITIVE, "d_coef": "[0, inf)"},
)
def prodigy_authors(
    w, g, m, v, s, x0, r, d, d_max, *, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, d0=1e-6, d_coef=1.0,
    growth_rate=1e300, eps_root=0.0,
):  # fmt: skip
    beta3 = sqrt(beta2)
    rate = d * lr
    r = beta3 * r + d / d0 * rate * total(sum(g * (x0 - w)))
    m = beta1 * m + d * (1 - beta1) * g
    v = beta2 * v + d * d * (1 - beta2) * g * g
    s = beta3 * s + d / d0 * rate * g
    length = total(sum(abs(s)))
    d_hat = d_coef * r / length if length > 0 else d
    first = maximum(d, d_hat) if d == d0 else d
    d_max = maximum(d_max, d_hat)
    d = minimum(d_max, first * growth_rate)
    w = w - weight_decay * rate * w
    w = w - rate * m / (sqrt(v + d * d * eps_root) + d * eps)
    return w, m, v, s, x0, r, d, d_max


# With the corrections of Adam in the rate, and without a limit of growth.
@prodigy.convention(
    "optax",
    source="optax.contrib.prodigy; d0 is its estim_lr0, d_coef its estim_lr_coef",
    state={"x0": copy("w"), "r": shared(), "d": shared("d0")},
    ranges={"d": POSITIVE, "v": SQUARES, "d_coef": "[0, inf)"},
)
def prodigy_optax(
    w, g, m, v, s, x0, r, d, *, t, lr=1.0, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, d0=1e-6, d_coef=1.0,
    eps_root=0.0,
):  # fmt: skip
    beta3 = sqrt(beta2)
    rate = d * lr * (sqrt(1 - beta2**t) / (1 - beta1**t))
    dg = d * g
    m = beta1 * m + (1 - beta1) * dg
    v = beta2 * v + (1 - beta2) * dg * dg
    s = beta3 * s + rate * dg / d0
    r = beta3 * r + d / d0 * rate * total(sum(g * (x0 - w)))
    length = total(sum(abs(s)))
    d_hat = d_coef * r / length if length > 0 else d
    d = maximum(d, d_hat)
    w = w - (weight_decay * rate * w + rate * m / (sqrt(v + d * d * eps_root) + d * eps))
    return w, m, v, s, x0, r, d


# The step is the largest distance from the start, over the root of the sum of all squares. The first one is a guess,
# reps_rel * (1 + norm of the start). The authors average the points of DoG: put a link `polyak` behind it.
@rule(
    source="Ivgi, Hinder & Carmon 2023, arXiv:2302.12022, eq. (DoG), as in the authors' code",
    state={"x0": copy("w"), "r": shared(), "squares": shared("eps")},
    ranges={"r": SQUARES, "squares": SQUARES, "eps": POSITIVE, "reps_rel": POSITIVE},
    title="DoG",
    convention="authors",
)
def dog(w, g, x0, r, squares, *, t, lr=1.0, eps=1e-8, reps_rel=1e-6, eps_root=0.0):
    size = sqrt(total(sum(x0 * x0)))
    distance = sqrt(total(sum((w - x0) ** 2)))
    r = reps_rel * (1 + size) if t == 1 else maximum(r, distance)
    squares = squares + total(sum(g**2))
    w = w - lr * r / sqrt(squares + eps_root) * g
    return w, x0, r, squares


# eps is added at every step anew, and is no part of the sum.
@dog.convention(
    "optax",
    source="optax.contrib.dog; reps_rel is the second of its init_step",
    state={"x0": copy("w"), "r": shared(), "squares": shared()},
    ranges={"r": SQUARES, "squares": SQUARES, "eps": POSITIVE, "reps_rel": POSITIVE},
)
def dog_optax(w, g, x0, r, squares, *, t, lr=1.0, eps=1e-8, reps_rel=1e-6, eps_root=0.0):
    size = sqrt(total(sum(x0 * x0)))
    distance = sqrt(total(sum((x0 - w) ** 2)))
    r = maximum(reps_rel * (1 + size) if t == 1 else r, distance)
    squares = squares + total(sum(g * g))
    w = w - lr * (r / sqrt(squares + eps + eps_root) * g)
    return w, x0, r, squares


# The paper's first distance is a number of its own and nothing is added to the root; in the code eps is both, the first
# r being the square of a distance. lr is optax's.
@rule(
    source="Khaled, Mishchenko & Jin 2023, arXiv:2305.16284, Algorithm 1, as in the authors' code",
    state={"x0": copy("w"), "r": shared("eps"), "squares": shared()},
    ranges={"r": SQUARES, "squares": SQUARES, "eps": POSITIVE},
    title="DoWG",
    convention="authors",
)
def dowg(w, g, x0, r, squares, *, lr=1.0, eps=1e-4, eps_root=0.0):
    r = maximum(r, total(sum((w - x0) ** 2)))
    squares = squares + r * total(sum(g**2))
    w = w - lr * (r / (sqrt(squares + eps_root) + eps)) * g
    return w, x0, r, squares


dowg.also("optax", source="optax.contrib.dowg")


# c is 1/2 in the paper's theorems for convex functions.
@rule(
    source="Loizou, Vaswani, Laradji & Lacoste-Julien 2020, arXiv:2002.10542, eq. (4), SPS_max; lr_max is its gamma_b",
    ranges={"lr_max": SQUARES, "c": POSITIVE},
    title="PolyakSGD",
)
def polyaksgd(w, g, *, value, lr_max=1.0, f_min=0.0, c=0.5):
    squares = total(sum(g**2))
    rate = minimum((value - f_min) / (c * squares), lr_max) if squares > 0 else 0.0
    w = w - rate * g
    return w


# scaling multiplies the gradient before its norm is taken, in the code and not in its documentation. There is no step
# where the squared norm is not above float64's epsilon.
@polyaksgd.convention(
    "optax",
    source="optax.polyak_sgd; lr_max is its max_learning_rate",
    ranges={"lr_max": SQUARES, "scaling": SQUARES},
)
def polyaksgd_optax(w, g, *, value, lr_max=1.0, f_min=0.0, eps=0.0, scaling=1.0):
    u = scaling * g
    squares = total(sum(u * u)) + eps
    rate = minimum((value - f_min) / squares, lr_max) if squares > 2.220446049250313e-16 else 0.0
    w = w - rate * u
    return w

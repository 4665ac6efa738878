"""Adam with another measure for the rate of each element."""

from __future__ import annotations

from thalweg.language.state import full
from thalweg.rule import rule
from thalweg.words import abs, clip, exp, maximum, minimum, power, sign, sqrt, where  # noqa: A004

SQUARES = {"v": "[0, inf)"}
VARIANCES = {"s": "[0, inf)"}
MAXIMA = {"v": "[0, inf)", "v_max": "[0, inf)", "partial": "(0, 0.5]"}


# s is the variance of the gradient around the m that has just been updated. eps is added into s at every step, where it
# adds up, and once more to the root.
@rule(
    source="Zhuang et al. 2020, arXiv:2010.07468, Algorithm 2",
    ranges=VARIANCES,
    title="AdaBelief",
    default="authors",
)
def adabelief(w, g, m, s, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-16, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * (g - m) ** 2 + eps
    m_hat = m / (1 - beta1**t)
    s_hat = s / (1 - beta2**t)
    w = w - lr * m_hat / (sqrt(s_hat + eps_root) + eps)
    return w, m, s


@adabelief.convention(
    "authors", source="adabelief-pytorch, AdaBelief(rectify=False), which rectifies by default", ranges=VARIANCES
)
def adabelief_authors(w, g, m, s, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-16, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    error = g - m
    s = beta2 * s + (1 - beta2) * error * error + eps
    w = w - lr / (1 - beta1**t) * (m / (sqrt(s + (1 - beta2**t) * eps_root) / sqrt(1 - beta2**t) + eps))
    return w, m, s


# What is added into s is eps_root, and eps is for the root alone.
@adabelief.convention("optax", source="optax.adabelief, which has no default lr", ranges=VARIANCES)
def adabelief_optax(w, g, m, s, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-16, eps_root=1e-16):
    m = beta1 * m + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * (g - m) ** 2 + eps_root
    m_hat = m / (1 - beta1**t)
    s_hat = s / (1 - beta2**t)
    w = w - lr * (m_hat / (sqrt(s_hat) + eps))
    return w, m, s


# As printed: no bias is corrected, and both moments start at zero; initial_accumulator is for v alone.
@rule(
    source="Zaheer et al. 2018, NeurIPS, Adaptive Methods for Nonconvex Optimization, Algorithm 2",
    state={"v": full("initial_accumulator")},
    ranges=SQUARES,
)
def yogi(w, g, m, v, *, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-3, initial_accumulator=0.0, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = v - (1 - beta2) * sign(v - g**2) * g**2
    w = w - lr * m / (sqrt(v + eps_root) + eps)
    return w, m, v


# m starts at the accumulator's value as v does, which is how TensorFlow Addons had it.
@yogi.convention(
    "optax",
    source="optax.yogi, which has no default lr; initial_accumulator is fixed there",
    state={"m": full("initial_accumulator"), "v": full("initial_accumulator")},
    ranges=SQUARES,
)
def yogi_optax(w, g, m, v, *, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-3, initial_accumulator=1e-6, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = v - (1 - beta2) * sign(v - g**2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * (m_hat / (sqrt(v_hat + eps_root) + eps))
    return w, m, v


# Between bounds that close in on final_lr. The authors' class scales final_lr by lr over its first value; here final_lr
# is what is given, and a schedule for it is a schedule.
@rule(
    source="Luo et al. 2019, arXiv:1902.09843, Algorithm 2, as in adabound",
    ranges={**SQUARES, "final_lr": "[0, inf)", "gamma": "(0, inf)"},
    title="AdaBound",
    convention="authors",
)
def adabound(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, final_lr=0.1, gamma=1e-3, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    low = final_lr * (1 - 1 / (gamma * t + 1))
    high = final_lr * (1 + 1 / (gamma * t))
    rate = clip(lr_t / (sqrt(v + eps_root) + eps), low, high)
    w = w - rate * m
    return w, m, v


# s is the average of the rates; it starts at zero and is not corrected, which makes a warm-up.
@rule(
    source="Ding et al. 2019, arXiv:1910.12249, Algorithm 1, as in lancopku/AdaMod",
    ranges={**SQUARES, "s": "[0, inf)"},
    title="AdaMod",
    convention="authors",
)
def adamod(w, g, m, v, s, *, t, lr=1e-3, beta1=0.9, beta2=0.999, beta3=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    rate = lr_t / (sqrt(v + eps_root) + eps)
    s = beta3 * s + (1 - beta3) * rate
    w = w - minimum(rate, s) * m
    return w, m, v, s


# As printed: no bias is corrected, and there is no eps; 0/0, before the first gradient, is taken for no step.
@rule(
    source="Chen & Gu 2018, arXiv:1806.06763, Algorithm 1",
    ranges=MAXIMA,
    default="authors",
    contains={"amsgrad[paper]": {"partial": 0.5}},
)
def padam(w, g, m, v, v_max, *, lr=0.1, beta1=0.9, beta2=0.999, partial=0.125, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = maximum(v_max, v)
    w = w - lr * where(v_max > 0, m / power(v_max + eps_root, partial), 0.0)
    return w, m, v, v_max


# The power is of the root with eps, whence the 2. The corrections of biases are Adam's, whatever the power. The default
# of partial is the class's.
@padam.convention("authors", source="uclaml/Padam, Padam(amsgrad=True)", ranges=MAXIMA)
def padam_authors(w, g, m, v, v_max, *, t, lr=0.1, beta1=0.9, beta2=0.999, partial=0.25, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    v_max = maximum(v_max, v)
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    w = w - lr_t * (m / power(sqrt(v_max + eps_root) + eps, 2 * partial))
    return w, m, v, v_max


# The friction is between 1/2, where the gradient stays as it was, and 1.
@rule(source="Dubey et al. 2020, arXiv:1909.11015, section III", ranges=SQUARES, title="DiffGrad", default="authors")
def diffgrad(w, g, m, v, prev, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    friction = 1 / (1 + exp(-abs(prev - g)))
    w = w - lr * friction * m_hat / (sqrt(v_hat + eps_root) + eps)
    prev = g
    return w, m, v, prev


# eps is added to the root of the uncorrected v. The first diffGrad.py of the authors kept the gradient without copying
# it, so that the friction is 1/2 wherever the gradient is accumulated in place; this is their second.
@diffgrad.convention("authors", source="shivram1987/diffGrad, diffGrad_v2.py", ranges=SQUARES)
def diffgrad_authors(w, g, m, v, prev, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, eps_root=0.0):
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    friction = 1 / (1 + exp(-abs(prev - g)))
    w = w - lr_t * (m * friction / (sqrt(v + eps_root) + eps))
    prev = g
    return w, m, v, prev

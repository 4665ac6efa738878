"""AdaBelief, Yogi, AdaBound, AdaMod, Padam and diffGrad. A step of 0/0 is no step."""

from __future__ import annotations

from mpmath import exp, sqrt

from tests.transcribed.base import ZERO, paper

OTHER = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3)


def moments(g, s, beta1, beta2):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    return s["m"], s["v"]


# AdaBelief ------------------------------------------------------------------------------------------------------------


# eps is added to s, which is kept, and to the root.
@paper(
    "adabelief",
    "paper",
    "authors",
    equation="Zhuang et al. 2020, arXiv:2010.07468, Algorithm 2; adabelief-pytorch 0.2.1 with rectify=False, the same",
    other=OTHER | dict(eps_root=8e-2),
)
def adabelief(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["s"] = beta2 * s["s"] + (1 - beta2) * (g - s["m"]) ** 2 + eps
    m_hat = s["m"] / (1 - beta1**t)
    s_hat = s["s"] / (1 - beta2**t)
    return w - lr * m_hat / (sqrt(s_hat + eps_root) + eps)


@paper(
    "adabelief",
    "optax",
    equation="optax.adabelief, the equations of its documentation",
    other=OTHER | dict(eps_root=8e-2),
)
def adabelief_two_eps(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["s"] = beta2 * s["s"] + (1 - beta2) * (g - s["m"]) ** 2 + eps_root
    m_hat = s["m"] / (1 - beta1**t)
    s_hat = s["s"] / (1 - beta2**t)
    return w - lr * m_hat / (sqrt(s_hat) + eps)


# Yogi -----------------------------------------------------------------------------------------------------------------

YOGI = OTHER | dict(initial_accumulator=0.4, eps_root=8e-2)


def sign(x):
    return (x > 0) - (x < 0)


@paper("yogi", "paper", equation="Zaheer et al. 2018, Algorithm 2", other=YOGI)
def yogi(w, g, s, t, lr, beta1, beta2, eps, initial_accumulator, eps_root):
    if t == 1:
        s["v"] = initial_accumulator
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = s["v"] - (1 - beta2) * sign(s["v"] - g**2) * g**2
    return w - lr * s["m"] / (sqrt(s["v"] + eps_root) + eps)


# m starts where v does; at zero the sign of zero matters.
@paper("yogi", "optax", equation="optax.yogi, scale_by_yogi", other=YOGI | dict(initial_accumulator=0.0))
def yogi_corrected(w, g, s, t, lr, beta1, beta2, eps, initial_accumulator, eps_root):
    if t == 1:
        s["m"] = s["v"] = initial_accumulator
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = s["v"] - (1 - beta2) * sign(s["v"] - g**2) * g**2
    m_hat = s["m"] / (1 - beta1**t)
    v_hat = s["v"] / (1 - beta2**t)
    return w - lr * m_hat / (sqrt(v_hat + eps_root) + eps)


# AdaBound and AdaMod --------------------------------------------------------------------------------------------------


@paper(
    "adabound",
    "authors",
    equation="Luo et al. 2019, arXiv:1902.09843, Algorithm 2, with the corrections and bounds of adabound 0.0.5",
    other=dict(lr=0.23, beta1=0.71, beta2=0.58, final_lr=0.0037, gamma=0.046, eps=0.5, eps_root=21.0),
)
def adabound(w, g, s, t, lr, beta1, beta2, final_lr, gamma, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t) / (sqrt(v + eps_root) + eps)
    lower = final_lr * (1 - 1 / (gamma * t + 1))
    upper = final_lr * (1 + 1 / (gamma * t))
    return w - min(max(rate, lower), upper) * m


@paper(
    "adamod",
    "authors",
    equation="Ding et al. 2019, arXiv:1910.12249, Algorithm 1, with the corrections of lancopku/AdaMod",
    other=OTHER | dict(beta3=0.58, eps_root=8e-2),
)
def adamod(w, g, s, t, lr, beta1, beta2, beta3, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t) / (sqrt(v + eps_root) + eps)
    s["rate"] = beta3 * s["rate"] + (1 - beta3) * rate
    return w - min(rate, s["rate"]) * m


# Padam ----------------------------------------------------------------------------------------------------------------


@paper(
    "padam",
    "paper",
    equation="Chen et al. 2020, arXiv:1806.06763, Algorithm 1",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, partial=0.31, eps_root=8e-2),
    edges=[dict(beta2=0.0, eps_root=0.0)],
)
def padam(w, g, s, t, lr, beta1, beta2, partial, eps_root):
    m, v = moments(g, s, beta1, beta2)
    s["largest"] = max(s["largest"], v)
    return w - (lr * m / (s["largest"] + eps_root) ** partial if s["largest"] else ZERO)


@paper(
    "padam",
    "authors",
    equation="uclaml/Padam, Padam.py with amsgrad=True",
    other=OTHER | dict(partial=0.31, eps_root=8e-2),
)
def padam_corrected(w, g, s, t, lr, beta1, beta2, eps, partial, eps_root):
    m, v = moments(g, s, beta1, beta2)
    s["largest"] = max(s["largest"], v)
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - rate * m / (sqrt(s["largest"] + eps_root) + eps) ** (2 * partial)


# diffGrad -------------------------------------------------------------------------------------------------------------


def friction(g, s):
    """Return the sigmoid of the change of the gradient, and keep the gradient."""
    change = abs(s["before"] - g)
    s["before"] = g
    return 1 / (1 + exp(-change))


@paper(
    "diffgrad",
    "paper",
    equation="Dubey et al. 2020, arXiv:1909.11015, Algorithm 1",
    other=OTHER | dict(eps_root=8e-2),
)
def diffgrad(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - lr * friction(g, s) * m_hat / (sqrt(v_hat + eps_root) + eps)


@paper(
    "diffgrad",
    "authors",
    equation="shivram1987/diffGrad, diffGrad.py, with the gradient before as it is meant",
    other=OTHER | dict(eps_root=8e-2),
)
def diffgrad_epsilon_hat(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    m, v = moments(g, s, beta1, beta2)
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - rate * friction(g, s) * m / (sqrt(v + eps_root) + eps)

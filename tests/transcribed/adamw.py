"""AdamW."""

from __future__ import annotations

from mpmath import sqrt

from tests.transcribed.base import paper

OTHER = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.19, eps_root=8e-2)


def moments(g, s, beta1, beta2):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    return s["m"], s["v"]


# The schedule multiplier eta of the paper is one here, so that the decay is not multiplied by anything.
@paper("adamw", "paper", equation="Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2, line 12", other=OTHER)
def adamw(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    m, v = moments(g, s, beta1, beta2)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - (lr * m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay * w)


@paper(
    "adamw",
    "torch",
    "optax",
    equation="torch.optim.AdamW, the algorithm of its documentation; optax.adamw, the same",
    other=OTHER,
)
def adamw_with_lr(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    m, v = moments(g, s, beta1, beta2)
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return w - lr * weight_decay * w - lr * m_hat / (sqrt(v_hat + eps_root) + eps)


@paper("adamw", "keras", equation="keras.optimizers.AdamW: decay by lr * weight_decay, then Adam", other=OTHER)
def adamw_epsilon_hat(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    m, v = moments(g, s, beta1, beta2)
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - lr * weight_decay * w - rate * m / (sqrt(v + eps_root) + eps)


@paper("adamw", "mlx", equation="MLX, documentation of mlx.optimizers.AdamW", other=OTHER)
def adamw_uncorrected(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    m, v = moments(g, s, beta1, beta2)
    return w - lr * (m / (sqrt(v + eps_root) + eps) + weight_decay * w)

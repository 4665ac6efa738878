"""Adam."""

from __future__ import annotations

from mpmath import sqrt

from tests.transcribed.base import paper


@paper(
    "adam",
    "paper",
    "optax",
    "torch",
    equation="Kingma & Ba 2015, arXiv:1412.6980, Algorithm 1",
    other=dict(lr=0.2, beta1=0.7, beta2=0.96, eps=1e-3, eps_root=1e-2),
)
def adam(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    m_hat = s["m"] / (1 - beta1**t)
    v_hat = s["v"] / (1 - beta2**t)
    return w - lr * m_hat / (sqrt(v_hat + eps_root) + eps)


@paper(
    "adam",
    "book",
    "keras",
    "tensorflow",
    "sklearn",
    "pennylane",
    equation="Kingma & Ba 2015, arXiv:1412.6980, section 2, last paragraph: eps is their epsilon hat",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, eps_root=8e-2),
)
def adam_epsilon_hat(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    rate = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    return w - rate * s["m"] / (sqrt(s["v"] + eps_root) + eps)


@paper(
    "adam",
    "mlx",
    equation="MLX, documentation of mlx.optimizers.Adam: Algorithm 1 without its corrections",
    other=dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, eps_root=8e-2),
)
def adam_uncorrected(w, g, s, t, lr, beta1, beta2, eps, eps_root):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
    return w - lr * s["m"] / (sqrt(s["v"] + eps_root) + eps)

"""AdamW: Adam whose weight decay does not pass through the gradient."""

from __future__ import annotations

from thalweg.rule import rule
from thalweg.rules.adam import at_most
from thalweg.words import sqrt

SQUARES = {"v": "[0, inf)"}


# Line 12 with the schedule multiplier at one. The decay is not multiplied by lr here, as it is in every library. The
# paper gives no decay; this one is what the libraries' 0.01 amounts to at the default lr.
@rule(
    source="Loshchilov & Hutter 2019, arXiv:1711.05101, Algorithm 2",
    ranges=SQUARES,
    title="AdamW",
    default="torch",
    bound=at_most,
    contains={"adam[paper]": {"weight_decay": 0.0}},
)
def adamw(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-5, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - (lr * m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay * w)
    return w, m, v


# From here on lr is a factor of the decay. eps_root stands beside the corrected v, as in Algorithm 2 and optax.
@adamw.convention(
    "torch", source="torch.optim.AdamW", ranges=SQUARES, bound=at_most, contains={"adam[torch]": {"weight_decay": 0.0}}
)
def adamw_torch(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01, eps_root=0.0):
    w = w * (1 - lr * weight_decay)
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g * g
    root = sqrt(v + (1 - beta2**t) * eps_root) / sqrt(1 - beta2**t)
    w = w - lr / (1 - beta1**t) * (m / (root + eps))
    return w, m, v


# eps is added to the root of the uncorrected v, as in Keras' Adam.
@adamw.convention(
    "keras",
    source="keras.optimizers.AdamW",
    ranges=SQUARES,
    bound=at_most,
    contains={"adam[keras]": {"weight_decay": 0.0}},
)
def adamw_keras(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-7, weight_decay=0.004, eps_root=0.0):
    w = w - w * weight_decay * lr
    lr_t = lr * sqrt(1 - beta2**t) / (1 - beta1**t)
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g**2 - v)
    w = w - lr_t * m / (sqrt(v + eps_root) + eps)
    return w, m, v


# The decay is part of the step, and is of the old w all the same.
@adamw.convention(
    "optax",
    source="optax.adamw, which has no default lr",
    ranges=SQUARES,
    bound=at_most,
    contains={"adam[optax]": {"weight_decay": 0.0}},
)
def adamw_optax(w, g, m, v, *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=1e-4, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    w = w - lr * (m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay * w)
    return w, m, v


@adamw.convention(
    "mlx",
    source="mlx.optimizers.AdamW, which corrects no bias by default and has no default lr",
    ranges=SQUARES,
    contains={"adam[mlx]": {"weight_decay": 0.0}},
)
def adamw_mlx(w, g, m, v, *, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01, eps_root=0.0):
    w = w * (1 - lr * weight_decay)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    w = w - lr * m / (sqrt(v + eps_root) + eps)
    return w, m, v

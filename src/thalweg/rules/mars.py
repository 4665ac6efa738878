"""MARS: Adam on gradients from which part of their noise is taken."""

from __future__ import annotations

from thalweg.rule import rule
from thalweg.words import maximum, norm, sqrt

SQUARES = {"v": "[0, inf)"}
OF_VECTORS = {"beta1_1d": "[0, 1)", "beta2_1d": "[0, 1)", "weight_decay_1d": "[0, inf)", "lr_ratio": "[0, inf)"}
AUTHORS = "the authors' mars.py, https://github.com/AGI-Arena/MARS"


# AdamW with numbers of its own; lr_ratio is a factor of lr, the code's lr_1d over its lr.
def _mars_vectors(
    w, g, m, v, *, t, lr=3e-3, beta1_1d=0.9, beta2_1d=0.95, eps=1e-8, weight_decay_1d=0.1, lr_ratio=1.0, eps_root=0.0
):
    m = beta1_1d * m + (1 - beta1_1d) * g
    v = beta2_1d * v + (1 - beta2_1d) * g * g
    correction2 = 1 - beta2_1d**t
    bottom = (sqrt(v + correction2 * eps_root) * (1 / sqrt(correction2)) + eps) * (1 - beta1_1d**t)
    w = w - lr * lr_ratio * (w * weight_decay_1d + m / bottom)
    return w, m, v


# c is the gradient corrected by the one before, which is zero at t = 1. The paper's exact form takes the new batch's
# gradient at the old parameters instead, a second gradient a step; this is its approximate form, which the code uses
# unless told otherwise. It bounds the norm of c by one, tensor by tensor. Only parameters of two axes are matrices;
# all others, kernels of convolutions too, go by AdamW, as in the code.
@rule(
    convention="authors",
    source=f"Yuan et al. 2024, arXiv:2411.10438, Algorithm 2 (MARS-AdamW); {AUTHORS}",
    ranges=SQUARES,
    title="MARS",
    vectors=rule(source=AUTHORS, ranges=SQUARES | OF_VECTORS)(_mars_vectors),
    only_matrices=True,
)
def mars(
    w, g, m, v, g_before, *, t, lr=3e-3, beta1=0.95, beta2=0.99, gamma=0.025, eps=1e-8, weight_decay=0.0, eps_root=0.0
):
    c = (g - g_before) * (gamma * (beta1 / (1 - beta1))) + g
    c = c / maximum(1.0, norm(c))
    m = beta1 * m + (1 - beta1) * c
    v = beta2 * v + (1 - beta2) * c * c
    correction2 = 1 - beta2**t
    bottom = (sqrt(v + correction2 * eps_root) * (1 / sqrt(correction2)) + eps) * (1 - beta1**t)
    g_before = g
    w = w - lr * (w * weight_decay + m / bottom)
    return w, m, v, g_before

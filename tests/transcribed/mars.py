"""MARS."""

from __future__ import annotations

from mpmath import fsum, mpf, sqrt

from tests.transcribed.base import paper


def adamw(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    """AdamW, with the decay beside the quotient."""
    zeros = [mpf(0)] * len(w)
    s["m"] = [beta1 * m + (1 - beta1) * x for m, x in zip(s["m"] or zeros, g, strict=True)]
    s["v"] = [beta2 * v + (1 - beta2) * x**2 for v, x in zip(s["v"] or zeros, g, strict=True)]
    return [
        p - lr * (m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t) + eps_root) + eps) + weight_decay * p)
        for p, m, v in zip(w, s["m"], s["v"], strict=True)
    ]


# The approximate form: the last gradient is that of the last batch. What has not two axes goes by AdamW.
@paper(
    "mars",
    "authors",
    equation="Yuan et al. 2024, arXiv:2411.10438, Algorithm 2, eq. (3.1), (3.4); AGI-Arena/MARS, update_fn",
    level="tensor",
    other=dict(
        lr=0.23,
        beta1=0.71,
        beta2=0.964,
        gamma=0.37,
        eps=5e-3,
        weight_decay=0.19,
        eps_root=4e-2,
        beta1_1d=0.62,
        beta2_1d=0.85,
        weight_decay_1d=0.28,
        lr_ratio=0.53,
    ),
    decades=2.0,
    swing=4.0,  # so that norms are above one and below
)
def mars(
    w, g, s, t, shape, lr, beta1, beta2, gamma, eps, weight_decay, eps_root, beta1_1d, beta2_1d, weight_decay_1d,
    lr_ratio,
):  # fmt: skip
    if len(shape) != 2:
        return adamw(w, g, s, t, lr * lr_ratio, beta1_1d, beta2_1d, eps, weight_decay_1d, eps_root)
    last = s["last"] or [mpf(0)] * len(w)
    s["last"] = g
    c = [x + gamma * beta1 / (1 - beta1) * (x - y) for x, y in zip(g, last, strict=True)]
    length = sqrt(fsum(x**2 for x in c))
    if length > 1:
        c = [x / length for x in c]
    return adamw(w, c, s, t, lr, beta1, beta2, eps, weight_decay, eps_root)

"""Sophia, beside estimates of the diagonal of the Hessian."""

from __future__ import annotations

from mpmath import sign

from tests.transcribed.base import paper

OTHER = dict(lr=0.23, beta1=0.71, beta2=0.83, gamma=0.59, eps=0.27, weight_decay=0.19)


def clipped(x):
    """Between -1 and 1."""
    return max(min(x, 1), -1)


def averaged(h, hessian, beta2):
    """The average of the estimates; without one it stays what it is."""
    return h if hessian is None else beta2 * h + (1 - beta2) * hessian


# An estimate counts in the step that it comes with. The decay comes first.
@paper(
    "sophia",
    "paper",
    equation="Liu et al. 2023, arXiv:2305.14342, Algorithm 3",
    decades=3.0,
    other=OTHER,
)
def sophia(w, g, s, t, hessian, lr, beta1, beta2, gamma, eps, weight_decay):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    s["h"] = averaged(s["h"], hessian, beta2)
    w = w - lr * weight_decay * w
    return w - lr * clipped(s["m"] / max(gamma * s["h"], eps))


# eps is added. update_hessian comes before the next step, at the parameters where that one's gradient is taken.
@paper(
    "sophia",
    "authors",
    equation="Liuhong99/Sophia, sophia.py, _single_tensor_sophiag and update_hessian; gamma: rho * bs",
    decades=3.0,
    other=OTHER,
)
def sophia_authors(w, g, s, t, hessian, lr, beta1, beta2, gamma, eps, weight_decay):
    s["h"] = averaged(s["h"], hessian, beta2)
    w = w * (1 - lr * weight_decay)
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    ratio = min(abs(s["m"]) / (gamma * s["h"] + eps), 1)
    return w - lr * sign(s["m"]) * ratio


# The estimate counts from the next step on, the first moment is corrected, and the decay is of the old parameter.
@paper("sophia", "optax", equation="optax.contrib.sophia, its chain: scale_by_sophia", decades=3.0, other=OTHER)
def sophia_optax(w, g, s, t, hessian, lr, beta1, beta2, gamma, eps, weight_decay):
    s["m"] = beta1 * s["m"] + (1 - beta1) * g
    u = clipped(s["m"] / (1 - beta1**t) / max(gamma * s["h"], eps))
    s["h"] = averaged(s["h"], hessian, beta2)
    return w - lr * (u + weight_decay * w)

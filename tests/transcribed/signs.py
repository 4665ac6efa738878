"""Rules that read the sign of a gradient or of an average."""

from __future__ import annotations

from mpmath import sign

from tests.transcribed.base import paper

BERNSTEIN = "Bernstein et al. 2018, arXiv:1802.04434, Algorithm 1"


@paper("signsgd", "paper", "optax", equation=f"{BERNSTEIN}, SignSGD", other=dict(lr=0.37))
def signsgd(w, g, s, t, lr):
    return w - lr * sign(g)


@paper(
    "signum",
    "paper",
    "optax",
    equation=f"{BERNSTEIN}, Signum",
    other=dict(lr=0.37, momentum=0.62),
    later=dict(momentum=0.93),
    edges=[dict(momentum=0.0)],
    decades=1.0,
)
def signum(w, g, s, t, lr, momentum):
    s["average"] = momentum * s["average"] + (1 - momentum) * g
    return w - lr * sign(s["average"])


@paper(
    "lion",
    "paper",
    "keras",
    "optax",
    equation="Chen et al. 2023, arXiv:2302.06675, Algorithm 2",
    other=dict(lr=0.037, beta1=0.73, beta2=0.94, weight_decay=0.12),
    decades=1.0,  # over more of them beta1 changes no sign
)
def lion(w, g, s, t, lr, beta1, beta2, weight_decay):
    c = beta1 * s["momentum"] + (1 - beta1) * g
    s["momentum"] = beta2 * s["momentum"] + (1 - beta2) * g
    return w - lr * (sign(c) + weight_decay * w)


@paper(
    "tiger",
    "paper",
    equation="Su 2023, the optimizer Tiger, bojone/tiger",
    other=dict(lr=0.037, momentum=0.62, weight_decay=0.12),
    later=dict(momentum=0.93),
    edges=[dict(momentum=0.0)],
    decades=1.0,
)
def tiger(w, g, s, t, lr, momentum, weight_decay):
    s["momentum"] = momentum * s["momentum"] + (1 - momentum) * g
    return w - lr * (sign(s["momentum"]) + weight_decay * w)


@paper(
    "rprop",
    "torch",
    equation="Riedmiller & Braun 1993, eq. (4) and (5); Igel & Huesken 2000, iRprop-",
    other=dict(lr=0.037, eta_minus=0.41, eta_plus=1.36, min_step_size=4e-3, max_step_size=0.19),
)
def rprop(w, g, s, t, lr, eta_minus, eta_plus, min_step_size, max_step_size):
    size = lr if t == 1 else s["size"]
    agreement = sign(g * s["before"])
    if agreement > 0:
        size = size * eta_plus
    elif agreement < 0:
        size = size * eta_minus
        g = 0 * g
    s["size"] = min(max(size, min_step_size), max_step_size)
    s["before"] = g
    return w - sign(g) * s["size"]

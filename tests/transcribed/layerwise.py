"""LARS, LAMB, NovoGrad and Fromage."""

from __future__ import annotations

from mpmath import fsum, mpf, sqrt

from tests.transcribed.base import paper


def norm(x):
    return sqrt(fsum(a**2 for a in x))


def ratio_of(a, b):
    """The trust ratio a / b, and one where either is zero."""
    return a / b if a and b else 1


LARS = dict(lr=0.23, momentum=0.71, weight_decay=0.19, trust=0.37, eps=5e-3)


@paper(
    "lars",
    "paper",
    equation="You, Gitman & Ginsburg 2017, arXiv:1708.03888, Algorithm 1, eq. (6)",
    level="tensor",
    other=LARS,
)
def lars(w, g, s, t, lr, momentum, weight_decay, trust, eps):
    size_w, size_g = norm(w), norm(g)
    rate = trust * size_w / (size_g + weight_decay * size_w + eps) if size_w and size_g else 1
    v = s["v"] or [mpf(0)] * len(w)
    s["v"] = [momentum * a + lr * rate * (x + weight_decay * p) for a, x, p in zip(v, g, w, strict=True)]
    return [p - a for p, a in zip(w, s["v"], strict=True)]


# The norm is of the sum of gradient and decay.
@paper("lars", "optax", equation="optax.lars, its chain", level="tensor", other=LARS)
def lars_optax(w, g, s, t, lr, momentum, weight_decay, trust, eps):
    u = [x + weight_decay * p for x, p in zip(g, w, strict=True)]
    size_w, size_u = norm(w), norm(u)
    rate = trust * size_w / (size_u + eps) if size_w and size_u else 1
    trace = s["trace"] or [mpf(0)] * len(w)
    s["trace"] = [lr * rate * x + momentum * a for x, a in zip(u, trace, strict=True)]
    return [p - a for p, a in zip(w, s["trace"], strict=True)]


LAMB = dict(lr=0.23, beta1=0.71, beta2=0.964, eps=5e-3, weight_decay=0.19, eps_root=4e-2)


def adam(g, s, t, beta1, beta2, eps, eps_root):
    """The direction of Adam."""
    zeros = [mpf(0)] * len(g)
    s["m"] = [beta1 * m + (1 - beta1) * x for m, x in zip(s["m"] or zeros, g, strict=True)]
    s["v"] = [beta2 * v + (1 - beta2) * x**2 for v, x in zip(s["v"] or zeros, g, strict=True)]
    return [
        m / (1 - beta1**t) / (sqrt(v / (1 - beta2**t) + eps_root) + eps) for m, v in zip(s["m"], s["v"], strict=True)
    ]


# phi is the identity.
@paper(
    "lamb",
    "paper",
    "optax",
    equation="You et al. 2019, arXiv:1904.00962, Algorithm 2; optax.lamb, the same",
    level="tensor",
    other=LAMB,
)
def lamb(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    r = adam(g, s, t, beta1, beta2, eps, eps_root)
    u = [a + weight_decay * p for a, p in zip(r, w, strict=True)]
    rate = lr * ratio_of(norm(w), norm(u))
    return [p - rate * a for p, a in zip(w, u, strict=True)]


# The decay comes first and is no part of what is scaled.
@paper("lamb", "keras", equation="keras.optimizers.Lamb, update_step", level="tensor", other=LAMB, edges=[{}], idle=1)
def lamb_keras(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    r = adam(g, s, t, beta1, beta2, eps, eps_root)
    w = [p - lr * weight_decay * p for p in w]
    rate = lr * ratio_of(norm(w), norm(r))
    return [p - rate * a for p, a in zip(w, r, strict=True)]


# m starts at zero, which makes the first step of Algorithm 1 that of all others.
@paper(
    "novograd",
    "paper",
    "optax",
    equation="Ginsburg et al. 2019, arXiv:1905.11286, Algorithm 1; optax.novograd, the same",
    level="tensor",
    other=dict(lr=0.23, beta1=0.71, beta2=0.64, eps=5e-3, weight_decay=0.19, eps_root=4e-2),
)
def novograd(w, g, s, t, lr, beta1, beta2, eps, weight_decay, eps_root):
    square = norm(g) ** 2
    s["v"] = square if t == 1 else beta2 * s["v"] + (1 - beta2) * square
    m = s["m"] or [mpf(0)] * len(w)
    s["m"] = [
        beta1 * a + x / (sqrt(s["v"] + eps_root) + eps) + weight_decay * p for a, x, p in zip(m, g, w, strict=True)
    ]
    return [p - lr * a for p, a in zip(w, s["m"], strict=True)]


# Where a norm is zero the gradient is taken as it is.
@paper(
    "fromage",
    "authors",
    equation="Bernstein et al. 2020, arXiv:2002.03432, Algorithm 1; jxbz/fromage, step",
    level="tensor",
    other=dict(lr=0.23),
)
def fromage(w, g, s, t, lr):
    rate = lr * ratio_of(norm(w), norm(g))
    return [(p - rate * x) / sqrt(1 + lr**2) for p, x in zip(w, g, strict=True)]


# No norm counts for less than min_norm.
@paper(
    "fromage",
    "optax",
    equation="optax.fromage, its chain: arXiv:2002.03432, Algorithm 1, with min_norm",
    level="tensor",
    other=dict(lr=0.23, min_norm=0.37),
    edges=[dict(min_norm=0.0)],
)
def fromage_optax(w, g, s, t, lr, min_norm):
    rate = lr * ratio_of(max(norm(w), min_norm), max(norm(g), min_norm))
    return [(p - rate * x) / sqrt(1 + lr**2) for p, x in zip(w, g, strict=True)]

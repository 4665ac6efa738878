"""Rules that use the curvature of the loss, given as the diagonal of its Hessian: `update(..., hessian=diagonal)`."""

from __future__ import annotations

from thalweg.language.state import given
from thalweg.rule import rule, term
from thalweg.words import abs, clip, maximum, minimum, sign  # noqa: A004

ESTIMATE = {"estimate": given("hessian")}
POSITIVE = {"gamma": "(0, inf)"}


@term
def rate(lr):
    return lr


# How the diagonal is estimated (by Hutchinson's method or Gauss-Newton-Bartlett, section 2.3), and in which steps, is
# the caller's; between two estimates h stays as it is.
@rule(
    source="Liu et al. 2023, arXiv:2305.14342, Algorithm 3",
    state=ESTIMATE,
    ranges=POSITIVE,
    default="authors",
    bound=rate,
)
def sophia(w, g, m, h, estimate, *, fresh, lr=1e-4, beta1=0.96, beta2=0.99, gamma=0.01, eps=1e-12, weight_decay=0.2):
    m = beta1 * m + (1 - beta1) * g
    h = beta2 * h + (1 - beta2) * estimate if fresh == 1 else h
    w = w - (lr * weight_decay * w + lr * clip(m / maximum(gamma * h, eps), -1.0, 1.0))
    return w, m, h, estimate


# SophiaG of the authors' code. There h is moved after the step in whose backward pass it was estimated, which is before
# the next step: give the estimate to that one. gamma is their rho times the batch size bs.
@sophia.convention(
    "authors", source="Liuhong99/Sophia, SophiaG; gamma is its rho * bs", state=ESTIMATE, ranges=POSITIVE, bound=rate
)
def sophia_authors(
    w, g, m, h, estimate, *, fresh, lr=1e-4, beta1=0.965, beta2=0.99, gamma=204.8, eps=1e-15, weight_decay=0.1
):
    h = beta2 * h + (1 - beta2) * estimate if fresh == 1 else h
    m = beta1 * m + (1 - beta1) * g
    ratio = minimum(abs(m) / (gamma * h + eps), 1.0)
    w = w - (lr * weight_decay * w + lr * sign(m) * ratio)
    return w, m, h, estimate


# optax corrects m for its start at zero, and its step uses the h of before: the new estimate counts from the next step.
@sophia.convention(
    "optax", source="optax.contrib.sophia, which has no default lr", state=ESTIMATE, ranges=POSITIVE, bound=rate
)
def sophia_optax(
    w, g, m, h, estimate, *, t, fresh, lr=1e-4, beta1=0.965, beta2=0.99, gamma=0.01, eps=1e-8, weight_decay=1e-4
):
    m = beta1 * m + (1 - beta1) * g
    m_hat = m / (1 - beta1**t)
    u = clip(m_hat / maximum(gamma * h, eps), -1.0, 1.0)
    h = beta2 * h + (1 - beta2) * estimate if fresh == 1 else h
    w = w - lr * (u + weight_decay * w)
    return w, m, h, estimate

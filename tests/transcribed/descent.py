"""Gradient descent, and its momentum."""

from __future__ import annotations

from tests.transcribed.base import paper


@paper(
    "sgd",
    "paper",
    "book",
    "torch",
    "keras",
    "optax",
    "pennylane",
    equation="Robbins & Monro 1951, eq. (6)",
    other=dict(lr=0.37),
)
def sgd(w, g, s, t, lr):
    return w - lr * g


@paper(
    "momentum",
    "paper",
    "book",
    "keras",
    "pennylane",
    equation="Sutskever et al. 2013, eq. (1) and (2)",
    other=dict(lr=0.37, momentum=0.62),
)
def velocity(w, g, s, t, lr, momentum):
    s["velocity"] = momentum * s["velocity"] - lr * g
    return w + s["velocity"]


@paper(
    "momentum",
    "torch",
    equation="torch.optim.SGD, algorithm of its documentation",
    other=dict(lr=0.37, momentum=0.62, dampening=0.23),
)
def buffer_with_dampening(w, g, s, t, lr, momentum, dampening):
    s["buffer"] = momentum * s["buffer"] + (1 - dampening) * g if t > 1 else g
    return w - lr * s["buffer"]


@paper(
    "momentum",
    "mlx",
    equation="mlx.optimizers.SGD, update rule of its documentation",
    other=dict(lr=0.37, momentum=0.62, dampening=0.23),
)
def buffer_with_dampening_at_once(w, g, s, t, lr, momentum, dampening):
    s["buffer"] = momentum * s["buffer"] + (1 - dampening) * g
    return w - lr * s["buffer"]


@paper("momentum", "optax", equation="optax.trace", other=dict(lr=0.37, momentum=0.62))
def trace(w, g, s, t, lr, momentum):
    s["trace"] = g + momentum * s["trace"]
    return w - lr * s["trace"]


@paper(
    "momentum",
    "ema",
    equation="Ma & Yarats 2018, arXiv:1810.06801, eq. (1) and (2)",
    other=dict(lr=0.37, momentum=0.62),
)
def average(w, g, s, t, lr, momentum):
    s["average"] = momentum * s["average"] + (1 - momentum) * g
    return w - lr * s["average"]


@paper(
    "nesterov",
    "paper",
    "book",
    "keras",
    equation="Bengio et al. 2012, arXiv:1212.0901, eq. (6) and (7)",
    other=dict(lr=0.37, momentum=0.62),
)
def nesterov(w, g, s, t, lr, momentum):
    old = s["velocity"]
    s["velocity"] = momentum * old - lr * g
    return w + momentum * momentum * old - (1 + momentum) * lr * g


@paper(
    "nesterov",
    "torch",
    "optax",
    equation="torch.optim.SGD(nesterov=True), algorithm of its documentation",
    other=dict(lr=0.37, momentum=0.62),
)
def nesterov_buffer(w, g, s, t, lr, momentum):
    s["buffer"] = momentum * s["buffer"] + g
    return w - lr * (g + momentum * s["buffer"])

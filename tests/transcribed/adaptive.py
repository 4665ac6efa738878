"""AdaGrad and RMSprop."""

from __future__ import annotations

from mpmath import sqrt

from tests.transcribed.base import ZERO, paper

DUCHI = "Duchi, Hazan & Singer 2011, figure 1, diagonal matrices"


@paper("adagrad", "paper", "book", equation=DUCHI, other=dict(lr=0.37, eps=2e-3, eps_root=0.14))
def adagrad(w, g, s, t, lr, eps, eps_root):
    s["squares"] += g**2
    return w - lr * g / (sqrt(s["squares"] + eps_root) + eps)


@paper(
    "adagrad",
    "torch",
    equation="torch.optim.Adagrad, algorithm of its documentation",
    other=dict(lr=0.37, lr_decay=0.09, initial_accumulator=0.26, eps=2e-3, eps_root=0.14),
)
def adagrad_torch(w, g, s, t, lr, lr_decay, initial_accumulator, eps, eps_root):
    s["squares"] = (initial_accumulator if t == 1 else s["squares"]) + g**2
    return w - lr / (1 + (t - 1) * lr_decay) * g / (sqrt(s["squares"] + eps_root) + eps)


@paper(
    "adagrad",
    "tensorflow",
    equation="tf.keras.optimizers.legacy.Adagrad, optimizer_v2/adagrad.py",
    other=dict(lr=0.37, initial_accumulator=0.26, eps=2e-3, eps_root=0.14),
)
def adagrad_tensorflow(w, g, s, t, lr, initial_accumulator, eps, eps_root):
    s["squares"] = (initial_accumulator if t == 1 else s["squares"]) + g**2
    return w - lr * g / (sqrt(s["squares"] + eps_root) + eps)


@paper(
    "adagrad",
    "keras",
    equation="keras.optimizers.Adagrad, update_step",
    other=dict(lr=0.37, initial_accumulator=0.26, eps=2e-3, eps_root=0.14),
)
def adagrad_inside(w, g, s, t, lr, initial_accumulator, eps, eps_root):
    s["squares"] = (initial_accumulator if t == 1 else s["squares"]) + g**2
    return w - lr * g / sqrt(s["squares"] + eps + eps_root)


# There is no step where the sum is zero.
@paper(
    "adagrad",
    "optax",
    equation="optax.scale_by_rss",
    other=dict(lr=0.37, initial_accumulator=0.26, eps=2e-3, eps_root=0.14),
    edges=[dict(initial_accumulator=0.0, eps=0.0, eps_root=0.0)],
)
def adagrad_guarded(w, g, s, t, lr, initial_accumulator, eps, eps_root):
    s["squares"] = (initial_accumulator if t == 1 else s["squares"]) + g**2
    return w - lr * g / sqrt(s["squares"] + eps + eps_root) if s["squares"] else w


@paper(
    "adagrad",
    "pennylane",
    equation="PennyLane, AdagradOptimizer, its documentation",
    other=dict(lr=0.37, eps=2e-3, eps_root=0.14),
)
def adagrad_pennylane(w, g, s, t, lr, eps, eps_root):
    s["squares"] += g**2
    return w - lr / sqrt(s["squares"] + eps + eps_root) * g


def mean_of_squares(g, s, decay_rate):
    s["squares"] = decay_rate * s["squares"] + (1 - decay_rate) * g**2
    return s["squares"]


def variance(g, s, decay_rate):
    s["mean"] = decay_rate * s["mean"] + (1 - decay_rate) * g
    return mean_of_squares(g, s, decay_rate) - s["mean"] ** 2


@paper(
    "rmsprop",
    "paper",
    "book",
    equation="Tieleman & Hinton 2012, lecture 6e, slide 29",
    other=dict(lr=0.37, decay_rate=0.71, eps=2e-3, eps_root=0.14),
)
def rmsprop(w, g, s, t, lr, decay_rate, eps, eps_root):
    return w - lr * g / (sqrt(mean_of_squares(g, s, decay_rate) + eps_root) + eps)


OUTSIDE = dict(lr=0.37, decay_rate=0.71, eps=2e-3, momentum=0.62, eps_root=0.14)


@paper("rmsprop", "torch", equation="torch.optim.RMSprop, algorithm of its documentation", other=OUTSIDE)
def rmsprop_torch(w, g, s, t, lr, decay_rate, eps, momentum, eps_root):
    root = sqrt(mean_of_squares(g, s, decay_rate) + eps_root)
    s["buffer"] = momentum * s["buffer"] + g / (root + eps)
    return w - lr * s["buffer"]


@paper("rmsprop", "torch-centered", equation="Graves 2013, arXiv:1308.0850, eq. (38) to (41)", other=OUTSIDE)
def rmsprop_torch_centered(w, g, s, t, lr, decay_rate, eps, momentum, eps_root):
    root = sqrt(variance(g, s, decay_rate) + eps_root)
    s["buffer"] = momentum * s["buffer"] + g / (root + eps)
    return w - lr * s["buffer"]


INSIDE = dict(lr=0.37, decay_rate=0.71, momentum=0.62, eps=2e-3, initial_accumulator=0.26, eps_root=0.14)


@paper("rmsprop", "keras", "tensorflow", "optax", equation="keras.optimizers.RMSprop, update_step", other=INSIDE)
def rmsprop_inside(w, g, s, t, lr, decay_rate, momentum, eps, initial_accumulator, eps_root):
    if t == 1:
        s["squares"] = initial_accumulator
    s["step"] = momentum * s["step"] + lr * g / sqrt(mean_of_squares(g, s, decay_rate) + eps + eps_root)
    return w - s["step"]


@paper(
    "rmsprop",
    "keras-centered",
    "optax-centered",
    equation="keras.optimizers.RMSprop(centered=True), update_step; optax.scale_by_stddev",
    other=INSIDE,
)
def rmsprop_inside_centered(w, g, s, t, lr, decay_rate, momentum, eps, initial_accumulator, eps_root):
    if t == 1:
        s["squares"], s["mean"] = initial_accumulator, ZERO
    s["step"] = momentum * s["step"] + lr * g / sqrt(variance(g, s, decay_rate) + eps + eps_root)
    return w - s["step"]


@paper(
    "rmsprop",
    "pennylane",
    equation="PennyLane, RMSPropOptimizer, its documentation",
    other=dict(lr=0.37, decay_rate=0.71, eps=2e-3, eps_root=0.14),
)
def rmsprop_pennylane(w, g, s, t, lr, decay_rate, eps, eps_root):
    return w - lr / sqrt(mean_of_squares(g, s, decay_rate) + eps + eps_root) * g

"""Rules that divide by the root of past squared gradients, without momentum."""

from __future__ import annotations

from thalweg.language.state import full
from thalweg.rule import rule, term
from thalweg.words import sqrt, where

BOOK = "Saito, Deep Learning from Scratch, O'Reilly Japan 2016, section 6.1"
SQUARES = "[0, inf)"
ACCUMULATOR = {"h": full("initial_accumulator")}
SECOND_MOMENT = {"v": full("initial_accumulator")}


@term
def rate(lr):
    return lr


@term
def rmsprop_at_most(lr, decay_rate):
    bound = lr / sqrt(1 - decay_rate)
    return bound


# eps is the paper's delta, which is added to the root and may be zero there.
@rule(
    source="Duchi, Hazan & Singer 2011, JMLR 12, figure 1 (diagonal)",
    ranges={"h": SQUARES},
    title="AdaGrad",
    default="book",
    bound=rate,
)
def adagrad(w, g, h, *, lr=0.01, eps=1e-8, eps_root=0.0):
    h = h + g**2
    w = w - lr * g / (eps + sqrt(h + eps_root))
    return w, h


@adagrad.convention("book", source=f"{BOOK}, eq. (6.5) and (6.6)", ranges={"h": SQUARES}, bound=rate)
def adagrad_book(w, g, h, *, lr=0.01, eps=1e-7, eps_root=0.0):
    h = h + g * g
    w = w - lr * g / (sqrt(h + eps_root) + eps)
    return w, h


@adagrad.convention(
    "torch",
    source="torch.optim.Adagrad",
    state=ACCUMULATOR,
    ranges={"h": SQUARES},
    bound=rate,
    contains={"adagrad[paper]": {"lr_decay": 0.0, "initial_accumulator": 0.0}},
)
def adagrad_torch(w, g, h, *, t, lr=0.01, lr_decay=0.0, initial_accumulator=0.0, eps=1e-10, eps_root=0.0):
    h = h + g * g
    w = w - lr / (1 + (t - 1) * lr_decay) * (g / (sqrt(h + eps_root) + eps))
    return w, h


@adagrad.convention(
    "tensorflow",
    source="TensorFlow's keras.optimizers.legacy.Adagrad; initial_accumulator is its initial_accumulator_value",
    state=ACCUMULATOR,
    ranges={"h": SQUARES},
    bound=rate,
)
def adagrad_tensorflow(w, g, h, *, lr=1e-3, initial_accumulator=0.1, eps=1e-7, eps_root=0.0):
    h = h + g * g
    w = w - lr * g / (sqrt(h + eps_root) + eps)
    return w, h


# From here on eps is inside of the root itself, where eps_root is added to it.
@adagrad.convention(
    "keras",
    source="keras.optimizers.Adagrad; initial_accumulator is its initial_accumulator_value",
    state=ACCUMULATOR,
    ranges={"h": SQUARES},
    bound=rate,
)
def adagrad_keras(w, g, h, *, lr=1e-3, initial_accumulator=0.1, eps=1e-7, eps_root=0.0):
    h = h + g**2
    w = w - lr * g / sqrt(h + eps + eps_root)
    return w, h


# Where h is zero optax takes no step, which matters at eps = 0.
@adagrad.convention(
    "optax",
    source="optax.adagrad, which has no default lr; initial_accumulator is its initial_accumulator_value",
    state=ACCUMULATOR,
    ranges={"h": SQUARES},
    bound=rate,
)
def adagrad_optax(w, g, h, *, lr=0.01, initial_accumulator=0.1, eps=1e-7, eps_root=0.0):
    h = h + g**2
    scale = where(h > 0, 1 / sqrt(h + eps + eps_root), 0.0)
    w = w - lr * (scale * g)
    return w, h


@adagrad.convention(
    "pennylane", source="PennyLane, AdagradOptimizer; stepsize is lr", ranges={"h": SQUARES}, bound=rate
)
def adagrad_pennylane(w, g, h, *, lr=0.01, eps=1e-8, eps_root=0.0):
    h = h + g**2
    w = w - lr / sqrt(h + eps + eps_root) * g
    return w, h


# The lecture divides by the bare root; eps is outside of it, as nearly everybody writes it.
@rule(
    source="Tieleman & Hinton 2012, lecture 6e of Neural Networks for Machine Learning, slide 29",
    ranges={"v": SQUARES},
    title="RMSprop",
    default="book",
    bound=rmsprop_at_most,
)
def rmsprop(w, g, v, *, lr=0.01, decay_rate=0.9, eps=1e-8, eps_root=0.0):
    v = decay_rate * v + (1 - decay_rate) * g**2
    w = w - lr * g / (sqrt(v + eps_root) + eps)
    return w, v


@rmsprop.convention(
    "book", source="Deep Learning from Scratch, common/optimizer.py", ranges={"h": SQUARES}, bound=rmsprop_at_most
)
def rmsprop_book(w, g, h, *, lr=0.01, decay_rate=0.99, eps=1e-7, eps_root=0.0):
    h = decay_rate * h + (1 - decay_rate) * g * g
    w = w - lr * g / (sqrt(h + eps_root) + eps)
    return w, h


@rmsprop.convention(
    "torch",
    source="torch.optim.RMSprop; decay_rate is its alpha",
    ranges={"v": SQUARES},
    contains={"rmsprop[paper]": {"momentum": 0.0}},
)
def rmsprop_torch(w, g, v, b, *, lr=0.01, decay_rate=0.99, eps=1e-8, momentum=0.0, eps_root=0.0):
    v = decay_rate * v + (1 - decay_rate) * g**2
    b = momentum * b + g / (sqrt(v + eps_root) + eps)
    w = w - lr * b
    return w, v, b


# The variance of the gradient, v - a * a, may come out below zero by rounding, as in torch; eps_root > 0 prevents that.
@rmsprop.convention("torch-centered", source="torch.optim.RMSprop(centered=True)", ranges={"v": SQUARES})
def rmsprop_torch_centered(w, g, v, a, b, *, lr=0.01, decay_rate=0.99, eps=1e-8, momentum=0.0, eps_root=0.0):
    v = decay_rate * v + (1 - decay_rate) * g**2
    a = a + (1 - decay_rate) * (g - a)
    b = momentum * b + g / (sqrt(v - a * a + eps_root) + eps)
    w = w - lr * b
    return w, v, a, b


# From here on eps is inside of the root itself, where eps_root is added to it; lr is inside of the momentum.
@rmsprop.convention(
    "keras", source="keras.optimizers.RMSprop; decay_rate is its rho", state=SECOND_MOMENT, ranges={"v": SQUARES}
)
def rmsprop_keras(
    w, g, v, b, *, lr=1e-3, decay_rate=0.9, momentum=0.0, eps=1e-7, initial_accumulator=0.0, eps_root=0.0
):
    v = decay_rate * v + (1 - decay_rate) * g**2
    b = momentum * b + lr * g / sqrt(v + eps + eps_root)
    w = w - b
    return w, v, b


rmsprop_keras.also(
    "tensorflow",
    source="TensorFlow 1, train.RMSPropOptimizer, which has no default lr; v starts at one",
    eps=1e-10,
    initial_accumulator=1.0,
)


@rmsprop.convention(
    "keras-centered", source="keras.optimizers.RMSprop(centered=True)", state=SECOND_MOMENT, ranges={"v": SQUARES}
)
def rmsprop_keras_centered(
    w, g, v, a, b, *, lr=1e-3, decay_rate=0.9, momentum=0.0, eps=1e-7, initial_accumulator=0.0, eps_root=0.0
):
    v = decay_rate * v + (1 - decay_rate) * g**2
    a = decay_rate * a + (1 - decay_rate) * g
    b = momentum * b + lr * g / sqrt(v - a**2 + eps + eps_root)
    w = w - b
    return w, v, a, b


@rmsprop.convention(
    "optax",
    source="optax.rmsprop, which has no default lr; initial_accumulator is its initial_scale",
    state=SECOND_MOMENT,
    ranges={"v": SQUARES},
)
def rmsprop_optax(
    w, g, v, b, *, lr=0.01, decay_rate=0.9, eps=1e-8, initial_accumulator=0.0, momentum=0.0, eps_root=0.0
):
    v = decay_rate * v + (1 - decay_rate) * g**2
    b = momentum * b + lr * (1 / sqrt(v + eps + eps_root) * g)
    w = w - b
    return w, v, b


@rmsprop.convention(
    "optax-centered",
    source="optax.rmsprop(centered=True), which has no default lr; initial_accumulator is its initial_scale",
    state=SECOND_MOMENT,
    ranges={"v": SQUARES},
)
def rmsprop_optax_centered(
    w, g, v, a, b, *, lr=0.01, decay_rate=0.9, eps=1e-8, initial_accumulator=0.0, momentum=0.0, eps_root=0.0
):
    a = decay_rate * a + (1 - decay_rate) * g
    v = decay_rate * v + (1 - decay_rate) * g**2
    b = momentum * b + lr * (1 / sqrt(v - a**2 + eps + eps_root) * g)
    w = w - b
    return w, v, a, b


@rmsprop.convention(
    "pennylane", source="PennyLane, RMSPropOptimizer; stepsize is lr", ranges={"v": SQUARES}, bound=rmsprop_at_most
)
def rmsprop_pennylane(w, g, v, *, lr=0.01, decay_rate=0.9, eps=1e-8, eps_root=0.0):
    v = decay_rate * v + (1 - decay_rate) * g * g
    w = w - lr / sqrt(v + eps + eps_root) * g
    return w, v

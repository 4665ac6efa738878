"""Gradient descent, and gradient descent with momentum."""

from __future__ import annotations

from thalweg.rule import rule

BOOK = "Saito, Deep Learning from Scratch, O'Reilly Japan 2016, section 6.1"


@rule(source="Cauchy 1847; Robbins & Monro 1951", title="SGD", default="book")
def sgd(w, g, *, lr=0.01):
    w = w - lr * g
    return w


sgd.also("book", source=f"{BOOK}, eq. (6.1)")
sgd.also("torch", source="torch.optim.SGD", lr=1e-3)
sgd.also("keras", source="keras.optimizers.SGD; learning_rate is lr")
sgd.also("optax", source="optax.sgd, which has no default lr")
sgd.also("pennylane", source="PennyLane, GradientDescentOptimizer; stepsize is lr")


@rule(
    source="Polyak 1964; Sutskever et al. 2013, eq. (1) and (2)",
    default="book",
    contains={"sgd[paper]": {"momentum": 0.0}},
)
def momentum(w, g, v, *, lr=0.01, momentum=0.9):
    v = momentum * v - lr * g
    w = w + v
    return w, v


momentum.also("book", source=f"{BOOK}, eq. (6.3) and (6.4)")


# The buffer holds gradients, not steps, so that a change of lr acts on all of it. The first gradient is not damped.
@momentum.convention(
    "torch",
    source="torch.optim.SGD(momentum=, dampening=)",
    contains={"sgd[torch]": {"momentum": 0.0, "dampening": 0.0}},
)
def momentum_torch(w, g, b, *, t, lr=1e-3, momentum=0.9, dampening=0.0):
    share = 1 if t == 1 else 1 - dampening
    b = momentum * b + share * g
    w = w - lr * b
    return w, b


momentum.also("keras", source="keras.optimizers.SGD(momentum=)")


@momentum.convention(
    "optax", source="optax.sgd(momentum=), which has no default lr", contains={"sgd[optax]": {"momentum": 0.0}}
)
def momentum_optax(w, g, b, *, lr=0.01, momentum=0.9):
    b = momentum * b + g
    w = w - lr * b
    return w, b


momentum.also("pennylane", source="PennyLane, MomentumOptimizer, whose accumulation is -v")


# An average instead of a sum: lr has to be 1 / (1 - momentum) times as large for the same step.
@momentum.convention(
    "ema", source="Ma & Yarats 2019, arXiv:1810.06801, eq. (1) and (2)", contains={"sgd[paper]": {"momentum": 0.0}}
)
def momentum_ema(w, g, b, *, lr=0.01, momentum=0.9):
    b = momentum * b + (1 - momentum) * g
    w = w - lr * b
    return w, b


# MLX damps the first gradient as well.
@momentum.convention(
    "mlx",
    source="mlx.optimizers.SGD(momentum=, dampening=), which has no default lr",
    contains={"sgd[paper]": {"momentum": 0.0, "dampening": 0.0}},
)
def momentum_mlx(w, g, b, *, lr=0.01, momentum=0.9, dampening=0.0):
    b = momentum * b + (1 - dampening) * g
    w = w - lr * b
    return w, b


# Nesterov's gradient is the one at the look-ahead point. Bengio et al. store that point instead, which gives this form.
@rule(
    source="Nesterov 1983; Bengio, Boulanger-Lewandowski & Pascanu 2012, arXiv:1212.0901, section 3.5",
    default="book",
    contains={"sgd[paper]": {"momentum": 0.0}},
)
def nesterov(w, g, v, *, lr=0.01, momentum=0.9):
    v = momentum * v - lr * g
    w = w + (momentum * v - lr * g)
    return w, v


# The copy of this class in circulation updates v first, which counts the momentum twice; here v is the old one.
@nesterov.convention(
    "book",
    source="Deep Learning from Scratch, common/optimizer.py, with v read before it is updated",
    contains={"sgd[book]": {"momentum": 0.0}},
)
def nesterov_book(w, g, v, *, lr=0.01, momentum=0.9):
    w = w + momentum * momentum * v - (1 + momentum) * lr * g
    v = momentum * v - lr * g
    return w, v


@nesterov.convention(
    "torch", source="torch.optim.SGD(momentum=, nesterov=True)", contains={"sgd[torch]": {"momentum": 0.0}}
)
def nesterov_torch(w, g, b, *, lr=1e-3, momentum=0.9):
    b = momentum * b + g
    w = w - lr * (g + momentum * b)
    return w, b


nesterov.also("keras", source="keras.optimizers.SGD(momentum=, nesterov=True)")
nesterov_torch.also("optax", source="optax.sgd(momentum=, nesterov=True), which has no default lr", lr=0.01)

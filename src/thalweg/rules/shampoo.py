"""Shampoo: the gradient between the inverse roots of two matrices, which add up the products of past gradients."""

from __future__ import annotations

from thalweg.language.state import left, right
from thalweg.rule import rule, term
from thalweg.rules.muon import length
from thalweg.words import amax, blocks, eigh, eye, maximum, sqrt, unblocks, where

GUPTA = "Gupta, Koren & Singer 2018, arXiv:1802.09568, Algorithm 1"
BLOCKS = "in blocks as in Shi et al. 2023, arXiv:2309.06497"
META = "facebookresearch/optimizers, DistributedShampoo"
NOT_NEGATIVE = "[0, inf)"
POSITIVE = {"eps": "(0, inf)"}
AVERAGED = POSITIVE | {"beta2": "[0, 1]"}
GRAFTED = AVERAGED | {"v": NOT_NEGATIVE}
GRAFTED_BY_ADAM = GRAFTED | {"beta2_graft": "(0, 1]"}
LEFT, RIGHT = left(block="block_size"), right(block="block_size")
LEFT_FROM_EPS, RIGHT_FROM_EPS = left("eps", block="block_size"), right("eps", block="block_size")

# The exponent is -1/(2k) for the k axes that have matrices: the last two, and of a vector its one, as it is a matrix of
# one row. Blocks at the edges are filled up with zeros, which have no part in what becomes of the others.


# The power -p. No eigenvalue is below eps, where it started; rounding may put one there, and below zero.
@term
def inverse_root(x, eps, p):
    values, vectors = eigh(x)
    return vectors * maximum(values, eps) ** -p @ vectors.T


def _vectors(w, g, right, *, lr=0.1, eps=1e-4, block_size=1024):
    x = blocks(g, block_size)
    right = right + x.T @ x
    w = w - lr * unblocks(x @ inverse_root(right, eps, 0.5), w)
    return w, right


# A tensor of more than two axes is a stack of matrices, with the exponent -1/4; in the paper each of its axes has a
# matrix of its own.
@rule(
    source=f"{GUPTA}; {BLOCKS}",
    state={"left": LEFT_FROM_EPS, "right": RIGHT_FROM_EPS},
    ranges=POSITIVE,
    vectors=rule(source=f"{GUPTA}; {BLOCKS}", state={"right": RIGHT_FROM_EPS}, ranges=POSITIVE)(_vectors),
)
def shampoo(w, g, left, right, *, lr=0.1, eps=1e-4, block_size=1024):
    x = blocks(g, block_size)
    left = left + x @ x.T
    right = right + x.T @ x
    w = w - lr * unblocks(inverse_root(left, eps, 0.25) @ x @ inverse_root(right, eps, 0.25), w)
    return w, left, right


# Meta's code, with a root at each step, axes of a tensor never merged, and eigenvalues moved up where rounding has put
# the smallest one below eps. At beta2 = 1 the products are added up, and below they are averaged and corrected.
@term
def damped_root(x, eps, p):
    values, vectors = eigh(x + eps * eye(x))
    low = -amax(-values, axis=-1)
    values = where(low < eps, values - low + eps, values)
    return vectors * values**-p @ vectors.T


@term
def moved(average, x, beta):
    return beta * average + x if beta == 1 else beta * average + (1 - beta) * x


@term
def corrected(average, beta, t):
    return average / (1 - beta**t if beta < 1 else 1.0)


def _vectors_facebook(
    w, g, m, right, b,
    *, t, lr=0.01, beta1=0.9, beta2=1.0, eps=1e-12, momentum=0.0, weight_decay=0.0, block_size=1024,
):  # fmt: skip
    x = blocks(g, block_size)
    right = moved(right, x.T @ x, beta2)
    m = m + (1 - beta1) * (g - m)
    u = blocks(m / (1 - beta1**t), block_size)
    u = u @ damped_root(corrected(right, beta2, t), eps, 0.5)
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, right, b


# A tensor of more than two axes is a stack of matrices; in Meta's code each of its axes has a matrix of its own.
@shampoo.convention(
    "facebook",
    source=f"{META}; eps is its epsilon, block_size its max_preconditioner_dim, momentum that of ClassicMomentumConfig",
    state={"left": LEFT, "right": RIGHT},
    ranges=AVERAGED,
    vectors=rule(source=META, state={"right": RIGHT}, ranges=AVERAGED)(_vectors_facebook),
)
def shampoo_facebook(
    w, g, m, left, right, b,
    *, t, lr=0.01, beta1=0.9, beta2=1.0, eps=1e-12, momentum=0.0, weight_decay=0.0, block_size=1024,
):  # fmt: skip
    x = blocks(g, block_size)
    left = moved(left, x @ x.T, beta2)
    right = moved(right, x.T @ x, beta2)
    m = m + (1 - beta1) * (g - m)
    u = blocks(m / (1 - beta1**t), block_size)
    u = damped_root(corrected(left, beta2, t), eps, 0.25) @ u @ damped_root(corrected(right, beta2, t), eps, 0.25)
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, left, right, b


# The direction is Shampoo's, and the length of each block of it that of another rule's step.
@term
def grafted(u, other):
    return u * (length(other) / (length(u) + 1e-16))


def _vectors_adagrad(
    w, g, m, v, right, b,
    *, t, lr=0.01, beta1=0.9, beta2=1.0, eps=1e-12, eps_graft=1e-10, momentum=0.0, weight_decay=0.0, block_size=1024,
    eps_root=0.0,
):  # fmt: skip
    x = blocks(g, block_size)
    right = moved(right, x.T @ x, beta2)
    v = v + g * g
    m = m + (1 - beta1) * (g - m)
    m_hat = m / (1 - beta1**t)
    u = blocks(m_hat, block_size) @ damped_root(corrected(right, beta2, t), eps, 0.5)
    u = grafted(u, blocks(m_hat / (sqrt(v + eps_root) + eps_graft), block_size))
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, v, right, b


# With AdaGrad's length of the step; axes as under "facebook".
@shampoo.convention(
    "facebook-adagrad",
    source=f"{META}(grafting_config=AdaGradPreconditionerConfig()); eps_graft is the epsilon of that",
    state={"left": LEFT, "right": RIGHT},
    ranges=GRAFTED,
    vectors=rule(source=META, state={"right": RIGHT}, ranges=GRAFTED)(_vectors_adagrad),
)
def shampoo_facebook_adagrad(
    w, g, m, v, left, right, b,
    *, t, lr=0.01, beta1=0.9, beta2=1.0, eps=1e-12, eps_graft=1e-10, momentum=0.0, weight_decay=0.0, block_size=1024,
    eps_root=0.0,
):  # fmt: skip
    x = blocks(g, block_size)
    left = moved(left, x @ x.T, beta2)
    right = moved(right, x.T @ x, beta2)
    v = v + g * g
    m = m + (1 - beta1) * (g - m)
    m_hat = m / (1 - beta1**t)
    u = blocks(m_hat, block_size)
    u = damped_root(corrected(left, beta2, t), eps, 0.25) @ u @ damped_root(corrected(right, beta2, t), eps, 0.25)
    u = grafted(u, blocks(m_hat / (sqrt(v + eps_root) + eps_graft), block_size))
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, v, left, right, b


def _vectors_adam(
    w, g, m, v, right, b,
    *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, beta2_graft=0.999, eps_graft=1e-8, momentum=0.0, weight_decay=0.0,
    block_size=1024, eps_root=0.0,
):  # fmt: skip
    x = blocks(g, block_size)
    right = moved(right, x.T @ x, beta2)
    v = moved(v, g * g, beta2_graft)
    m = m + (1 - beta1) * (g - m)
    m_hat = m / (1 - beta1**t)
    u = blocks(m_hat, block_size) @ damped_root(corrected(right, beta2, t), eps, 0.5)
    u = grafted(u, blocks(m_hat / (sqrt(corrected(v, beta2_graft, t) + eps_root) + eps_graft), block_size))
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, v, right, b


# With Adam's length of the step; axes as under "facebook". The numbers are those of the example in its README.
@shampoo.convention(
    "facebook-adam",
    source=f"{META}(grafting_config=AdamPreconditionerConfig()); beta2_graft and eps_graft are the numbers of that",
    state={"left": LEFT, "right": RIGHT},
    ranges=GRAFTED_BY_ADAM,
    vectors=rule(source=META, state={"right": RIGHT}, ranges=GRAFTED_BY_ADAM)(_vectors_adam),
)
def shampoo_facebook_adam(
    w, g, m, v, left, right, b,
    *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, beta2_graft=0.999, eps_graft=1e-8, momentum=0.0, weight_decay=0.0,
    block_size=1024, eps_root=0.0,
):  # fmt: skip
    x = blocks(g, block_size)
    left = moved(left, x @ x.T, beta2)
    right = moved(right, x.T @ x, beta2)
    v = moved(v, g * g, beta2_graft)
    m = m + (1 - beta1) * (g - m)
    m_hat = m / (1 - beta1**t)
    u = blocks(m_hat, block_size)
    u = damped_root(corrected(left, beta2, t), eps, 0.25) @ u @ damped_root(corrected(right, beta2, t), eps, 0.25)
    u = grafted(u, blocks(m_hat / (sqrt(corrected(v, beta2_graft, t) + eps_root) + eps_graft), block_size))
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, v, left, right, b

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
STATE = {"left": left(block="block_size"), "right": right(block="block_size")}

# In every form the last two axes are a matrix, and the axes before them count matrices. Blocks at the edges are filled
# up with zeros, which have no part in what becomes of the others.


# No eigenvalue is below eps, where it started; rounding may put one there, and below zero.
@term
def inverse_root(x, eps):
    values, vectors = eigh(x)
    return vectors * maximum(values, eps) ** -0.25 @ vectors.T


def _vectors(w, g, v, *, lr=0.1, eps=1e-4):
    v = v + g**2
    w = w - lr * g / sqrt(v + eps)
    return w, v


# In the paper a tensor of k axes has a matrix for each, under the exponent -1/(2k). Here the last two axes have one
# each, and a tensor of more is a stack of matrices, so that the exponent is always -1/4; a vector keeps the diagonal
# alone of its matrix, under -1/2.
@rule(
    source=f"{GUPTA}; {BLOCKS}",
    state={"left": left("eps", block="block_size"), "right": right("eps", block="block_size")},
    ranges=POSITIVE,
    vectors=rule(source=f"{GUPTA}, the diagonal of it", ranges=POSITIVE | {"v": NOT_NEGATIVE})(_vectors),
)
def shampoo(w, g, left, right, *, lr=0.1, eps=1e-4, block_size=1024):
    x = blocks(g, block_size)
    left = left + x @ x.T
    right = right + x.T @ x
    w = w - lr * unblocks(inverse_root(left, eps) @ x @ inverse_root(right, eps), w)
    return w, left, right


# Meta's code, with a root at each step, axes of a tensor never merged, and eigenvalues moved up where rounding has put
# the smallest one below eps. At beta2 = 1 the products are added up, and below they are averaged and corrected.
@term
def damped_root(x, eps):
    values, vectors = eigh(x + eps * eye(x))
    low = -amax(-values, axis=-1)
    values = where(low < eps, values - low + eps, values)
    return vectors * values**-0.25 @ vectors.T


@term
def moved(average, x, beta):
    return beta * average + x if beta == 1 else beta * average + (1 - beta) * x


@term
def corrected(average, beta, t):
    return average / (1 - beta**t if beta < 1 else 1.0)


def _vectors_facebook(w, g, m, v, b, *, t, lr=0.01, beta1=0.9, beta2=1.0, eps=1e-12, momentum=0.0, weight_decay=0.0):
    v = moved(v, g * g, beta2)
    m = m + (1 - beta1) * (g - m)
    u = m / (1 - beta1**t) / sqrt(corrected(v, beta2, t) + eps)
    b = momentum * b + (u + weight_decay * w)
    w = w - lr * b
    return w, m, v, b


# The last two axes are a matrix, so that the exponent is always -1/4. Meta's code has a matrix for each axis of a
# tensor, as the paper has, and for a vector the whole one, of which the diagonal is kept here, as in blocks of one.
@shampoo.convention(
    "facebook",
    source=f"{META}; eps is its epsilon, block_size its max_preconditioner_dim, momentum that of ClassicMomentumConfig",
    state=STATE,
    ranges=AVERAGED,
    vectors=rule(source=f"{META}(max_preconditioner_dim=1)", ranges=GRAFTED)(_vectors_facebook),
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
    u = damped_root(corrected(left, beta2, t), eps) @ u @ damped_root(corrected(right, beta2, t), eps)
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, left, right, b


# The direction is Shampoo's, and the length of each block of it that of another rule's step; a vector takes that step.
@term
def grafted(u, other):
    return u * (length(other) / (length(u) + 1e-16))


def _vectors_adagrad(w, g, m, v, b, *, t, lr=0.01, beta1=0.9, eps_graft=1e-10, momentum=0.0, weight_decay=0.0):
    v = v + g * g
    m = m + (1 - beta1) * (g - m)
    b = momentum * b + (m / (1 - beta1**t) / (sqrt(v) + eps_graft) + weight_decay * w)
    w = w - lr * b
    return w, m, v, b


# With AdaGrad's length of the step; axes as under "facebook".
@shampoo.convention(
    "facebook-adagrad",
    source=f"{META}(grafting_config=AdaGradPreconditionerConfig()); eps_graft is the epsilon of that",
    state=STATE,
    ranges=GRAFTED,
    vectors=rule(source=f"{META}(max_preconditioner_dim=1)", ranges={"v": NOT_NEGATIVE})(_vectors_adagrad),
)
def shampoo_facebook_adagrad(
    w, g, m, v, left, right, b,
    *, t, lr=0.01, beta1=0.9, beta2=1.0, eps=1e-12, eps_graft=1e-10, momentum=0.0, weight_decay=0.0, block_size=1024,
):  # fmt: skip
    x = blocks(g, block_size)
    left = moved(left, x @ x.T, beta2)
    right = moved(right, x.T @ x, beta2)
    v = v + g * g
    m = m + (1 - beta1) * (g - m)
    m_hat = m / (1 - beta1**t)
    u = blocks(m_hat, block_size)
    u = damped_root(corrected(left, beta2, t), eps) @ u @ damped_root(corrected(right, beta2, t), eps)
    u = grafted(u, blocks(m_hat / (sqrt(v) + eps_graft), block_size))
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, v, left, right, b


def _vectors_adam(
    w, g, m, v, b, *, t, lr=1e-3, beta1=0.9, beta2_graft=0.999, eps_graft=1e-8, momentum=0.0, weight_decay=0.0
):
    v = moved(v, g * g, beta2_graft)
    m = m + (1 - beta1) * (g - m)
    u = m / (1 - beta1**t) / (sqrt(corrected(v, beta2_graft, t)) + eps_graft)
    b = momentum * b + (u + weight_decay * w)
    w = w - lr * b
    return w, m, v, b


# With Adam's length of the step; axes as under "facebook". The numbers are those of the example in its README.
@shampoo.convention(
    "facebook-adam",
    source=f"{META}(grafting_config=AdamPreconditionerConfig()); beta2_graft and eps_graft are the numbers of that",
    state=STATE,
    ranges=GRAFTED | {"beta2_graft": "(0, 1]"},
    vectors=rule(source=f"{META}(max_preconditioner_dim=1)", ranges={"v": NOT_NEGATIVE, "beta2_graft": "(0, 1]"})(
        _vectors_adam
    ),
)
def shampoo_facebook_adam(
    w, g, m, v, left, right, b,
    *, t, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8, beta2_graft=0.999, eps_graft=1e-8, momentum=0.0, weight_decay=0.0,
    block_size=1024,
):  # fmt: skip
    x = blocks(g, block_size)
    left = moved(left, x @ x.T, beta2)
    right = moved(right, x.T @ x, beta2)
    v = moved(v, g * g, beta2_graft)
    m = m + (1 - beta1) * (g - m)
    m_hat = m / (1 - beta1**t)
    u = blocks(m_hat, block_size)
    u = damped_root(corrected(left, beta2, t), eps) @ u @ damped_root(corrected(right, beta2, t), eps)
    u = grafted(u, blocks(m_hat / (sqrt(corrected(v, beta2_graft, t)) + eps_graft), block_size))
    b = momentum * b + (unblocks(u, w) + weight_decay * w)
    w = w - lr * b
    return w, m, v, left, right, b

"""SOAP: Adam in the basis in which Shampoo's matrices are all but diagonal."""

from __future__ import annotations

from thalweg.language.state import left, right
from thalweg.rule import rule, term
from thalweg.words import eigh, qr, sorting, sqrt

AUTHORS = "the authors' soap.py, https://github.com/nikhilvyas/SOAP"
SQUARES = {"v": "[0, inf)"}


# Eigenvectors, those of the largest eigenvalues first. Of an eigenvalue that is there more than once any basis will do,
# and LAPACK chooses: so it is with zero, where a first gradient has two rows more than columns, or two columns more
# than rows. Other programs, and the same one on another machine, go another way from there.
@term
def eigenbasis(x):
    _, vectors = eigh(-x)
    return vectors


# One power iteration from the basis before, sorted by what its eigenvalues are now. v is sorted along with it, and m is
# turned into the new basis.
@term
def iterated(m, v, left, right, left_basis, right_basis):
    by_left = sorting(left_basis.T @ left @ left_basis)
    by_right = sorting(right_basis.T @ right @ right_basis)
    outside = left_basis @ m @ right_basis.T
    left_basis, _ = qr(left @ (left_basis @ by_left))
    right_basis, _ = qr(right @ (right_basis @ by_right))
    return left_basis.T @ outside @ right_basis, by_left.T @ v @ by_right, left_basis, right_basis


@term
def adams(m, v, k, lr, beta1, beta2, eps, eps_root):
    return lr * sqrt(1 - beta2**k) / (1 - beta1**k) * (m / (sqrt(v + eps_root) + eps))


def _vectors(w, g, m, v, *, t, lr=3e-3, beta1=0.95, beta2=0.95, eps=1e-8, weight_decay=0.01, eps_root=0.0):
    m = beta1 * m + (1 - beta1) * g if t > 1 else m
    v = beta2 * v + (1 - beta2) * g**2 if t > 1 else v
    u = adams(m, v, t - 1, lr, beta1, beta2, eps, eps_root) if t > 1 else 0 * w
    decay = lr * weight_decay if t > 1 else 0.0
    w = w - (u + decay * (w - u))
    return w, m, v


# The first step moves nothing and only finds the bases, which are zero until then: no gradient is to be seen in a basis
# of its own. m is kept in the basis, and the decay is of the parameter after the step. A tensor of more than two axes
# is a stack of matrices, in its last two, where the authors' code has a basis for each axis; a vector has none in both.
# No side is too large to have one.
@rule(
    convention="authors",
    source=f"Vyas et al. 2024, arXiv:2409.11321, Algorithm 3; {AUTHORS}; every is its precondition_frequency",
    state={"left": left(), "right": right(), "left_basis": left(), "right_basis": right()},
    ranges=SQUARES | {"every": "whole [1, inf)"},
    title="SOAP",
    vectors=rule(source=AUTHORS, ranges=SQUARES)(_vectors),
)
def soap(
    w, g, m, v, left, right, left_basis, right_basis,
    *, t, lr=3e-3, beta1=0.95, beta2=0.95, eps=1e-8, weight_decay=0.01, every=10, eps_root=0.0,
):  # fmt: skip
    x = left_basis.T @ g @ right_basis
    m = beta1 * m + (1 - beta1) * x
    v = beta2 * v + (1 - beta2) * x**2
    u = left_basis @ adams(m, v, t - 1, lr, beta1, beta2, eps, eps_root) @ right_basis.T if t > 1 else 0 * w
    left = left + (1 - beta2) * (g @ g.T - left)
    right = right + (1 - beta2) * (g.T @ g - right)
    if t == 1:
        m, v, left_basis, right_basis = m, v, eigenbasis(left), eigenbasis(right)  # noqa: PLW0127
    elif (t - 1) % every == 0:
        m, v, left_basis, right_basis = iterated(m, v, left, right, left_basis, right_basis)
    else:
        m, v, left_basis, right_basis = m, v, left_basis, right_basis  # noqa: PLW0127
    decay = lr * weight_decay if t > 1 else 0.0
    w = w - (u + decay * (w - u))
    return w, m, v, left, right, left_basis, right_basis

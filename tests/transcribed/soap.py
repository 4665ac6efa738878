"""SOAP: Adam in the eigenbasis of Shampoo's matrices."""

from __future__ import annotations

from itertools import pairwise

from mpmath import eigsy, matrix, mpf, qr, sqrt

from tests.transcribed.base import paper


def average(old, new, beta):
    """The moving averages of some numbers; what there is at the start is zero."""
    return [beta * a + (1 - beta) * b for a, b in zip(old or [mpf(0)] * len(new), new, strict=True)]


def in_shape(x, shape):
    """The matrix whose elements stand in C order."""
    return matrix([x[i : i + shape[1]] for i in range(0, len(x), shape[1])])


def columns(x, order):
    """The matrix with its columns in this order."""
    return matrix([[x[i, j] for j in order] for i in range(x.rows)])


def descending(values):
    """The places of numbers, the largest first."""
    return sorted(range(len(values)), key=lambda i: -values[i])


def eigenbasis(x):
    """Eigenvectors, that of the largest eigenvalue first."""
    values, vectors = eigsy(x)
    return columns(vectors, descending(values))


def turned(q, order, x):
    """One step of power iteration from a basis in another order, made orthogonal again."""
    return qr(x * columns(q, order))[0]


# What comes of the first gradient is the bases alone. k counts the steps that change parameters.
#
# Columns of both bases have no sign of their own: with the sign of one, those of a row or a column of m change and v
# stays, so that in the step, QL (m / sqrt(v)) QR', the two signs meet; power iteration keeps the sign of a column, and
# from one method of QR to another columns differ by signs alone. Nor has the first basis an order that counts: m and v
# start at zero, and the next basis is sorted. It is free beyond that where an eigenvalue is there twice: a matrix with
# one row or column more than the other side leaves one zero, which is alone.
#
# What rounding does: a product or a factorization of n columns puts an error of n u of its norm into a matrix, where u
# is 2^-53, and there are two for each basis. That turns an eigenvector towards another by 2 n u times the largest
# eigenvalue over the distance between both, and a column of L Q by that times the largest over its own. What the
# gradient has in a direction is at most the root of its eigenvalue, so that a direction with the eigenvalue a gets from
# one with b the share of 2 n u largest / sqrt(a b) of what it has itself. With k, the largest eigenvalue over the
# smallest, or over the least distance, that is at most 2 n u k for each side; m / sqrt(v) has it, and so has the step,
# which is about lr. Of eigenvalues a zero counts for none: its direction is what the others leave.
UNIT = mpf(2) ** -53


def condition(values, *, apart=False):
    """The largest eigenvalue over the smallest that is not zero, or over the least distance of two of them."""
    largest = max(values)
    if not largest:
        return mpf(1)
    there = sorted(x for x in values if x > largest * mpf("1e-40"))
    steps = [b - a for a, b in pairwise(there)] if apart else []
    return largest / min([*there, *steps])


@paper(
    "soap",
    "authors",
    equation="Vyas et al. 2024, arXiv:2409.11321, Algorithm 3; the authors' soap.py, step and update_preconditioner",
    level="tensor",
    decades=2.0,
    other=dict(lr=0.23, beta1=0.71, beta2=0.83, eps=0.047, weight_decay=0.19, every=3.0, eps_root=0.059),
)
def soap(w, g, s, t, shape, lr, beta1, beta2, eps, weight_decay, every, eps_root):
    is_matrix = len(shape) == 2
    k = t - 1
    if k > 0:
        x = list(s["QL"].T * in_shape(g, shape) * s["QR"]) if is_matrix else g
        s["m"], s["v"] = average(s["m"], x, beta1), average(s["v"], [a**2 for a in x], beta2)
        u = [m / (sqrt(v + eps_root) + eps) for m, v in zip(s["m"], s["v"], strict=True)]
        if is_matrix:
            u = list(s["QL"] * in_shape(u, shape) * s["QR"].T)
            s["doubt"] += lr * 4 * max(shape) * UNIT * s["k"]
        rate = lr * sqrt(1 - beta2**k) / (1 - beta1**k)
        w = [p - rate * a for p, a in zip(w, u, strict=True)]
        w = [p - lr * weight_decay * p for p in w]
    if is_matrix:
        x = in_shape(g, shape)
        s["L"], s["R"] = (
            (1 - beta2) * new + (beta2 * s[name] if k > 0 else 0 * new)
            for name, new in (("L", x * x.T), ("R", x.T * x))
        )
        if k == 0:
            s["QL"], s["QR"] = eigenbasis(s["L"]), eigenbasis(s["R"])
            s["k"] = max(condition(eigsy(s[name], eigvals_only=True), apart=True) for name in ("L", "R"))
        elif k % int(every) == 0:
            rotated(s, shape)
    return w


def rotated(s, shape):
    """Give s the next bases, with m turned to them and v in their order."""
    m = s["QL"] * in_shape(s["m"], shape) * s["QR"].T
    of_rows, of_columns = (
        descending([(q.T * x * q)[i, i] for i in range(x.rows)]) for q, x in ((s["QL"], s["L"]), (s["QR"], s["R"]))
    )
    v = in_shape(s["v"], shape)
    s["v"] = [v[i, j] for i in of_rows for j in of_columns]
    s["k"] = max(s["k"], *(condition(eigsy(s[name], eigvals_only=True)) for name in ("L", "R")))
    s["QL"], s["QR"] = turned(s["QL"], of_rows, s["L"]), turned(s["QR"], of_columns, s["R"])
    s["m"] = list(s["QL"].T * m * s["QR"])

"""Adafactor and SM3: what is kept of a matrix is one number a row and one a column; of a vector, all."""

from __future__ import annotations

from mpmath import fsum, mpf, sqrt

from tests.transcribed.base import paper


def rows_of(x, shape):
    """The rows of a matrix whose elements stand in C order."""
    n = shape[-1]
    return [list(x[i : i + n]) for i in range(0, len(x), n)]


def mean(xs):
    """The mean."""
    return fsum(xs) / len(xs)


def rms(xs):
    """The root of the mean square."""
    return sqrt(mean([x**2 for x in xs]))


# Adafactor ------------------------------------------------------------------------------------------------------------


def average(old, new, beta):
    """The moving averages of some numbers; what there is at the start is zero."""
    return [beta * a + (1 - beta) * b for a, b in zip(old or [mpf(0)] * len(new), new, strict=True)]


def rows_and_columns(squares, s, shape, beta):
    """Average the means of rows and of columns in s, and return them."""
    square = rows_of(squares, shape)
    s["R"] = average(s["R"], [mean(row) for row in square], beta)
    s["C"] = average(s["C"], [mean(column) for column in zip(*square, strict=True)], beta)
    return s["R"], s["C"]


def second_moment(squares, s, shape, beta):
    """V: the outer product of the averages over the mean of both, or the average of each element of a vector."""
    if len(shape) < 2:
        s["V"] = average(s["V"], squares, beta)
        return s["V"]
    of_rows, of_columns = rows_and_columns(squares, s, shape, beta)
    return [r * c / mean(of_rows) for r in of_rows for c in of_columns]


def clipped(u, d):
    """An update whose root mean square is at most d."""
    return [x / max(mpf(1), rms(u) / d) for x in u]


@paper(
    "adafactor",
    "paper",
    equation="Shazeer & Stern 2018, arXiv:1804.04235, Algorithms 4 and 5, with the numbers of Algorithm 6",
    level="tensor",
    other=dict(decay=0.63, eps1=0.29, eps2=0.057, clipping=1.7, eps_root=0.23),
    later=dict(t=20001, eps2=1.9),  # the relative step is below 0.01 from t = 10001 on; eps2 above each size
    decades=2.0,
    swing=2.0,
)
def adafactor(w, g, s, t, shape, decay, eps1, eps2, clipping, eps_root):
    rho = min(mpf(0.01), 1 / sqrt(mpf(t)))
    alpha = max(eps2, rms(w)) * rho
    v = second_moment([x**2 + eps1 for x in g], s, shape, 1 - mpf(t) ** -decay)
    u = clipped([x / sqrt(y + eps_root) for x, y in zip(g, v, strict=True)], clipping)
    return [p - alpha * x for p, x in zip(w, u, strict=True)]


# Nothing is added to the squares: the mean of the rows is at least eps1 instead, and V its square. alpha is of the
# parameter before its decay.
@paper(
    "adafactor",
    "torch",
    equation="torch/optim/_adafactor.py, _single_tensor_adafactor",
    level="tensor",
    other=dict(lr=0.31, decay=0.63, eps1=1.5, eps2=0.057, clipping=1.7, weight_decay=0.17, eps_root=0.23),
    later=dict(eps2=1.9),
    decades=2.0,
    swing=2.0,
)
def adafactor_torch(w, g, s, t, shape, lr, decay, eps1, eps2, clipping, weight_decay, eps_root):
    alpha = max(eps2, rms(w)) * min(lr, 1 / sqrt(mpf(t)))
    w = [p * (1 - lr * weight_decay) for p in w]
    beta = 1 - mpf(t) ** -decay
    squares = [x**2 for x in g]
    if len(shape) < 2:
        v = second_moment(squares, s, shape, beta)
    else:
        of_rows, of_columns = rows_and_columns(squares, s, shape, beta)
        v = [r * c / max(mean(of_rows), eps1) for r in of_rows for c in of_columns]
    u = clipped([x / sqrt(max(y, eps1**2) + eps_root) for x, y in zip(g, v, strict=True)], clipping)
    return [p - alpha * x for p, x in zip(w, u, strict=True)]


# The decay comes before everything, and by the rate as it is given.
@paper(
    "adafactor",
    "keras",
    equation="keras/src/optimizers/adafactor.py, update_step; base_optimizer.py, _apply_weight_decay",
    level="tensor",
    other=dict(lr=0.31, decay=0.63, eps1=0.29, eps2=0.057, clipping=1.7, weight_decay=0.17, eps_root=0.23),
    later=dict(eps2=1.9),
    decades=2.0,
    swing=2.0,
)
def adafactor_keras(w, g, s, t, shape, lr, decay, eps1, eps2, clipping, weight_decay, eps_root):
    w = [p - p * weight_decay * lr for p in w]
    alpha = max(eps2, rms(w)) * min(lr, 1 / sqrt(mpf(t)))
    v = second_moment([x**2 + eps1 for x in g], s, shape, 1 - mpf(t) ** -decay)
    u = clipped([x / sqrt(y + eps_root) for x, y in zip(g, v, strict=True)], clipping)
    return [p - alpha * x for p, x in zip(w, u, strict=True)]


# lr stands in the place of the relative step, and does not multiply the decay.
@paper(
    "adafactor",
    "optax",
    equation="optax.adafactor: scale_by_factored_rms, clip_by_block_rms, scale_by_param_block_rms, add_decayed_weights",
    level="tensor",
    other=dict(lr=0.31, decay=0.63, eps1=0.29, eps2=0.057, clipping=1.7, weight_decay=0.17, eps_root=0.23),
    later=dict(eps2=1.9),
    decades=2.0,
    swing=2.0,
)
def adafactor_optax(w, g, s, t, shape, lr, decay, eps1, eps2, clipping, weight_decay, eps_root):
    squares, beta = [x**2 + eps1 for x in g], 1 - mpf(t) ** -decay
    if len(shape) < 2:
        roots = [sqrt(y + eps_root) for y in second_moment(squares, s, shape, beta)]
    else:
        of_rows, of_columns = rows_and_columns(squares, s, shape, beta)
        roots = [sqrt(r / mean(of_rows) + eps_root) * sqrt(c + eps_root) for r in of_rows for c in of_columns]
    u = clipped([x / y for x, y in zip(g, roots, strict=True)], clipping)
    scale = max(eps2, rms(w))
    return [p - (lr * scale * x + weight_decay * p) for p, x in zip(w, u, strict=True)]


# SM3 ------------------------------------------------------------------------------------------------------------------


# nu is what the least of the covers over an element allows, and the square; the covers are the rows and the columns, or
# the elements themselves. Momentum averages what is divided already.
@paper(
    "sm3",
    "paper",
    "optax",
    equation="Anil et al. 2019, arXiv:1901.11150, SM3-II, with the momentum of the authors' sm3.py; optax.scale_by_sm3",
    level="tensor",
    other=dict(lr=0.23, momentum=0.71, eps=0.037, eps_root=0.019),
    edges=[dict(eps=0.0, eps_root=0.0)],
    idle=1,
)
def sm3(w, g, s, t, shape, lr, momentum, eps, eps_root):
    if len(shape) < 2:
        nu = [a + x**2 for a, x in zip(s["nu"] or [mpf(0)] * len(g), g, strict=True)]
        s["nu"] = nu
    else:
        of_rows = s["rows"] or [mpf(0)] * shape[0]
        of_columns = s["columns"] or [mpf(0)] * shape[1]
        table = [
            [min(of_rows[i], of_columns[j]) + x**2 for j, x in enumerate(row)]
            for i, row in enumerate(rows_of(g, shape))
        ]
        s["rows"] = [max(row) for row in table]
        s["columns"] = [max(column) for column in zip(*table, strict=True)]
        nu = [x for row in table for x in row]
    u = [x / sqrt(y + eps + eps_root) if y > 0 else mpf(0) for x, y in zip(g, nu, strict=True)]
    s["m"] = average(s["m"], u, momentum)
    return [p - lr * m for p, m in zip(w, s["m"], strict=True)]

"""Functions of one vector that the tests of this folder minimize, and how parameters are compared."""

from __future__ import annotations

import math

import numpy as np

import thalweg as tw


def rng(*seed):
    return np.random.default_rng(seed)


def quadratic(n, condition=1e4):
    """x^T A x / 2 - b^T x, with the eigenvalues of A spread over `condition`; its minimum is where A x = b."""
    basis, _ = np.linalg.qr(rng(n, 1).standard_normal((n, n)))
    a = basis @ np.diag(np.geomspace(1.0, condition, n)) @ basis.T
    a, b = (a + a.T) / 2, rng(n, 2).standard_normal(n)
    return (lambda x: (float(0.5 * x @ a @ x - b @ x), a @ x - b)), rng(n, 3).standard_normal(n), np.linalg.solve(a, b)


def rosenbrock(n):
    def f(x):
        a, b = x[1:] - x[:-1] ** 2, 1 - x[:-1]
        g = np.zeros_like(x)
        g[1:] += 200 * a
        g[:-1] += -400 * a * x[:-1] - 2 * b
        return float(100 * (a @ a) + b @ b), g

    return f, np.tile([-1.2, 1.0], n // 2), np.ones(n)


def logistic(n=7, rows=60):
    """The loss of a logistic regression on labels that follow from nothing, with a little decay."""
    x, y = rng(n, 4).standard_normal((rows, n)), rng(n, 5).choice([-1.0, 1.0], rows)

    def f(w):
        z = y * (x @ w)
        return float(np.logaddexp(0, -z).mean() + 0.005 * (w @ w)), -(x.T @ (y / (1 + np.exp(z)))) / rows + 0.01 * w

    return f, np.zeros(n), None


PROBLEMS = {
    "quadratic in 5": quadratic(5),
    "quadratic in 30": quadratic(30),
    "rosenbrock in 2": rosenbrock(2),
    "rosenbrock in 10": rosenbrock(10),
    "logistic": logistic(),
}


# Functions of one number, for line searches: (value, slope) at t ------------------------------------------------------


def more_thuente_1(t, beta=2.0):
    """Moré & Thuente 1994, doi:10.1145/192115.192132, (5.1)."""
    return -t / (t * t + beta), (t * t - beta) / (t * t + beta) ** 2


def more_thuente_2(t, beta=0.004):
    """The same, (5.2)."""
    return (t + beta) ** 5 - 2 * (t + beta) ** 4, 5 * (t + beta) ** 4 - 8 * (t + beta) ** 3


def wavy(t):
    """Going down in waves, so that there are many places that satisfy the conditions, and more that do not."""
    return 0.05 * t * t - t + 0.9 * math.sin(3 * t) / 3, 0.1 * t - 1 + 0.9 * math.cos(3 * t)


def wall(t):
    """A slow descent, and then a wall."""
    return -t + math.exp(20 * (t - 1)), -1 + 20 * math.exp(20 * (t - 1))


def uphill(t):
    """A slope that says the opposite of the values: no length will do."""
    return t * t, -2 * t - 5


def shallow(t):
    """At 1 it has come down by 5e-4 of what the slope at 0 promises; without a bound far behind it."""
    return t * (t - 1) * (1 - 0.5 * t) - 5e-4 * t, -1 + 3 * t - 1.5 * t * t - 5e-4


def barely(t):
    """Down by next to nothing everywhere: lower than where the bracket is low, and not low enough."""
    drop = math.exp(-t / 1e-6)
    return -1e-6 * (1 - drop) - 8e-5 * t * (1.25 - t), -drop - 1e-4 + 1.6e-4 * t


def ragged(seed):
    """A slope with waves of several lengths and heights on it, going down at 0."""
    waves = rng(seed, 7)
    a, b, c = waves.uniform(0.02, 1), waves.standard_normal(4), waves.uniform(0.2, 8, 4)
    d = waves.uniform(0, 2 * math.pi, 4)
    sign = -1.0 if float(np.sum(b * c * np.cos(d))) > a else 1.0

    def f(t):
        value = -a * t + sign * float(np.sum(b * (np.sin(c * t + d) - np.sin(d))))
        return value, -a + sign * float(np.sum(b * c * np.cos(c * t + d)))

    return f


LINES = {f.__name__: f for f in (more_thuente_1, more_thuente_2, wavy, wall)}
HARD = LINES | {f.__name__: f for f in (uphill, shallow, barely)}


class Counted:
    """A closure over {"w": x}: how often it was called, and with what. fault: call -> what to do in it."""

    def __init__(self, f, fault=None):
        self.f, self.fault, self.points = f, fault or {}, []

    def __call__(self, params):
        self.points.append(params["w"].copy())
        value, gradient = self.f(params["w"].copy())
        found = value, {"w": gradient}
        spoil = self.fault.get(len(self.points))
        return found if spoil is None else spoil(*found)


def run(f, x0, calls, **arguments):
    """Return the optimizer, the parameters and the closure after so many calls."""
    opt, params, closure = tw.LBFGS(**arguments), {"w": x0.copy()}, Counted(f)
    for _ in range(calls):
        opt.update(params, closure=closure)
    return opt, params, closure


def bits(node):
    """Return containers with bytes in the place of arrays and numbers, to be compared."""
    if isinstance(node, dict):
        return {key: bits(x) for key, x in node.items()}
    if isinstance(node, list | tuple):
        return [bits(x) for x in node]
    if isinstance(node, np.ndarray):
        return node.dtype.str, node.shape, node.tobytes()
    return type(node).__name__, node.hex() if isinstance(node, float) else node


def picture(opt, params):
    """Return all that an update can change, as bits."""
    return bits([opt.state_dict(), params])

"""Arithmetic for the tests of other libraries' faults: it knows nothing of our rules, and little of anything."""

from __future__ import annotations

from itertools import accumulate

import numpy as np

import thalweg as tw


def told_apart(ours, right, faulty, margin):
    """Ours is right up to rounding, and what the fault makes of the same numbers is off by `margin` or more."""
    ours, right = np.asarray(ours, np.float64), np.asarray(right, np.float64)
    np.testing.assert_allclose(ours, right, rtol=1e-11, atol=1e-14)
    assert np.abs(ours - np.asarray(faulty, np.float64)).max() >= margin


def path(opt, w, grads, **more):
    """Return a parameter after each step of an optimizer; more: further arguments of `update`."""
    params, found = {"w": np.array(w, np.float64)}, []
    for g in grads:
        opt.update(params, {"w": np.array(g, np.float64)}, **more)
        found.append(params["w"].copy())
    return found


def forms(name, *others, **numbers):
    """Return an optimizer for each convention of a rule; others: those left out."""
    rule = tw.RULES[name]
    return [tw.Optimizer(form, **numbers) for c, form in rule.conventions.items() if c not in others]


def walk(w, steps):
    """Return where a parameter is after each of some steps."""
    return list(accumulate(steps, np.subtract, initial=np.asarray(w, np.float64)))[1:]


def averages(beta, xs, first=0.0):
    """Return the moving average after each x."""
    return list(accumulate(xs, lambda m, x: beta * m + (1 - beta) * x, initial=first))[1:]


def corrected(beta, xs):
    """Return the moving average after each x, over what it would be of ones."""
    return [m / (1 - beta**t) for t, m in enumerate(averages(beta, xs), 1)]


def adam(grads, lr, beta1, beta2, eps=0.0):
    """Return the steps of Adam (Kingma & Ba, Algorithm 1)."""
    tops, squares = corrected(beta1, grads), corrected(beta2, [np.square(g) for g in grads])
    return [lr * m / (np.sqrt(v) + eps) for m, v in zip(tops, squares, strict=True)]


def decayed(w, steps, factor):
    """Return where a parameter is after each step, shrunk by a factor before it."""
    return list(accumulate(steps, lambda w, u: factor * w - u, initial=np.asarray(w, np.float64)))[1:]


def power_of(x, exponent):
    """Return a power of a symmetric matrix."""
    values, vectors = np.linalg.eigh(x)
    return vectors * values**exponent @ vectors.T


def orthogonal(x):
    """Return Muon's five iterations on a matrix divided by its norm."""
    y = x / np.linalg.norm(x)
    for _ in range(5):
        a = y @ y.T
        y = 3.4445 * y + (-4.775 * a + 2.0315 * a @ a) @ y
    return y


def root_mean_square(x):
    """Return the root of the mean of squares."""
    return np.sqrt(np.mean(np.square(x)))

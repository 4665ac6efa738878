"""Gradients to hold rules against each other with, and how far two results are apart."""

from __future__ import annotations

import numpy as np

SHAPES = {"W1": (4, 3), "b1": (3,), "s": (), "W2": (3, 5)}


def start(seed=0):
    """Parameters of several shapes, float64."""
    rng = np.random.default_rng(seed)
    return {name: np.array(rng.standard_normal(shape)) for name, shape in SHAPES.items()}


def wide(steps, seed=1, decades=12, shapes=None):
    """Gradients for each step, over so many decades; a tenth is zero, and one row of W1 always, another for a while."""
    rng = np.random.default_rng(seed)
    found = []
    for t in range(steps):
        grads = {}
        for name, shape in (shapes or SHAPES).items():
            g = 10.0 ** rng.uniform(-decades / 2, decades / 2, shape) * rng.choice([-1.0, 1.0], shape)
            grads[name] = np.array(np.where(rng.random(shape) < 0.1, 0.0, g))
        if "W1" in grads:
            grads["W1"][0] = 0.0
            grads["W1"][1] *= t >= steps // 2
        found.append(grads)
    return found


def depending(params, t):
    """Gradients that depend on the parameters and on t: a field with several minima, where a difference grows."""
    pull = sum(float(np.ravel(w)[0]) for w in params.values()) / len(params)
    return {
        name: 0.5 * w * w * w - w + 0.3 * np.roll(w, 1) + 0.1 * pull + (0.7 if t % 3 else -1.1)
        for name, w in params.items()
    }


def distance(path, other):
    """Return the largest difference of two paths (lists of dicts), each element by its largest value on the other."""
    worst = 0.0
    for name in other[0]:
        a, b = (np.array([np.array(point[name], np.longdouble) for point in p]) for p in (path, other))
        worst = max(worst, float(np.max(np.abs(a - b) / np.abs(b).max(axis=0))))
    return worst


def copied(params):
    """A deep copy of a dict of arrays."""
    return {name: w.copy() for name, w in params.items()}


def path_of(opt, params, gradients):
    """Take all steps in place; return the parameters after each."""
    path = []
    for grads in gradients:
        opt.update(params, grads)
        path.append(copied(params))
    return path

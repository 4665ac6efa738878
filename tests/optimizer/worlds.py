"""An optimizer in use, what it holds, and whether anything of it has changed."""

from __future__ import annotations

import numpy as np

import thalweg as tw
from tests.extra_rules import novograd, prodigy

RULES = {"sgd": "sgd", "adam": "adam", "novograd": novograd, "prodigy": prodigy}
NAMES = [f"p{i:02}" for i in range(12)]


def rng(seed=0):
    return np.random.default_rng(seed)


def some_params(seed=0):
    """A dozen parameters of several shapes, layouts and dtypes."""
    shapes = [(3,), (2, 4), (), (1, 5), (2, 3, 2), (7,)] * 2
    made = {}
    for i, (name, shape) in enumerate(zip(NAMES, shapes, strict=True)):
        w = rng([seed, i]).standard_normal(shape).astype(np.float32 if i % 3 else np.float64)
        made[name] = np.array(w, order="F" if i % 4 == 1 else "C")
    return made


def some_grads(params, seed):
    """A gradient for each."""
    return {
        name: np.array(rng([seed, i]).standard_normal(w.shape).astype(w.dtype))
        for i, (name, w) in enumerate(params.items())
    }


def copied(arrays):
    return {name: w.copy() for name, w in arrays.items()}


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


def all_bits(arrays):
    return {name: bits(w) for name, w in arrays.items()}


def differences(before, after):
    """Return where two pictures differ (see `World.everything`)."""
    return sorted(str(where) for where in before.keys() | after.keys() if before.get(where) != after.get(where))


class World:
    """An optimizer and its parameters after so many steps; the same seed gives the same bits."""

    def __init__(self, rule="adam", steps=0, **options):
        self.opt = tw.Optimizer(RULES.get(rule, rule), **options)
        self.params = some_params()
        self.steps(steps)

    def steps(self, n):
        """Take n steps with gradients that are known beforehand."""
        for _ in range(n):
            self.opt.update(self.params, some_grads(self.params, 100 + self.opt.t))

    def everything(self):
        """All that a step may change, bit for bit, by where it is."""
        opt = self.opt
        state = {
            (name, slot): bits(np.asarray(value)) for name, slots in opt.state.items() for slot, value in slots.items()
        }
        return all_bits(self.params) | state | dict(opt.shared) | {"step count": opt.t, "skipped": opt.skipped}

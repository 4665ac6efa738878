"""Parameters and gradients that tell rules apart: many decades, exact zeros, changes of sign, feedback."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]

STEPS = 100
RATE_CHANGES_AT = 61
"""The step before which the learning rate is multiplied by `RATE_FACTOR`: it separates the two scalings of momentum."""
RATE_FACTOR = 0.3


class World:
    """Four tensors with the names that networks of two layers have, and a gradient for every step.

    W1 and b1 have gradients near 1 that depend on the parameters; one element of b1 has the gradient zero for ever, one
    until step 50. W2 starts at zero, so that a step is seen to its last bit; each of its elements has a magnitude of
    its own from 1e-12 to 1e2: where eps stands shows in the small ones. b2 jumps over nine decades from step to step.
    A tenth of all elements is exactly zero at each step.

    matrices: W1 and W2 alone, for rules that need two axes.
    """

    def __init__(self, dtype: Any = np.float64, *, matrices: bool = False) -> None:
        self.dtype = np.dtype(dtype)
        shapes = {"W1": (4, 3), "b1": (3,), "W2": (3, 5), "b2": (5,)}
        self.shapes = {name: s for name, s in shapes.items() if not matrices or len(s) > 1}

    def start(self) -> Arrays:
        """Return new arrays of the parameters before the first step."""
        rng = np.random.default_rng(7)
        drawn = {name: rng.standard_normal(shape) for name, shape in self.shapes.items()}
        drawn["W2"][...] = 0.0
        return {name: w.astype(self.dtype) for name, w in drawn.items()}

    def gradients(self, params: Arrays, t: int) -> Arrays:
        """Return new arrays of the gradients at step t, which are finite wherever the parameters are."""
        found = {}
        for name, shape in self.shapes.items():
            w = np.asarray(params[name], np.float64).reshape(shape)
            pull = np.sin(np.where(np.isfinite(w), w, 0.0) + 0.9 * t)
            magnitude, push = _drawn(name, shape, t)
            found[name] = (magnitude * (pull + push)).astype(self.dtype)
        return found

    def loss(self, t: int) -> float:
        """Return the loss at step t, for rules that need one."""
        return 1.0 + 1.0 / t


@lru_cache(maxsize=4 * STEPS)
def _drawn(name: str, shape: tuple[int, ...], t: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the magnitude of each element of a gradient at step t, zeros included, and a push in [-1, 1)."""
    rng = np.random.default_rng([*name.encode(), t])
    push, zero = rng.uniform(-1.0, 1.0, shape), rng.random(shape) < 0.1
    magnitude = np.ones(shape)
    if name == "W2":
        magnitude = 10.0 ** np.linspace(-12.0, 2.0, 15).reshape(shape)
    if name == "b2":
        magnitude = 10.0 ** rng.uniform(-6.0, 3.0, shape)
    if name == "b1":
        zero[0] = True
        zero[1] |= t < STEPS // 2
    return np.where(zero, 0.0, magnitude), push

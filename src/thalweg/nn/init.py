"""Initial weights: functions `(rng, (n_in, n_out), dtype) -> array of shape (n_in, n_out)`, normal with mean 0.

All of them draw in float64 and round once, so that a float32 network starts at the rounded weights of the float64
network with the same seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

Init = Callable[[np.random.Generator, tuple[int, int], npt.DTypeLike], npt.NDArray[Any]]


def normal(std: float = 0.01) -> Init:
    """Weights of one fixed standard deviation, whatever the layer's size.

    With the default 0.01 a deep network's activations shrink from layer to layer: the chapter's first experiment.
    `std` is finite and not negative, else ValueError.
    """
    if not (math.isfinite(std) and std >= 0):
        raise ValueError(f"std is {std!r}; give a finite number >= 0, such as 0.01")

    def draw(rng: np.random.Generator, shape: tuple[int, int], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
        return _draw(rng, shape, dtype, std)

    return draw


def xavier(rng: np.random.Generator, shape: tuple[int, int], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Standard deviation sqrt(1 / n_in), which keeps the variance of linear units from layer to layer.

    This is the form that "Deep Learning from Scratch" (chapter 6) calls Xavier. Glorot & Bengio 2010, equation 12,
    average n_in with n_out; that form is `glorot`. Both are the same where n_in = n_out.
    """
    return _draw(rng, shape, dtype, math.sqrt(1 / shape[0]))


def glorot(rng: np.random.Generator, shape: tuple[int, int], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Standard deviation sqrt(2 / (n_in + n_out)).

    Glorot & Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks", equation 12:
    Var[W] = 2 / (n_in + n_out). Drawn from a normal distribution; the paper's equation 16 is a uniform one of the same
    variance.
    """
    return _draw(rng, shape, dtype, math.sqrt(2 / (shape[0] + shape[1])))


def he(rng: np.random.Generator, shape: tuple[int, int], dtype: npt.DTypeLike = np.float64) -> npt.NDArray[Any]:
    """Standard deviation sqrt(2 / n_in): the 2 makes up for the half of the signal that a ReLU removes.

    He et al. 2015, arXiv:1502.01852, equation 10.
    """
    return _draw(rng, shape, dtype, math.sqrt(2 / shape[0]))


def _draw(rng: np.random.Generator, shape: tuple[int, int], dtype: npt.DTypeLike, std: float) -> npt.NDArray[Any]:
    return (std * rng.standard_normal(shape)).astype(dtype, copy=False)


INITS: Mapping[str, Init] = MappingProxyType({"normal": normal(), "xavier": xavier, "glorot": glorot, "he": he})
"""What `Network(init=...)` knows by name; "normal" has the standard deviation 0.01."""
